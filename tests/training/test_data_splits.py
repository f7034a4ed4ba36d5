"""Near-duplicates never straddle a split, no class is forgotten, wrong labels are suspected."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.tiny_data import picture

from training.augment.crops import CropAugmentation
from training.common.errors import DataError
from training.common.run_directory import RunDirectory
from training.data.crops import Crops, held_back
from training.data.duplicates import groups_of, near_duplicates
from training.data.label_errors import out_of_fold, suspects
from training.data.prepared import Prepared, load_prepared, save_prepared
from training.data.splits import require_enough, split_crops
from training.recipe.recipe import Split
from training.reporting.crop_report import Findings, write_report


def crops_of(labels: list[int], hashes: list[str] | None = None, images: np.ndarray | None = None) -> Crops:
    count = len(labels)
    if images is None:
        images = np.zeros((count, 8, 8, 3), np.uint8)
    hashes = hashes or [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    names = [f"label {n}" for n in range(max(labels) + 1)]
    return Crops(
        images, np.array(labels), np.full(count, -1), [f"{n}.jpg" for n in range(count)], hashes, names
    )


def test_a_smaller_darker_jpeg_is_a_near_duplicate() -> None:
    import io

    images = [picture(n % 3, n, 96) for n in range(12)]
    buffer = io.BytesIO()
    Image.fromarray(images[4]).resize((60, 60)).point(lambda v: int(v * 0.93)).save(
        buffer, "JPEG", quality=60
    )
    images.append(np.asarray(Image.open(buffer).resize((96, 96))))
    assert near_duplicates(np.stack(images), 10) == [(4, 12)]
    assert near_duplicates(np.stack(images), -1) == []


def test_flat_pictures_of_other_colours_are_no_duplicates() -> None:
    flat = np.stack([np.full((32, 32, 3), value, np.uint8) for value in (10, 120, 240)])
    assert near_duplicates(flat, 4) == []


def test_chains_of_duplicates_share_one_group() -> None:
    groups = groups_of(6, [(0, 1), (1, 4)], ["a", "b", "c", "d", "e", "c"])
    assert groups[0] == groups[1] == groups[4]
    assert groups[2] == groups[5]  # the same file
    assert len(set(groups.tolist())) == 3


pairs = st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=25)


@given(
    pairs, st.floats(0.05, 0.4), st.floats(0.0, 0.4), st.lists(st.integers(0, 3), min_size=60, max_size=60)
)
def test_groups_never_straddle_a_split(
    some: list[tuple[int, int]], validation: float, test: float, labels: list[int]
) -> None:
    crops = crops_of([*labels[:-4], 0, 1, 2, 3])
    groups = groups_of(60, some, crops.hashes)
    places = split_crops(crops, [""] * 60, groups, Split(validation=validation, test=test))
    for group in np.unique(groups):
        assert len(set(places[groups == group])) == 1
    assert set(places) <= {"train", "validation", "test"}


def test_every_class_is_held_back_once_where_it_can_be() -> None:
    labels = [0] * 50 + [1] * 3 + [2] * 50
    places = split_crops(crops_of(labels), [""] * 103, np.arange(103), Split(validation=0.02, test=0.02))
    for label in range(3):
        mine = places[np.array(labels) == label]
        assert set(mine) == {"train", "validation", "test"}


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_classes_of_few_pictures_are_held_back_in_their_share(share: float) -> None:
    labels = np.array([0] * 30 + [1] * 30 + [2] * 30)
    places = split_crops(crops_of(list(labels)), [""] * 90, np.arange(90), Split(validation=share, test=0.2))
    for label in range(3):
        mine = places[labels == label]
        assert ((mine == "validation").sum(), (mine == "test").sum()) == (round(30 * share), 6)


def test_a_picture_stays_where_it_is_when_others_come() -> None:
    few, many = crops_of([0, 1] * 100), crops_of([0, 1] * 200)
    split = Split(validation=0.2, test=0.2)
    before = split_crops(few, [""] * 200, np.arange(200), split)
    after = split_crops(many, [""] * 400, np.arange(400), split)
    assert (before == after[:200]).all()
    more = split_crops(few, [""] * 200, np.arange(200), Split(validation=0.2, test=0.3))
    assert ((before == "validation") == (more == "validation")).all()


def test_the_sources_own_test_split_is_kept_and_its_doubles_left_out() -> None:
    own = ["test"] * 10 + ["train"] * 50
    groups = np.arange(60)
    groups[20] = 3  # a training picture that nearly equals a test picture
    places = split_crops(crops_of([0, 1] * 30), own, groups, Split(validation=0.2, test=0.5))
    assert (places[:10] == "test").all()
    assert (places == "test").sum() == 10
    assert places[20] == ""


def test_it_is_the_default_models_split_when_duplicates_are_left_alone() -> None:
    crops = crops_of([0] * 4000)
    places = split_crops(
        crops,
        ["train"] * 4000,
        np.arange(4000),
        Split(validation=0.05, test=0, near_duplicates=-1, every_class=False),
    )
    assert ((places == "validation") == held_back(crops.hashes, 0.05)).all()


def test_folds_hold_back_every_picture_once() -> None:
    crops = crops_of([0, 1] * 50)
    held = sum(
        (split_crops(crops, [""] * 100, np.arange(100), Split(folds=4, fold=fold)) == "validation").astype(
            int
        )
        for fold in range(4)
    )
    assert (held == 1).all()


def test_a_class_with_too_few_pictures_is_named() -> None:
    with pytest.raises(
        DataError, match=r"The class bee has too few pictures.*Received: 2 usable pictures of bee"
    ):
        require_enough(np.array([0] * 9 + [1] * 2), ["ant", "bee"], 5)
    require_enough(np.array([0] * 9 + [1] * 5), ["ant", "bee"], 5)


def test_swapped_labels_are_suspected() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 60)
    embeddings = rng.normal(size=(180, 16)) + 6 * np.eye(16)[labels]
    given = labels.copy()
    given[[5, 70, 150]] = [1, 2, 0]
    chance = out_of_fold(embeddings.astype(np.float32), given, np.arange(180), 3)
    found = suspects(chance, given)
    assert {5, 70, 150} <= {suspect.index for suspect in found[:4]}
    assert len(found) < 10
    worst = next(suspect for suspect in found if suspect.index == 5)
    assert (worst.label, worst.thinks) == (1, 0)


def test_the_report_shows_everything_it_found(tmp_path: Path) -> None:
    labels = [n % 2 for n in range(20)]
    images = np.stack([picture(label, number) for number, label in enumerate(labels)])
    crops = crops_of(labels, images=images)
    embeddings = np.eye(2, dtype=np.float32)[labels] * 5
    chance = out_of_fold(embeddings, np.array([1, *labels[1:]]), np.arange(20), 2)
    found = suspects(chance, np.array([1, *labels[1:]]))
    report = write_report(
        Findings(
            crops, [{"id": "a", "name": "Ant"}, {"id": "b", "name": "Bee"}], np.array(["train"] * 20),
            np.tile([300, 200], (20, 1)), [(1, 3)], [{"origin": "x.jpg", "reason": "It is empty."}], found,
        ),
        tmp_path / "report", CropAugmentation(), 1,
    )  # fmt: skip
    assert report["classes"] == {"Ant": {"train": 10, "validation": 0, "test": 0}, "Bee": {
        "train": 10, "validation": 0, "test": 0}}  # fmt: skip
    assert report["shortest_side"] == {"smallest": 200, "median": 200, "largest": 200}
    assert json.loads((tmp_path / "report/report.json").read_text()) == report
    page = (tmp_path / "report/README.md").read_text()
    assert "x.jpg: It is empty." in page
    for name in ("counts", "examples", "duplicates", "suspects", "augmentation"):
        with Image.open(tmp_path / f"report/{name}.png") as sheet:
            assert sheet.width > 100


def test_copies_of_held_back_pictures_nearly_equal_no_test_picture(tmp_path: Path) -> None:
    """Three files of two classes, each with two jittered copies; one more nearly equals the test picture."""
    files = [f"{n}.jpg" for n in (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)]
    images = np.stack([picture(n % 2, n) for n in range(12)])
    crops = Crops(
        images, np.array([0] * 6 + [1] * 6), np.full(12, -1), files,
        [hashlib.sha256(name.encode()).hexdigest() for name in files], ["a", "b"],
    )  # fmt: skip
    places = np.array(["train"] * 3 + ["test", "", ""] + ["validation", "", ""] + ["", "", ""])
    found = Findings(
        crops, [{"id": "a", "name": "Ant"}, {"id": "b", "name": "Bee"}], places, np.tile([300, 200], (12, 1)),
        [], [], None, "not asked",
    )  # fmt: skip
    report = write_report(found, tmp_path / "report", None, 1)
    assert report["left_out_as_duplicates"] == 1
    assert "1 pictures left out" in (tmp_path / "report/README.md").read_text()


def test_prepared_pictures_come_back(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    crops = crops_of([0, 1, 0], images=np.stack([picture(n, n, 16) for n in range(3)]))
    label = {"id": "a", "name": "Ä", "species": "", "group": ""}
    save_prepared(run, Prepared(crops, np.array(["train", "test", ""]), [label, label]))
    back = load_prepared(run)
    np.testing.assert_array_equal(back.crops.images, crops.images)
    assert back.labels == [label, label]
    assert back.part("test").sources == ["1.jpg"]
    assert back.crops.hashes == crops.hashes
