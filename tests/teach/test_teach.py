"""Models of one's own: what is learnt, what is refused, who may, and that nothing stays behind."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from support.photos import jpeg as encoded
from support.photos import pattern
from support.teaching import Teacher, as_folder, as_zip, classes
from typer.testing import CliRunner

import smartbreed
from smartbreed.accounts import member_data
from smartbreed.cli.common import MISUSE, SOME_FAILED
from smartbreed.cli.main import app
from smartbreed.core.database import read
from smartbreed.core.errors import RequestError, SmartBreedError, StorageError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import connect, ensure_repo, list_files
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.bundle_config import Label
from smartbreed.inference.pipeline import Identifier
from smartbreed.services import Services
from smartbreed.sources.annotations import BAD_BOX
from smartbreed.teach import archives, learning, service
from smartbreed.teach.bundle import label_ids
from smartbreed.teach.offline import teach_folder
from smartbreed.teach.service import Training
from smartbreed.teach.tables import TeachClass, TeachModel, TeachPhoto


@pytest.fixture
def teacher(tmp_path: Path) -> Iterator[Teacher]:
    made = Teacher(tmp_path / "home")
    yield made
    made.services.stop()


# -- learning


def clusters(classes: int, each: int, d: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (classes, d))
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + rng.normal(0, 1, (classes * each, d))).astype(np.float32), labels


def test_classes_far_apart_are_learnt_and_a_wrong_label_is_found() -> None:
    embeddings, labels = clusters(5, 12)
    said = labels.copy()
    said[7] = 3
    steps: list[learning.Step] = []
    taught = learning.teach(embeddings, said, 5, range(60), steps.append)
    assert taught.checked == 60
    assert taught.accuracy == 59 / 60, "all but the wrong label"
    assert [(one.place, one.given, one.likely) for one in taught.suspicious] == [(7, 3, 0)]
    assert (taught.head.logits(embeddings).argmax(1) == labels).mean() > 0.9
    assert [one.step for one in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].loss < steps[0].loss
    assert steps[-1].held_back is not None


def test_each_photo_is_held_back_once_with_those_like_it_and_every_class_in_turn() -> None:
    labels = np.repeat([0, 1, 2], [10, 7, 3])
    groups = [0, 0, *range(1, 9), *range(10, 17), 20, 20, 20]
    folds = learning.split(labels, groups)
    assert folds[0] == folds[1]
    assert set(folds[:10]) == set(range(learning.FOLDS))
    assert set(folds[10:17]) == set(range(learning.FOLDS))
    assert set(folds[17:]) == {-1}, "nothing of it would be left to learn from"
    embeddings = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    taught = learning.teach(embeddings, labels, 3, groups)
    assert taught.confusion.sum(1).tolist() == [10, 7, 0]
    assert taught.counts == (10, 7, 3)


def test_two_hundred_classes() -> None:
    embeddings, labels = clusters(200, 4)
    taught = learning.teach(embeddings, labels, 200, range(800))
    assert taught.accuracy > 0.95
    assert len(taught.suspicious) <= learning.MOST_SUSPICIOUS


# -- a folder


def test_a_folder_becomes_a_bundle_that_load_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path / "home"))
    folder = as_folder(tmp_path / "pets")
    (folder / "Pet 1" / "broken.jpg").write_bytes(b"no picture")
    (folder / "Pet 1" / "copy.jpg").write_bytes((folder / "Pet 1" / "0.jpg").read_bytes())
    identifier = Identifier(load_bundle(EMBEDDED_BUNDLE))
    made = teach_folder(folder, tmp_path / "bundle", identifier=identifier)
    assert made.names == ("Pet 1", "Pet 2")
    assert made.taught.counts == (9, 8)
    assert sum(made.unusable.values()) == 1
    assert made.alike >= 1
    model = smartbreed.load(tmp_path / "bundle")
    right = 0
    for name, photos in classes().items():
        for data in photos:
            answer = model.identify(data)
            pets = answer.pets or model.identify(data, whole=True).pets
            right += pets[0].breeds[0].name == name
    assert right >= 14, "those it has learnt from"
    assert model.explain(classes()["Pet 1"][0]).size[0] > 100
    with pytest.raises(RequestError, match="new folder"):
        teach_folder(folder, tmp_path / "bundle", identifier=identifier)
    for name in ("one", "none"):
        (tmp_path / name).mkdir()
    as_folder(tmp_path / "one" / "more", {"Pet 1": classes()["Pet 1"]})
    with pytest.raises(RequestError, match="at least two"):
        teach_folder(tmp_path / "one", tmp_path / "out", identifier=identifier)
    with pytest.raises(RequestError, match="no photo"):
        teach_folder(tmp_path / "none", tmp_path / "out", identifier=identifier)
    assert not (tmp_path / "out").exists()


# -- a member's model


def test_a_model_from_a_zip_is_trained_tried_published_and_deleted(teacher: Teacher) -> None:
    teach, rosa = teacher.teach, teacher.rosa
    model_id = teacher.trained()
    view = teach.model(rosa, model_id)
    assert view.names == ["Pet 1", "Pet 2"]
    assert view.photos == 16
    assert view.report is not None
    assert not view.changed
    assert sum(map(sum, view.report.confusion)) == view.report.checked
    photo = classes()["Pet 2"][0]
    said = teach.serving.try_out(view.row, "", photo)
    assert said.guesses[0][0] == "Pet 2"
    assert sum(share for _, share in said.guesses) == pytest.approx(1)
    assert said.crop.shape == said.heat.shape

    file = io.BytesIO()
    assert teach.pack(rosa, model_id, file) == "my_pets.zip"
    names = set(zipfile.ZipFile(file).namelist())
    assert {"config.json", "classifier.tflite", "README.md"} <= names

    teach.publish(rosa, model_id, "My_Pets")
    assert teach.served("my_pets").id == model_id
    other = teach.make(teacher.tom, "Others", "pet")
    with pytest.raises(RequestError, match="not been trained"):
        teach.publish(teacher.tom, other.id, "else")
    for bad in ("a", "x" * 41, "../etc", "Ümlaut", "a b c"):
        with pytest.raises(RequestError, match="letters"):
            teach.publish(rosa, model_id, bad)
        with pytest.raises(RequestError, match="no such model"):
            teach.served(bad)
    repo = teach.publish_to_hub(rosa, model_id)
    api = connect(teacher.services.settings)
    assert "classifier.tflite" in list_files(api, repo, "model", "main")

    teach.remove_photo(rosa, model_id, view.classes[0].photos[0].id)
    assert teach.model(rosa, model_id).changed
    teacher.train(model_id)
    assert [path.name for path in teach.store.bundle(model_id, 2).parent.iterdir()] == ["2"]

    teach.delete(rosa, model_id)
    assert not teach.store.folder(model_id).exists()
    assert not api.repo_exists(repo)
    with pytest.raises(RequestError, match="no such model"):
        teach.served("my_pets")
    with read(teacher.services.flags.sessions) as session:
        for table in (TeachClass, TeachPhoto):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_a_photo_goes_into_another_class_and_copies_and_wrong_ones_are_shown(teacher: Teacher) -> None:
    teach, rosa = teacher.teach, teacher.rosa
    row = teach.make(rosa, "Pets", "pet")
    first, second = (teach.add_class(rosa, row.id, name) for name in ("One", "Two"))
    photos = classes()
    data = photos["Pet 1"]
    done = teach.add_photos(
        rosa, row.id, first.id, [(f"{n}.jpg", one) for n, one in enumerate([*data, data[0], b"nothing", b""])]
    )
    assert (done.added, done.already, sum(done.unusable.values())) == (8, 1, 2)
    smaller = encoded(np.asarray(teach._read_photo(data[0], "").to_pil().resize((200, 200))))
    teach.add_photos(rosa, row.id, second.id, [(f"{n}.jpg", one) for n, one in enumerate(photos["Pet 2"])])
    teach.add_photos(rosa, row.id, second.id, [("copy.jpg", smaller)])
    view = teach.model(rosa, row.id)
    copies = [group for group in view.alike if any(photo.name == "copy.jpg" for photo in group)]
    assert [len(group) >= 2 for group in copies] == [True]
    copy = next(photo for photo in copies[0] if photo.name == "copy.jpg")
    teach.move_photo(rosa, row.id, copy.id, first.id)
    assert [len(one.photos) for one in teach.model(rosa, row.id).classes] == [9, 8]
    teach.rename_class(rosa, row.id, first.id, "  Rex <b>\n the dog ")
    teach.remove_class(rosa, row.id, second.id)
    view = teach.model(rosa, row.id)
    assert view.names == ["Rex <b> the dog"]
    assert "at least two" in view.why_not
    kept = {path.name for path in teach.store.photos(row.id).root.glob("??/??/*")}
    assert kept == {photo.sample_id for photo in view.classes[0].photos}


def test_what_cannot_be_learnt_from_is_a_sentence(tmp_path: Path) -> None:
    teacher = Teacher(tmp_path / "home", teach_models=1, teach_classes=2, teach_photos=6)
    teach, rosa = teacher.teach, teacher.rosa
    row = teach.make(rosa, "Pets", "whole")
    with pytest.raises(RequestError, match="the most you can have"):
        teach.make(rosa, "More", "whole")
    teach.make(teacher.tom, "His", "whole")
    for name in ("", " \n ", "\u200b"):
        with pytest.raises(RequestError, match="name"):
            teach.add_class(rosa, row.id, name)
    with pytest.raises(RequestError, match="at least two"):
        teach.train(rosa, row.id)
    one = teach.add_class(rosa, row.id, "One")
    with pytest.raises(RequestError, match="already"):
        teach.add_class(rosa, row.id, "One")
    two = teach.add_class(rosa, row.id, "Two")
    with pytest.raises(RequestError, match="at most 2 classes"):
        teach.add_class(rosa, row.id, "Three")
    with pytest.raises(RequestError, match="at most 2 classes"):
        teach.add_zip(rosa, row.id, as_zip({"Three": [pattern(1)]}))
    teach.add_photos(rosa, row.id, one.id, [("a.jpg", pattern(1)), ("b.jpg", pattern(2))])
    with pytest.raises(RequestError, match=r"at least 3 photos.*One, Two"):
        teach.train(rosa, row.id)
    with pytest.raises(RequestError, match="at most 6 photos"):
        teach.add_photos(rosa, row.id, two.id, [(str(n), pattern(n, "waves")) for n in range(9)])
    assert teach.model(rosa, row.id).photos == 6
    with pytest.raises(RequestError, match="room for 0 more"):
        teach.add_zip(rosa, row.id, as_zip({"Two": [pattern(99)]}))
    with pytest.raises(RequestError, match="not been trained"):
        teach.serving.try_out(teach.model(rosa, row.id).row, "", pattern(1))
    teacher.services.stop()


def test_another_members_model_is_none(teacher: Teacher) -> None:
    teach, tom, model_id = teacher.teach, teacher.tom, teacher.filled()
    view = teach.model(teacher.rosa, model_id)
    group, photo = view.classes[0].id, view.classes[0].photos[0].id
    own = teach.make(tom, "Mine", "pet").id
    for call in (
        lambda m: teach.model(tom, m), lambda m: teach.add_class(tom, m, "A"), lambda m: teach.train(tom, m),
        lambda m: teach.rename_class(tom, m, group, "B"), lambda m: teach.remove_class(tom, m, group),
        lambda m: teach.remove_photo(tom, m, photo), lambda m: teach.move_photo(tom, m, photo, group),
        lambda m: teach.photo(tom, m, photo), lambda m: teach.add_photos(tom, m, group, []),
        lambda m: teach.add_zip(tom, m, as_zip()), lambda m: teach.pack(tom, m, io.BytesIO()),
        lambda m: teach.publish(tom, m, "his"), lambda m: teach.publish_to_hub(tom, m),
        lambda m: teach.delete(tom, m), lambda m: teach.training(tom, m),
    ):  # fmt: skip
        for wanted in (model_id, "", "../x", "é" * 26, "0" * 26):
            with pytest.raises(RequestError, match="no such model") as refused:
                call(wanted)
            assert refused.value.status == 404
    for steal in (teach.remove_photo, teach.photo):  # with a model of his own, and what is hers
        with pytest.raises(RequestError, match="no such photo"):
            steal(tom, own, photo)
    with pytest.raises(RequestError, match="no such class"):
        teach.add_photos(tom, own, group, [("a.jpg", pattern(1))])
    assert teach.model(teacher.rosa, model_id).photos == 8


def test_what_is_no_animal_is_learnt_too_and_a_bundle_that_is_gone_comes_back(teacher: Teacher) -> None:
    model_id = teacher.filled()
    left = teacher.teach.store.folder("0" * 26)  # of a process that died
    (left / "photos").mkdir(parents=True)
    teacher.teach.store.sweep()
    assert not left.exists()
    teacher.train(model_id)
    row = teacher.teach.model(teacher.rosa, model_id).row
    (teacher.teach.store.bundle(model_id, 1) / "classifier.tflite").unlink()
    with pytest.raises(RequestError, match="are gone") as refused:
        teacher.teach.serving.try_out(row, "", pattern(1))
    assert refused.value.status == 410
    teacher.train(model_id)
    said = teacher.teach.serving.try_out(
        teacher.teach.model(teacher.rosa, model_id).row, "", pattern(99, "waves")
    )
    assert said.guesses[0][0] == "Pet 2"
    assert said.whole


def test_trainings_of_two_processes_never_write_the_same_bundle(teacher: Teacher) -> None:
    """Two copies of the app on one home; both read the model before either has trained it."""
    model_id, rosa = teacher.filled(), teacher.rosa
    copy = Services(teacher.services.settings)
    first, second = teacher.teach, copy.teach
    waits = [threading.Event(), threading.Event()]
    for teach, wait in zip((first, second), waits, strict=True):
        teach._pool.submit(wait.wait)
    trainings = [first.train(rosa, model_id)]
    [one, _] = first.model(rosa, model_id).classes
    first.rename_class(rosa, model_id, one.id, "Rex")
    trainings.append(second.train(rosa, model_id))
    for teach, wait, name in zip((first, second), waits, ("Pet 1", "Rex"), strict=True):
        wait.set()
        teach._pool.submit(lambda: None).result()
        row = first.model(rosa, model_id).row
        guesses = first.serving.try_out(row, "", pattern(1)).guesses
        assert {guess for guess, _ in guesses} == {name, "Pet 2"}, "what is kept in memory is not another one"
    assert [training.problem for training in trainings] == ["", ""]
    copy.stop()


def test_an_older_training_that_ends_later_replaces_nothing(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id, rosa = teacher.filled(), teacher.rosa
    copy = Services(teacher.services.settings)
    other = copy.teach
    write, later = service.write_bundle, list[Training]()

    def slow(*arguments: Any) -> Any:
        if not later:  # the other process trains and ends while this one writes
            later.append(other.train(rosa, model_id))
            other._pool.submit(lambda: None).result()
        return write(*arguments)

    monkeypatch.setattr(service, "write_bundle", slow)
    teacher.train(model_id)
    assert later[0].problem == ""
    row = teacher.teach.model(rosa, model_id).row
    assert teacher.teach.serving.try_out(row, "", pattern(1)).guesses
    folder = teacher.teach.store.bundle(model_id, row.bundle)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    copy.stop()


def test_a_bundle_that_cannot_be_written_leaves_nothing(
    teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id = teacher.filled()
    teacher.train(model_id)

    def fails(*arguments: Any) -> Any:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(service, "write_bundle", fails)
    training = teacher.teach.train(teacher.rosa, model_id)
    teacher.teach._pool.submit(lambda: None).result()
    assert training.problem == "The disk is full."
    assert [path.name for path in teacher.teach.store.bundle(model_id, 1).parent.iterdir()] == ["1"]
    row = teacher.teach.model(teacher.rosa, model_id).row
    assert teacher.teach.serving.try_out(row, "", pattern(1)).guesses


def test_any_names_of_classes_become_ids_of_a_bundle() -> None:
    assert label_ids(["Tom", "Tom 3", "tom", "Tom"]) == ["tom", "tom_3", "tom_4", "tom_5"]
    assert label_ids(["5 m²", "½ Pudel", "Hund ①", "Straße", "a__b", "???"]) == [
        "5_m2", "1_2_pudel", "hund_1", "straße", "a__b", "class_6",
    ]  # fmt: skip
    every = [chr(number) for number in range(0x30000) if not 0xD800 <= number < 0xE000]
    names = [*every, "\ufdfa" * 60, "a" * 200, "a" * 199 + "b"]
    ids = label_ids(names)
    assert len(set(ids)) == len(names)
    for one in ids:
        Label(id=one)


# -- zips


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04 and then nothing", "cannot be read"),
        (as_zip({"A": [b"1"]}).getvalue()[:-30], "cannot be read"),
        (None, "no folders"),
    ],
)  # fmt: skip
def test_a_zip_that_is_none(content: bytes | None, why: str) -> None:
    if content is None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in (
                "loose.jpg",
                "../up/a.jpg",
                "/etc/a.jpg",
                "A/notes.txt",
                "__MACOSX/A/b.jpg",
                "A/.c.jpg",
            ):
                archive.writestr(name, b"x")
        content = file.getvalue()
    with pytest.raises(RequestError, match=why):
        list(archives.photos_of(io.BytesIO(content), max_bytes=1000, most=10))


def test_a_bomb_is_not_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A/bomb.jpg", bytes(50_000_000))
        archive.writestr("A/fine.jpg", b"fine")
    liar = file.getvalue().replace((50_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    for content in (file.getvalue(), liar):
        found = list(archives.photos_of(io.BytesIO(content), max_bytes=1000, most=10))
        assert [(one.name, one.data) for one in found] == [("bomb.jpg", None), ("fine.jpg", b"fine")]
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(99):
            archive.writestr(f"A/{number}.jpg", bytes(1000))
    with pytest.raises(RequestError, match="too large"):
        list(archives.photos_of(file, max_bytes=1000, most=100))


def test_links_and_ways_out_of_a_zip_have_a_sentence() -> None:
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        link = zipfile.ZipInfo("A/link.jpg")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../A/out.jpg", b"x")
        archive.writestr("A/fine.jpg", b"fine")
    found = list(archives.photos_of(file, max_bytes=1000, most=10))
    assert [one.data for one in found] == [None, None, b"fine"]
    assert "link" in found[0].problem
    assert "leads out" in found[1].problem


def boxed() -> io.BytesIO:
    """Three photographs a class in COCO's format, each twice: whole, and with a box outside of it."""
    images, notes, files = [], [], {}
    photos = [(name, data) for name, some in classes().items() for data in some[:3]]
    for number, (name, data) in enumerate(photos):
        files[f"pictures/{number}.jpg"] = data
        images.append({"id": number, "file_name": f"{number}.jpg"})
        category = list(classes()).index(name)
        boxes = ([0, 0, 5000, 5000], [9000, 0, 50, 50])
        notes += [{"image_id": number, "category_id": category, "bbox": box} for box in boxes]
    names = [{"id": number, "name": name} for number, name in enumerate(classes())]
    files["coco.json"] = json.dumps({"images": images, "annotations": notes, "categories": names}).encode()
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    file.seek(0)
    return file


