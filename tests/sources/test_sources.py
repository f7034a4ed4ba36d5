"""What a source yields, wherever it lies: the same photos, in the same order, from any place on."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.gallery import picture

from localhub.names import RepoName
from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError
from smartbreed.core.settings import load_settings
from smartbreed.hub.client import ensure_repo
from smartbreed.hub.connection import connect, embedded_store
from smartbreed.sources.items import Source
from smartbreed.sources.opening import open_source
from smartbreed.sources.tables import dataset_files

MOST = 1_000_000
PHOTOS = {"pug/2.jpg": picture(2), "pug/1.jpg": picture(1), "cat.png": picture(3, kind="PNG")}


def content(source: Source, first: int = 0) -> list[tuple[str, bytes]]:
    return [(item.name, item.read(MOST)) for item in source.start_at(first)]


def packed() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in PHOTOS.items():
            archive.writestr(name, data)
        archive.writestr("__MACOSX/pug/._1.jpg", b"no photo")
        archive.writestr("readme.txt", b"no photo")
    return file.getvalue()


def table(path: Path, rows: int = 100, group: int = 40) -> None:
    pictures = [{"bytes": picture(n), "path": None} for n in range(rows)]
    pq.write_table(pa.table({"n": list(range(rows)), "photo": pictures}), path, row_group_size=group)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name, data in PHOTOS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "notes.txt").write_text("no photo")
    (root / ".hidden.jpg").write_text("half a photo")
    return root


def test_a_folder_a_pattern_a_list_and_a_zip(folder: Path, tmp_path: Path) -> None:
    names = ["cat.png", "pug/1.jpg", "pug/2.jpg"]
    opened = open_source(str(folder))
    assert content(opened) == [(name, PHOTOS[name]) for name in names]
    assert (opened.total, opened.name) == (3, "photos")
    assert [item.label for item in opened.photos] == ["", "pug", "pug"]
    assert content(opened, 2) == content(opened)[2:]
    pattern = open_source(str(folder / "pug" / "*.jpg"))
    assert content(pattern) == [("1.jpg", PHOTOS["pug/1.jpg"]), ("2.jpg", PHOTOS["pug/2.jpg"])]
    (folder / "list.txt").write_text(f"\ufeffpug/2.jpg\n\n{folder / 'cat.png'}\nmissing.jpg\n", "utf-8")
    listed = open_source(str(folder / "list.txt"))
    first, second, missing = listed.photos
    assert (first.name, first.read(MOST)) == ("pug/2.jpg", PHOTOS["pug/2.jpg"])
    assert second.read(MOST) == PHOTOS["cat.png"]
    with pytest.raises(PhotoError) as error:
        missing.read(MOST)
    assert error.value.code == "not_found"
    (tmp_path / "photos.zip").write_bytes(packed())
    assert content(open_source(str(tmp_path / "photos.zip"))) == list(PHOTOS.items())
    assert content(open_source(str(folder / "cat.png"))) == [("cat.png", PHOTOS["cat.png"])]


def test_limits_hold_before_a_photo_is_read(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jpg", bytes(50_000_000))
    (folder / "cat.png").write_bytes(b"")
    codes = []
    for where in (tmp_path / "bomb.zip", folder):
        with pytest.raises(PhotoError) as error:
            next(open_source(str(where)).photos).read(MOST)
        codes.append(error.value.code)
    assert codes == ["too_many_bytes", "empty"]


def test_a_table_is_read_from_any_row_on(tmp_path: Path) -> None:
    table(tmp_path / "photos.parquet")
    opened = open_source(str(tmp_path / "photos.parquet"))
    everything = content(opened)
    assert opened.total == len(everything) == 100
    assert everything[7] == ("photos/00000007", picture(7))
    for first in (1, 39, 40, 41, 79, 80, 99, 100):
        assert content(opened, first) == everything[first:]
    table(tmp_path / "more.parquet", 10)
    both = open_source(str(tmp_path / "*.parquet"))
    assert content(both, 9) == content(both)[9:]
    pq.write_table(pa.table({"n": [1]}), tmp_path / "none.parquet")
    with pytest.raises(RequestError, match="no column of pictures"):
        open_source(str(tmp_path / "none.parquet"))


def test_an_address_of_fsspec(tmp_path: Path) -> None:
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    for name, data in PHOTOS.items():
        fs.pipe(f"/bucket/{name}", data)
    fs.pipe("/other/photos.zip", packed())
    fs.pipe("/other/list.txt", b"../bucket/cat.png\nmemory://bucket/pug/1.jpg\n")
    table(tmp_path / "photos.parquet", 9, 4)
    fs.pipe("/tables/photos.parquet", (tmp_path / "photos.parquet").read_bytes())
    opened = open_source("memory://bucket")
    assert content(opened) == [(name, PHOTOS[name]) for name in ("cat.png", "pug/1.jpg", "pug/2.jpg")]
    assert len(content(open_source("memory://bucket/pug/*.jpg"))) == 2
    assert content(open_source("memory://bucket/cat.png")) == [("cat.png", PHOTOS["cat.png"])]
    assert content(open_source("memory://other/photos.zip")) == list(PHOTOS.items())
    tables = open_source("memory://tables")
    assert content(tables, 5) == [(f"photos/{n:08d}", picture(n)) for n in range(5, 9)]
    assert open_source("memory://other/list.txt").total == 2
    before = opened.stamp
    fs.pipe("/bucket/cat.png", PHOTOS["cat.png"] + b" ")
    assert open_source("memory://bucket").stamp != before
    fs.rm("/bucket", recursive=True)
    assert not opened.exists()
    with pytest.raises(PhotoError):
        next(opened.photos).read(MOST)
    for where in ("memory://bucket", "memory://none/*.jpg"):
        with pytest.raises(RequestError):
            open_source(where)


@pytest.mark.parametrize(("where", "says"), [("s3://bucket/a", "s3fs"), ("no-such://a", "no-such")])
def test_a_protocol_that_is_not_installed_says_what_to_install(where: str, says: str) -> None:
    if where.startswith("s3"):
        try:
            import s3fs  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("s3fs is installed here")
    with pytest.raises(RequestError, match=says) as error:
        open_source(where)
    assert error.value.code == "not_installed"


def test_a_dataset_repo_of_the_hub(tmp_path: Path, folder: Path) -> None:
    settings = load_settings(home=tmp_path / "home", hub="embedded")
    api = connect(settings)
    ensure_repo(api, "me/photos", "dataset")
    api.upload_folder(repo_id="me/photos", repo_type="dataset", folder_path=folder)
    expected = [(name, PHOTOS[name]) for name in ("cat.png", "pug/1.jpg", "pug/2.jpg")]
    opened = open_source("me/photos", settings=settings)
    assert content(opened) == expected
    assert content(open_source("hf://datasets/me/photos/pug", settings=settings)) == [
        (name.removeprefix("pug/"), data) for name, data in expected[1:]
    ]
    ensure_repo(api, "me/tables", "dataset")
    table(tmp_path / "train-0.parquet", 5)
    table(tmp_path / "test-0.parquet", 3)
    for name in ("train", "test"):
        api.upload_file(
            path_or_fileobj=tmp_path / f"{name}-0.parquet", path_in_repo=f"data/{name}-0.parquet",
            repo_id="me/tables", repo_type="dataset",
        )  # fmt: skip
    assert len(content(open_source("me/tables", settings=settings))) == 8
    assert content(open_source("me/tables", split="test", settings=settings))[0][1] == picture(0)
    # With the line ends of Windows, too. Of a card that is far too large, nothing is taken.
    files = "[{split: test, path: data/train-0.parquet}]"
    many = f"a: &a [{'p,' * 5000}]\nb: &b [{'{split: test, path: *a},' * 5000}]\n"
    many += f"c: &c {{config_name: x, data_files: *b}}\nconfigs: [{'*c,' * 5000}]"
    for head, rows in ((f"configs:\r\n- config_name: default\r\n  data_files: {files}", 5), (many, 3)):
        store = embedded_store(settings)
        assert store is not None
        change = store.put_text("README.md", f"---\r\n{head}\r\n---\r\n".encode())
        store.commit(RepoName("dataset", "me", "tables"), "main", [change], title="card")
        assert len(content(open_source("me/tables", split="test", settings=settings))) == rows
    # What is committed meanwhile does not change what is read.
    api.upload_file(
        path_or_fileobj=picture(9), path_in_repo="pug/1.jpg", repo_id="me/photos", repo_type="dataset"
    )
    assert content(opened) == expected
    assert open_source("me/photos", settings=settings).stamp != opened.stamp
    for where in ("me/none", "me/photos@none"):
        with pytest.raises(SmartBreedError):
            open_source(where, settings=settings)


def test_what_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(packed()[:200])
    for where in (tmp_path / "missing", tmp_path, tmp_path / "broken.zip", tmp_path / "*.jpg", "a\0b"):
        with pytest.raises(SmartBreedError):
            open_source(str(where), settings=load_settings(home=tmp_path / "home", hub="embedded"))


def test_photos_of_a_pattern_are_named_by_their_folders(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "b/c/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture(1))
    found = {
        pattern: [(item.name, item.label) for item in open_source(str(tmp_path / pattern)).photos]
        for pattern in ("*/1.jpg", "*", "**/*.jpg", "a/*.jpg")
    }
    both, all_of_them = [("a/1.jpg", "a"), ("b/1.jpg", "b")], [("b/c/2.jpg", "c")]
    assert found["*/1.jpg"] == both
    assert sorted(found["*"]) == sorted(found["**/*.jpg"]) == sorted([*both, *all_of_them])
    assert found["a/*.jpg"] == [("1.jpg", "")]


def test_a_zip_that_is_replaced_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    for data in (picture(1), picture(2)):
        with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
            archive.writestr("a.jpg", data)
        (tmp_path / "new.zip").rename(path)
        assert content(open_source(str(path))) == [("a.jpg", data)]


def test_columns_that_are_lists_and_labels_that_are_missing(tmp_path: Path) -> None:
    features = {
        "caption": [{"dtype": "string", "_type": "Value"}],
        "label": {"names": ["pug", "beagle"], "_type": "ClassLabel"},
    }
    rows = pa.table({"image": [picture(n) for n in range(3)], "label": [1, -1, None], "caption": [["a"]] * 3})
    for said in (json.dumps({"info": {"features": features}}), "no JSON", "[]"):
        pq.write_table(rows.replace_schema_metadata({"huggingface": said}), tmp_path / "a.parquet")
        labels = [item.label for item in open_source(str(tmp_path / "a.parquet")).photos]
        assert labels == (["beagle", "", ""] if said.startswith("{") else ["1", "-1", ""])


def test_addresses_of_a_list_are_read_from_the_chosen_hub(tmp_path: Path, folder: Path) -> None:
    settings = load_settings(home=tmp_path / "home", hub="embedded")
    api = connect(settings)
    ensure_repo(api, "me/photos", "dataset")
    api.upload_folder(repo_id="me/photos", repo_type="dataset", folder_path=folder)
    (tmp_path / "list.txt").write_text("hf://datasets/me/photos/pug/1.jpg\n")
    [item] = open_source(str(tmp_path / "list.txt"), settings=settings).photos
    assert item.read(MOST) == PHOTOS["pug/1.jpg"]


def test_file_names_are_no_patterns() -> None:
    files = [f"data/train-{name}.parquet" for name in ("[0]", "[a-z]", "?")]
    found = dataset_files(fsspec.filesystem("memory"), "data", files, "", "train")
    assert sorted(found) == sorted(files)
