"""The gallery: what is nearest, what is never shown, and what a new model changes."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support.gallery import BREEDS, fill, photographs, picture

from smartbreed.core.database import read, write
from smartbreed.core.errors import RequestError, SmartBreedError, StorageError
from smartbreed.core.settings import load_settings
from smartbreed.gallery import graph
from smartbreed.gallery.build import build
from smartbreed.gallery.gallery import SAME, SHOWN
from smartbreed.gallery.index import read_index, write_index
from smartbreed.gallery.sources import open_source
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.results import Identification
from smartbreed.review import decisions
from smartbreed.review.scoring import score_flags
from smartbreed.services import Services
from smartbreed.web.api.similar import alike, similar_routes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Without a gallery."""
    made = Services(load_settings(home=tmp_path / "home", hub="embedded"))
    yield made
    made.stop()


def rows(services: Services) -> list[GalleryPhoto]:
    with read(services.gallery.sessions) as session:
        return list(session.scalars(sa.select(GalleryPhoto).order_by(GalleryPhoto.id)))


def answer_of(services: Services, row: GalleryPhoto) -> Identification:
    return services.identifier.identify(read_photo(services.gallery.photo(row)))


def test_the_nearest_are_mostly_of_the_same_breed(built: Services) -> None:
    right = asked = 0
    for row in rows(built)[::6]:
        answer = answer_of(built, row)
        found = built.gallery.similar(answer.pets[0], answer.model.revision, answer.sha256)
        assert len(found) <= SHOWN
        near = [one.similarity for one in found]
        assert near == sorted(near, reverse=True)
        assert f"g{row.id}" not in [one.name for one in found], "the photo itself is no other"
        assert all(one.words and one.label in BREEDS for one in found)
        asked += len(found)
        right += sum(one.label == row.label for one in found)
    assert asked > 50
    assert right > asked / 2


def test_search_is_exact(built: Services) -> None:
    index = read_index(built.gallery.folder / "embeddings.npy")
    assert index is not None
    kept = {f"g{row.id}": row for row in rows(built) if row.state == "kept"}
    assert set(index.names) == set(kept)
    vector = np.random.default_rng(1).normal(size=index.vectors.shape[1]).astype(np.float32)
    unit = vector / np.linalg.norm(vector)
    stored = {
        name: float(np.frombuffer(row.embedding or b"", np.float16).astype(np.float32) @ unit)
        for name, row in kept.items()
    }
    expected = sorted(stored, key=lambda name: -stored[name])[:9]
    assert [name for name, _ in index.nearest(vector, 9)] == expected


def test_a_picture_is_small_square_and_carries_nothing(built: Services) -> None:
    client = TestClient(Starlette(routes=similar_routes(built)))  # type: ignore[arg-type]
    row = next(row for row in rows(built) if row.state == "kept")
    got = client.get(f"/similar/g{row.id}.jpg")
    assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
    assert "max-age" in got.headers["cache-control"]
    assert (row.label or "").encode() not in got.content
    opened = Image.open(io.BytesIO(got.content))
    assert opened.size == (240, 240)
    assert not opened.getexif()
    nothing = "0" * 26
    names = ("../secret", f"{row.id}.jpg", f"g{row.id}.png", f"g{row.id}", f"x{row.id}.jpg", "%00.jpg")
    for name in (*names, f"g{nothing}.jpg", f"f{nothing}.jpg"):
        refused = client.get(f"/similar/{name}")
        assert refused.status_code == 404, name


def test_what_is_deleted_is_shown_no_more(pictures: Path, services: Services) -> None:
    few = open_source(str(pictures))
    build(services.gallery, services.identifier, few, lambda report: None)
    kept = [row for row in rows(services) if row.state == "kept"]
    answer = answer_of(services, kept[0])
    found = alike(services, answer, answer.pets[0])
    assert found
    gone = re.findall(r"g(\w{26})", found[0].source)[0]
    with write(services.gallery.sessions) as session:
        session.execute(sa.delete(GalleryPhoto).where(GalleryPhoto.id == gone))
    assert gone not in str(alike(services, answer, answer.pets[0]))
    with pytest.raises(RequestError):
        services.gallery.thumbnail(f"g{gone}")
    assert services.gallery.clear() == len(kept) - 1
    assert not alike(services, answer, answer.pets[0])
    assert not services.gallery.pictures.root.exists()
    assert rows(services) == []