def test_boxes_of_a_zip_are_taught(teacher: Teacher, tmp_path: Path) -> None:
    model = teacher.teach.make(teacher.rosa, "Boxes", "whole").id
    done = teacher.teach.add_zip(teacher.rosa, model, boxed())
    assert (done.added, done.unusable) == (6, {BAD_BOX: 6})
    view = teacher.teach.model(teacher.rosa, model)
    assert [(one.name, len(one.photos)) for one in view.classes] == [("Pet 1", 3), ("Pet 2", 3)]
    (tmp_path / "boxes.zip").write_bytes(boxed().getvalue())
    identifier = teacher.services.identifier
    made = teach_folder(tmp_path / "boxes.zip", tmp_path / "out", subject="whole", identifier=identifier)
    assert (made.names, made.taught.counts, made.unusable) == (("Pet 1", "Pet 2"), (3, 3), {BAD_BOX: 6})


def test_a_dataset_of_the_hub_is_taught(teacher: Teacher, tmp_path: Path) -> None:
    settings = teacher.services.settings
    api = connect(settings)
    folder = as_folder(tmp_path / "pets", {name: some[:3] for name, some in classes().items()})
    for repo, private in (("me/pets", False), ("me/mine", True), (settings.dataset, False)):
        ensure_repo(api, repo, "dataset", private=private)
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder)
    model = teacher.teach.make(teacher.rosa, "Pets", "whole").id
    add = partial(teacher.teach.add_dataset, teacher.rosa, model)
    refused = {
        "me/mine": "no such dataset", settings.dataset: "cannot be used for this", "me/none": "me/none",
        settings.dataset.upper(): "cannot be used", "../etc": "owner/name", "/etc/passwd": "owner/name",
        "https://example.org/a": "owner/name", "file://etc/x": "owner/name",
    }  # fmt: skip
    for repo, why in refused.items():
        with pytest.raises(SmartBreedError, match=why):
            add(repo)
    assert (add("me/pets").added, add("me/pets").already) == (6, 6)
    assert [one.name for one in teacher.teach.model(teacher.rosa, model).classes] == ["Pet 1", "Pet 2"]


