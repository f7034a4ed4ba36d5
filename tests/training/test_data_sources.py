"""Pictures come from anywhere; what is wrong with them is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.tiny_data import encoded, image_folder, pets_dataset, picture

from smartbreed.core.errors import SettingError
from smartbreed.inference.bundle import Label
from training.common.errors import DataError
from training.data.accepted_scenes import accepted_scenes
from training.data.labels import describe_labels, slug
from training.data.listing import listing
from training.data.reading import bundle_folder, read_crops
from training.data.rows import species_number
from training.data.sources import open_source
from training.fitting.detector import build_detector_start
from training.recipe.file import load_recipe
from training.recipe.recipe import Data, LabelInfo


def data(source: Path | str, **more: Any) -> Data:
    return Data(source=str(source), **more)


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"))


def table(path: Path, **columns: list[Any]) -> Path:
    """A parquet file of pictures with these columns."""
    from datasets import Dataset, Features, Image, Value

    features: dict[str, Any] = {"image": Image()}
    count = len(next(iter(columns.values())))
    rows: dict[str, list[Any]] = {
        "image": [{"bytes": encoded(picture(0, n, 60)), "path": f"{n}.png"} for n in range(count)], **columns
    }  # fmt: skip
    if "label" in columns:
        features["label"] = Value("string")
    for name in set(columns) - {"label"}:
        features[name] = None
    known = {key: value for key, value in features.items() if value is not None}
    dataset = Dataset.from_dict(rows).cast_column("image", known["image"])
    if "label" in columns and isinstance(columns["label"][0], str):
        dataset = dataset.cast(Features({**dataset.features, "label": Value("string")}))
    dataset.to_parquet(path)
    return path


def test_an_image_folder(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "photos", ("b dog", "a cat"), 3)
    (folder / "README.md").write_text("# My photographs\n")
    (folder / "a cat" / "notes.txt").write_text("not a picture")
    (folder / ".cache").mkdir()
    source = open_source(data(folder))
    assert source.labels == ["a cat", "b dog"]
    assert len(source.samples) == 6
    assert {sample.split for sample in source.samples} == {""}
    assert source.samples[0].origin == "a cat/00.png"


def test_an_image_folder_with_splits(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        image_folder(tmp_path / split, ("ant", "bee"), count)
    source = open_source(data(tmp_path))
    found = [sample.split for sample in source.samples]
    assert [found.count(name) for name in ("train", "validation", "test")] == [8, 4, 2]
    assert source.labels == ["ant", "bee"]


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "ant").mkdir()
    with pytest.raises(DataError, match=r"There are no pictures there.*Received: data.source="):
        open_source(data(tmp_path))


def test_a_dataset_folder_keeps_class_names_splits_and_origins(pets: Path) -> None:
    source = open_source(data(pets, config="breeds", label="breed", species="species", origin="source_id"))
    assert source.labels == ["siamese", "pug", "beagle"]
    assert [s.split for s in source.samples].count("test") == 15
    first = source.samples[0]
    assert (first.label, first.origin, first.species, first.split) == ("siamese", "cat_0.jpg", 0, "train")
    assert first.read() == encoded(picture(0, 0))


def test_parquet_with_text_labels_and_boxes(tmp_path: Path) -> None:
    path = table(
        tmp_path / "x.parquet", label=["bee", "ant", "bee"],
        box=[[0.0, 0.0, 30.0, 40.0], [10.0, 10.0, 50.0, 50.0], [0.0, 0.0, 60.0, 60.0]],
    )  # fmt: skip
    source = open_source(data(path, boxes="box"))
    assert source.labels == ["ant", "bee"]
    assert source.samples[1].box == (10, 10, 50, 50)
    assert {sample.split for sample in source.samples} == {""}
    read = read_crops(source.samples, source.labels, data(path, boxes="box", margin=0.0), 32, 0)
    assert read.crops.images.shape == (3, 32, 32, 3)
    assert read.sizes.tolist() == [[60, 60]] * 3


def test_several_boxes_of_one_picture_stay_one_file(tmp_path: Path) -> None:
    path = table(
        tmp_path / "x.parquet",
        label=["bee", "ant"],
        box=[[[0.0, 0.0, 30.0, 40.0], [30.0, 0.0, 60.0, 40.0]], []],
    )
    source = open_source(data(path, boxes="box"))
    assert [sample.box for sample in source.samples] == [(0, 0, 30, 40), (30, 0, 60, 40), None]
    read = read_crops(source.samples, source.labels, data(path, boxes="box"), 32, 0)
    assert len(set(read.crops.hashes)) == 2


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (
            {"label": "species_name"},
            "data.label names no column of the dataset, which has .*Received: species_name",
        ),
        ({"label": "breed", "image": "photo"}, "data.image names no column.*Received: photo"),
        ({"label": "breed", "boxes": "bbox"}, "data.boxes names no column.*Received: bbox"),
        ({"label": "breed", "config": "cats"}, "could not be loaded.*data.config='cats'"),
    ],
)
def test_a_missing_column_is_named(pets: Path, choices: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        open_source(data(pets, **{"config": "breeds", **choices}))


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no such file"):
        open_source(data(tmp_path / "x.parquet"))
    with pytest.raises(
        DataError, match=r"keras.datasets has cifar10 for us. Received: data.source=keras:mnist3d"
    ):
        open_source(data("keras:mnist3d"))


def test_cifar10_offline_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise Exception("URL fetch failure on https://…: None -- Temporary failure in name resolution")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", unreachable)
    with pytest.raises(DataError, match=r"cifar10 could not be downloaded; .*--set data.source=FOLDER"):
        open_source(data("keras:cifar10"))


def test_cifar10_when_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.stack([picture(n, n, 32) for n in range(3)])
    parts = (images, np.array([[0], [3], [9]])), (images[:1], np.array([[1]]))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: parts)
    source = open_source(data("keras:cifar10"))
    assert [(s.label, s.split) for s in source.samples] == [
        ("airplane", "train"), ("cat", "train"), ("truck", "train"), ("automobile", "test")
    ]  # fmt: skip
    read = read_crops(source.samples, source.labels, data("keras:cifar10"), 32, 0)
    np.testing.assert_array_equal(read.crops.images[:3], images)


def test_what_cannot_be_read_is_dropped_and_listed(tmp_path: Path) -> None:
    folder = image_folder(tmp_path, ("ant", "bee"), 3)
    whole = (folder / "ant" / "00.png").read_bytes()
    (folder / "ant" / "empty.jpg").write_bytes(b"")
    (folder / "ant" / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "bee" / "letter.jpg").write_text("I am a letter, not a photograph. " * 5)
    (folder / "bee" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    source = open_source(data(folder))
    read = read_crops(source.samples, source.labels, data(folder), 32, 0)
    assert len(read.crops) == 6
    assert {item["origin"] for item in read.dropped} == {"ant/empty.jpg", "ant/half.png", "bee/letter.jpg"}
    assert all(item["reason"].endswith(".") for item in read.dropped)


def test_a_picture_without_a_label_is_dropped(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", label=["bee", "", "ant"])
    source = open_source(data(path))
    read = read_crops(source.samples, source.labels, data(path), 32, 0)
    assert [item["reason"] for item in read.dropped] == ["It has no label."]


def test_jittered_copies_come_from_the_photograph(tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", label=["bee", "ant"], box=[[10.0, 10.0, 40.0, 40.0]] * 2)
    choices = data(path, boxes="box", jittered_copies=3, jitter=0.2)
    source = open_source(choices)
    read = read_crops(source.samples, source.labels, choices, 24, 5)
    assert read.copy.tolist() == [False, True, True, True] * 2
    assert len({image.tobytes() for image in read.crops.images[:4]}) == 4
    again = read_crops(source.samples, source.labels, choices, 24, 5)
    np.testing.assert_array_equal(read.crops.images, again.crops.images)


def test_a_box_outside_the_picture_is_dropped(tmp_path: Path) -> None:
    path = table(
        tmp_path / "x.parquet", label=["bee", "ant"], box=[[10.0, 10.0, 400.0, 40.0], [0.0, 0.0, 9.0, 9.0]]
    )
    source = open_source(data(path, boxes="box"))
    read = read_crops(source.samples, source.labels, data(path, boxes="box"), 24, 0)
    assert "Its box lies outside the picture" in read.dropped[0]["reason"]
    assert len(read.crops) == 1


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([1.0, 2.0, 3.0], r"\[1.0, 2.0, 3.0\]"),
        ("0 0 9 9", "0 0 9 9"),
        ([[0.0, 0.0, 9.0]], r"\[0.0, 0.0, 9.0\]"),
    ],
)
def test_a_box_without_four_numbers_is_one_sentence(box: Any, said: str, tmp_path: Path) -> None:
    path = table(tmp_path / "x.parquet", label=["bee", "ant"], box=[box, box])
    with pytest.raises(
        DataError, match=rf"A box is four numbers.*Received: {said} in data.boxes of train-00000"
    ):
        open_source(data(path, boxes="box"))


def test_species_may_be_words_numbers_or_class_names(tmp_path: Path) -> None:
    words = table(tmp_path / "a.parquet", label=["x", "y", "z"], kind=["cat", "Dog", ""])
    found = open_source(data(words, species="kind")).samples
    assert [sample.species for sample in found] == [0, 1, -1]
    with pytest.raises(DataError, match=r"A species is cat .*Received: bird"):
        open_source(data(table(tmp_path / "b.parquet", label=["x"], kind=["bird"]), species="kind"))
    assert [species_number(v, ["dog", "cat"]) for v in (0, 1, -1, None)] == [1, 0, -1, -1]
    assert [species_number(v) for v in (0, 1.0, True, float("nan"), "1")] == [0, 1, 1, -1, 1]


def test_labels_of_the_catalogue_bring_their_families() -> None:
    labels = describe_labels(["Boston Terrier", "siamese", "standard_schnauzer"], data("x"))
    assert [label["id"] for label in labels] == ["boston_bull", "siamese", "standard_schnauzer"]
    assert labels[1]["species"] == "cat"
    assert labels[2]["group"]


def test_each_label_the_catalogue_knows_brings_its_own_species() -> None:
    mixed = describe_labels(["Boston Terrier", "mittens", "siamese"], data("x"))
    assert [label["id"] for label in mixed] == ["boston_bull", "mittens", "siamese"]
    assert [label["species"] for label in mixed] == ["dog", "", "cat"]
    assert mixed[0]["group"]
    assert mixed[1] == {"id": "mittens", "name": "Mittens", "species": "", "group": ""}
    known = {"pug": LabelInfo(), "cardigan": LabelInfo(name="Cardigan, the garment")}
    named = describe_labels(["pug", "cardigan"], data("x", labels=known))
    assert named[0]["name"] == "Pug"
    assert named[0]["species"] == "dog"
    assert named[1] == {"id": "cardigan", "name": "Cardigan, the garment", "species": "", "group": ""}


def test_two_names_of_one_breed_stay_two_labels() -> None:
    twins = describe_labels(["Boston Terrier", "boston_bull", "pug"], data("x"))
    assert [label["id"] for label in twins] == ["boston_terrier", "boston_bull", "pug"]
    assert [label["name"] for label in twins] == ["Boston terrier", "Boston bull", "Pug"]
    assert {label["species"] for label in twins} == {"dog"}


def test_other_labels_get_ids_and_names() -> None:
    plain = describe_labels(["Espèce rare", "other_one"], data("x"))
    assert plain[0] == {"id": "espece_rare", "name": "Espèce rare", "species": "", "group": ""}
    assert plain[1]["name"] == "Other one"
    assert [label["species"] for label in describe_labels(["Dog", "wild"], data("x"))] == ["dog", ""]
    named = describe_labels(
        ["c", "w"], data("x", labels={"c": LabelInfo(name="Cat", species="cat"), "w": LabelInfo(name="Wild")})
    )
    assert named[0] == {"id": "c", "name": "Cat", "species": "cat", "group": ""}
    assert slug("") == ""


@pytest.mark.parametrize(
    ("text", "label"),
    [("犬（柴）", "犬_柴"), ("🐶 犬", "犬"), ("犬/猫", "犬_猫"), ("(犬)", "犬)"), ("कुत्ता", "कुत्ता"),
     ("犬 (柴), 小", "犬 (柴), 小"), ("৴犬", "犬"), ("🐶1", "1"), ("Кошка!", "кошка")],
)  # fmt: skip
def test_an_id_is_one_that_a_bundle_takes(text: str, label: str) -> None:
    assert slug(text) == Label(id=slug(text)).id == label


@pytest.mark.parametrize(
    ("labels", "known", "sentence"),
    [
        (["ant"], {}, "at least two classes.*Received: ant"),
        (["ant", "🐶"], {}, "needs a letter or a digit.*Received: '🐶'"),
        (["…", "🐶"], {}, "needs a letter or a digit.*Received: '…'"),
        (["a b", "a-b"], {}, "same id a_b.*Received: a b and a-b"),
        (["ant", "bee"], {"ant": LabelInfo()}, "data.labels knows no label bee.*Received: bee"),
    ],
)
def test_labels_that_cannot_be(labels: list[str], known: dict[str, LabelInfo], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        describe_labels(labels, data("x", labels=known))


@pytest.mark.parametrize(
    "read",
    [
        listing,
        bundle_folder,
        lambda path: open_source(data(path)),
        lambda path: accepted_scenes(path, Path()),
        lambda path: build_detector_start(load_recipe("detector", [f"model.start={path}"])),
    ],
)
def test_a_home_of_an_unknown_user_is_a_sentence(read: Callable[[str], object]) -> None:
    with pytest.raises(SettingError, match="~nosuchuser/pets cannot be used"):
        read("~nosuchuser/pets")