def test_without_a_gallery_nothing_is_shown(photo: Path, services: Services) -> None:
    services.gallery.refresh_all()
    answer = services.identify(photo)
    assert isinstance(answer, Identification)
    assert alike(services, answer, answer.pets[0]) == []
    status = services.gallery.status()
    assert (status.kept, status.searched) == (0, 0)
    assert "no gallery yet" in status.sentence


def test_another_model_never_answers_from_old_embeddings(pictures: Path, services: Services) -> None:
    fill(services, pictures)
    before = rows(services)
    kept = [row for row in before if row.state == "kept"]
    with write(services.gallery.sessions) as session:
        session.execute(sa.update(GalleryPhoto).values(model="another-revision"))
    answer = answer_of(services, kept[0])
    status = services.gallery.status()
    assert (status.embedded, status.kept) == (0, len(kept))
    assert "other embeddings" in status.sentence
    fresh = Services(services.settings)  # a start with the new model
    assert not alike(fresh, answer, answer.pets[0])
    older = replace(answer.model, revision="another-revision")
    services.gallery.refresh()
    assert not services.gallery.similar(answer.pets[0], older.revision)
    fresh.gallery.refresh_all()
    fresh.stop()
    after = rows(services)
    assert {row.model for row in after if row.state == "kept"} == {answer.model.revision}
    close = [
        float(np.dot(*(np.frombuffer(r.embedding or b"", np.float16).astype(np.float32) for r in pair)))
        for pair in zip(kept, [row for row in after if row.state == "kept"], strict=True)
    ]
    assert min(close) > 0.99, "from the pictures that are kept come the same embeddings"
    services.gallery.refresh_all()
    assert alike(services, answer, answer.pets[0])


def test_duplicates_bad_photos_and_unknown_breeds(pictures: Path, services: Services, tmp_path: Path) -> None:
    source = tmp_path / "source"
    photographs(source, 2)
    first = next((source / "pug").iterdir())
    Image.open(first).save(source / "pug" / "again.jpg", quality=60)
    shutil.copy(first, source / "beagle" / "copy.jpg")
    (source / "pug" / "text.jpg").write_text("<script>alert(1)</script>")
    (source / "pug" / "empty.jpg").touch()
    (source / "pug" / "half.jpg").write_bytes(first.read_bytes()[:900])
    (source / "pug" / "nothing.png").write_bytes(picture(1, kind="PNG"))
    os.mkfifo(source / "pug" / "pipe.jpg")
    (source / "Dragon <b>").mkdir()
    (source / "Dragon <b>" / "1.jpg").write_bytes(picture(2))
    # Names and aliases lead to a breed; what ImageNet's folders have in front goes.
    (source / "siamese").rename(source / "n02123597-Siamese cat")
    report = fill(services, source)
    assert report.duplicates == 1
    assert report.known == 1, "the same bytes are known, whatever folder they lie in"
    assert report.bad == 6
    assert any("Dragon" in sentence for sentence in report.problems)
    assert any("no pet" in sentence for sentence in report.problems)
    assert Counter(row.label for row in rows(services) if row.state == "kept")["siamese"] == 2
    again = fill(services, source)
    assert (again.kept, again.duplicates) == (0, 0)
    assert services.gallery.status().kept == report.kept