# -- accounts


def test_an_account_takes_its_models_along_and_leaves_nothing(teacher: Teacher, tmp_path: Path) -> None:
    model_id, services = teacher.filled("Rosas Rasselbande"), teacher.services
    teacher.train(model_id)
    teacher.teach.publish(teacher.rosa, model_id, "rasselbande")
    repo = teacher.teach.publish_to_hub(teacher.rosa, model_id)
    kept = teacher.teach.make(teacher.tom, "Toms", "whole")
    file = io.BytesIO()
    member_data.export(services.flags, services.kept_photos, teacher.teach.store, teacher.rosa, file)
    with zipfile.ZipFile(file) as archive:
        (said,) = json.loads(archive.read("models.json"))
        assert (said["name"], said["classes"], said["address"]) == (
            "Rosas Rasselbande", ["Pet 1", "Pet 2"], "rasselbande",
        )  # fmt: skip
        for photo in said["photos"]:
            assert archive.read(photo["file"]).startswith(b"\xff\xd8")

    receipt = services.deletion(services.delete_member(teacher.rosa))
    assert receipt is not None
    assert receipt.photos_at is not None
    assert receipt.pending is None
    assert not teacher.teach.store.folder(model_id).exists()
    assert not connect(services.settings).repo_exists(repo)
    with pytest.raises(RequestError, match="no such model"):
        teacher.teach.served("rasselbande")
    with read(services.flags.sessions) as session:
        assert [row.id for row in session.scalars(sa.select(TeachModel))] == [kept.id]
    found = [
        path
        for path in (tmp_path / "home").rglob("*")
        if path.is_file() and b"Rasselbande" in path.read_bytes()
    ]
    assert found == []


def test_the_command_says_what_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path / "home"))
    folder = as_folder(tmp_path / "pets")
    (folder / "Pet 1" / "wrong.jpg").write_bytes((folder / "Pet 2" / "0.jpg").read_bytes())
    (folder / "Pet 2" / "broken.jpg").write_bytes(b"no picture")
    done = CliRunner().invoke(
        app, ["teach", str(folder), "--out", str(tmp_path / "out"), "--whole", "--json"]
    )
    assert done.exit_code == SOME_FAILED, "one photo could not be used"
    said = json.loads(done.stdout)
    assert (said["classes"], said["photos"]) == (["Pet 1", "Pet 2"], [9, 8])
    assert "1 unusable:" in done.stderr
    assert "nearly the same" in done.stderr
    assert re.search(r"Look at .*wrong\.jpg: it is in Pet 1 and looks like Pet 2\.", done.stderr)
    assert load_bundle(tmp_path / "out").config.detector is None
    again = CliRunner().invoke(app, ["teach", str(folder), "--out", str(tmp_path / "out")])
    assert (again.exit_code, again.stdout) == (MISUSE, "")
    assert "name a new folder" in again.stderr