def test_photos_of_a_breed_unknown_by_then_are_tried_by_the_next_build(
    pictures: Path, services: Services, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    (source / "Pugg").mkdir(parents=True)
    photos = sorted((pictures / "pug").iterdir())[:2]
    for photo in photos:
        shutil.copy(photo, source / "Pugg")
    for _ in range(2):
        report = fill(services, source)
        assert report.problems == {"No breed is called 'Pugg'.": 2}
        assert (report.known, report.bad, report.seen) == (0, 2, 2)
        assert rows(services) == []
    earlier = hashlib.sha256(photos[0].read_bytes()).hexdigest()
    with write(services.gallery.sessions) as session:  # as earlier versions kept it
        session.add(GalleryPhoto(origin=earlier, state="bad", problem="No breed is called 'Pugg'."))
    (source / "Pugg").rename(source / "Pug")
    assert fill(services, source).kept == 2
    assert [row.state for row in rows(services)] == ["kept", "kept"]


def test_photos_that_cannot_be_read_come_back_with_their_disk(services: Services, tmp_path: Path) -> None:
    fill(services, photographs(tmp_path / "photos", 2))
    gallery = services.gallery
    count = len(rows(services))
    with write(gallery.sessions) as session:
        session.execute(sa.update(GalleryPhoto).values(model="another-revision"))
    gallery.pictures.root.rename(tmp_path / "away")
    for _ in range(4):
        with suppress(StorageError):
            gallery.refresh_all()
    assert {row.state for row in rows(services)} == {"kept"}
    with pytest.raises(StorageError):
        gallery.refresh()
    (tmp_path / "away").rename(gallery.pictures.root)
    lost = gallery.pictures.path(rows(services)[0].picture or "")
    lost.rename(tmp_path / "lost")
    for _ in range(4):  # all the others are embedded and searched, wherever the last round ended
        with suppress(StorageError):
            gallery.refresh_all()
    status = gallery.status()
    assert (status.kept, status.embedded, status.searched, status.bad) == (count, count - 1, count - 1, 0)
    (tmp_path / "lost").rename(lost)
    for _ in range(2):
        gallery.refresh_all()
    status = gallery.status()
    assert (status.embedded, status.searched) == (count, count)


def test_vectors_of_deleted_photos_do_not_stay_on_the_disk(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "EXACT", 5)
    photos, gallery = photographs(tmp_path / "photos", 1), services.gallery

    def files() -> set[str]:
        return {path.suffix for path in gallery.folder.iterdir() if path.is_file()} - {""}

    whole = {".npy", ".usearch"} if graph.available() else {".npy"}
    fill(services, photos)
    assert files() == whole
    (gallery.folder / "embeddings.npy.1.tmp").write_bytes(b"vectors")  # of a process that was killed
    gallery.clear()
    assert files() == set()
    fill(services, photos)
    with write(gallery.sessions) as session:
        session.execute(sa.delete(GalleryPhoto))
    gallery.refresh()
    assert files() == set()
    fill(services, photos)
    kept = [row.id for row in rows(services) if row.state == "kept"]
    assert files() == whole
    with write(gallery.sessions) as session:
        session.execute(sa.delete(GalleryPhoto).where(GalleryPhoto.id.in_(kept[3:])))
    gallery.refresh()
    assert files() == {".npy"}, "three photos need no graph"


def test_sources_that_are_none(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "missing", tmp_path / "a\0b"):
        with pytest.raises(SmartBreedError):
            open_source(str(where))


def test_a_dataset_is_read_by_its_labels(tmp_path: Path, services: Services) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({
        "image": datasets.Image(), "breed": datasets.ClassLabel(names=["pug", "siamese"])
    })  # fmt: skip
    table = {"image": [{"bytes": picture(n), "path": None} for n in range(3)], "breed": [0, 1, 0]}
    # A row that names a file of this machine instead of bringing its bytes.
    (tmp_path / "private.jpg").write_bytes(picture(9))
    table["image"].append({"bytes": None, "path": str(tmp_path / "private.jpg")})
    table["breed"].append(1)
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "data" / "train.parquet")
    found = list(open_source(str(tmp_path / "data")).photos)
    assert [one.label for one in found] == ["pug", "siamese", "pug", "siamese"]
    assert found[3].where == b""
    for options in ({"config": "none"}, {"split": "none"}):
        with pytest.raises(RequestError):
            open_source(str(tmp_path / "data"), **options)


@pytest.mark.parametrize("name", ["embeddings.npy"])
def test_a_damaged_index_is_made_anew(pictures: Path, services: Services, name: str) -> None:
    fill(services, pictures)
    path = services.gallery.folder / name
    whole = path.read_bytes()
    for damage in (b"", whole[:100], whole[: len(whole) // 2], b"x" + whole[1:], whole[:-10]):
        path.write_bytes(damage)
        assert read_index(path) is None
        fresh = Services(services.settings)
        fresh.gallery.refresh_all()
        fresh.stop()
        assert path.read_bytes() == whole


def test_the_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "embeddings.npy"
    vector = np.ones(4, np.float16).tobytes()
    write_index(path, "one 1", [("a", vector)], 1, 4)

    def breaks() -> Iterator[tuple[str, bytes]]:
        yield "b", vector
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_index(path, "two 2", breaks(), 2, 4)
    found = read_index(path)
    assert found is not None
    assert found.stamp == "one 1"
    assert [one.name for one in tmp_path.iterdir()] == ["embeddings.npy"]
    write_index(path, "three 3", [("a", vector)], 3, 4)  # rows went while it was written
    found = read_index(path)
    assert found is not None
    assert [name for name, _ in found.nearest(np.ones(4), 3) if name] == ["a"]


def test_a_killed_build_goes_on(pictures: Path, tmp_path: Path) -> None:
    """The real command, killed twice; a third one ends with what one that was left alone has."""
    home = tmp_path / "home"
    environment = {
        **os.environ, "SMARTBREED_HOME": str(home), "SMARTBREED_THREADS": "1",
        "SMARTBREED_DATABASE_URL": load_settings(home=home).resolved_database_url,
    }  # fmt: skip
    command = [sys.executable, "-m", "smartbreed", "gallery", "build", str(pictures)]
    seen = 0
    for _ in range(2):
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            new = int((re.findall(r"(\d+) new", line) or ["0"])[0])
            if new > 8:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        process.stderr.close()
        services = Services(load_settings(home=tmp_path / "home"))
        kept = [row for row in rows(services) if row.state == "kept"]
        assert len(kept) > seen
        assert all(services.gallery.photo(row) for row in kept), "a row has its picture"
        services.stop()
        seen = len(kept)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    services = Services(load_settings(home=tmp_path / "home"))
    status = services.gallery.status()
    assert status.kept + status.duplicates + status.bad == sum(1 for _ in pictures.rglob("*.jpg"))
    assert status.searched == status.kept
    names = {path.name for path in services.gallery.pictures.root.rglob("*") if path.is_file()}
    assert {row.picture for row in rows(services) if row.state == "kept"} <= names
    services.stop()


def test_two_builds_at_once_are_one_too_many(pictures: Path, services: Services) -> None:
    with services.gallery.adding() as alone:
        assert alone
        other = Services(services.settings)
        for refused in (
            lambda: build(other.gallery, other.identifier, open_source(str(pictures)), print),
            other.gallery.clear,
        ):
            with pytest.raises(RequestError) as error:
                refused()
            assert error.value.code == "busy"
        other.stop()


def test_words_of_a_distance_go_down(built: Services) -> None:
    row = next(row for row in rows(built) if row.state == "kept")
    answer = answer_of(built, row)
    found = built.gallery.similar(answer.pets[0], answer.model.revision, most=40)
    assert all(one.similarity < SAME for one in found)
    said = list(dict.fromkeys(one.words for one in found))
    order = ["very much alike", "much alike", "alike", "a little alike"]
    assert said == [words for words in order if words in said]


def test_visitors_photos_show_only_while_they_are_accepted(pictures: Path, services: Services) -> None:
    """Not before a maintainer decides, not after it is undone, taken back or erased."""
    ours, theirs = (pictures / "siamese" / f"{number}.jpg" for number in (0, 1))
    asked = services.identify(ours)
    photo = services.read(theirs)
    said = services.identifier.identify(photo)
    assert isinstance(asked, Identification)
    receipt = services.flag(photo, said, number=1, verdict="correct", consent=True)
    flag = receipt.flag_id

    def shown() -> bool:
        score_flags(services.flags, services.identifier)
        services.gallery.refresh_all()
        found = alike(services, asked, asked.pets[0])
        assert not found or flag in str(found)
        return bool(found)

    client = TestClient(Starlette(routes=similar_routes(services)))  # type: ignore[arg-type]
    address = f"/similar/f{flag}.jpg"
    assert not shown()
    assert client.get(address).status_code == 404
    services.review.decide([flag], decisions.accept("siamese"), "a" * 64)
    assert shown()
    got = client.get(address)
    assert (got.status_code, got.headers["cache-control"]) == (200, "no-store")
    services.review.undo([flag], "a" * 64)
    assert not alike(services, asked, asked.pets[0]), "from that moment, whatever the index holds"
    assert client.get(address).status_code == 404
    services.review.decide([flag], decisions.accept("siamese"), "a" * 64)
    assert shown()
    services.review.set_gold(flag, "a" * 64)
    assert not alike(services, asked, asked.pets[0]), "it would give an answer away"
    services.review.set_gold(flag, "a" * 64, gold=False)
    assert shown()
    services.flags.withdraw_with(flag, receipt.receipt)
    assert not alike(services, asked, asked.pets[0])
    assert client.get(address).status_code == 404
