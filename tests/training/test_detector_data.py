"""Photographs for a detector: what is wrong is named, near-duplicates are not evaluated on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.photos import PUBLIC, needs_public
from support.tiny_data import encoded, pets_dataset, picture, scene

from training.augment.pasted_pets import pasted_crops
from training.common.errors import DataError
from training.common.run_directory import RunDirectory
from training.data import HELD_BACK_PETS, Scene, held_back, load_crops, load_scenes, split_scenes
from training.data.detector_photos import detector_photos
from training.data.rows import read_rows
from training.data.sources import open_source
from training.pipeline.stage import Context
from training.pipeline.stages import prepare
from training.recipe.file import load_recipe
from training.recipe.recipe import Data


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"))


def photographs(folder: Path, rows: list[dict[str, Any]], split: str = "train") -> Path:
    """A dataset folder whose only configuration is ``scenes``."""
    from datasets import Dataset, Features, Image, Value

    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    found = Dataset.from_list(rows)
    features: dict[str, Any] = {**found.features, "image": Image()}
    for name in {"kind", "origin"} & set(features):
        features[name] = Value("string")
    found.cast(Features(features)).to_parquet(folder / "scenes" / f"{split}-00000-of-00001.parquet")
    splits = [s for s in ("train", "test") if list((folder / "scenes").glob(f"{s}-*"))]
    files = "".join(f'  - {{split: {s}, path: "scenes/{s}-*.parquet"}}\n' for s in splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: scenes\n  data_files:\n{files}---\n")
    return folder


def test_a_source_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(
        DataError, match=r"^The dataset could not be loaded \(.*Received: /nowhere"
    ) as refused:
        load_scenes("/nowhere", "train")
    assert "\n" not in refused.value.message
    with pytest.raises(DataError, match=r"could not be loaded"):
        load_crops("/nowhere", "train")


def test_a_split_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    folder = photographs(tmp_path, [scene(n, n % 2) for n in range(4)])
    with pytest.raises(DataError, match=r"could not be loaded \(.*test.*split test$"):
        load_scenes(str(folder), "test")


@pytest.mark.parametrize("column", ["kind", "origin", "boxes", "species"])
def test_a_missing_column_is_named(column: str, tmp_path: Path) -> None:
    rows = [{(f"my_{k}" if k == column else k): v for k, v in scene(n, 1).items()} for n in range(4)]
    folder = photographs(tmp_path, rows)
    with pytest.raises(DataError, match=rf"has no column {column}, only .*my_{column}.*Received: "):
        load_scenes(str(folder), "train")
    with pytest.raises(DataError, match=r"has no column photo, only .*Received: "):
        read_rows(str(folder), "scenes", "train", image="photo")


def test_what_cannot_be_used_is_left_out_and_reported(tmp_path: Path) -> None:
    rows = [scene(n, 1) for n in range(7)]
    rows[1]["image"] = {"bytes": b"I am no picture", "path": "broken.jpg"}
    rows[2]["boxes"] = [[1.0, 2.0, 3.0]]
    rows[3]["boxes"] = [[1.0, 2.0, 3000.0, 30.0]]
    rows[4]["species"] = []
    rows[5]["image"] = None
    rows[6]["species"] = [7]
    dropped: list[dict[str, str]] = []
    folder = photographs(tmp_path, rows)
    assert len(load_scenes(str(folder), "train", dropped=dropped)) == 1
    assert [item["origin"] for item in dropped] == [
        "broken.jpg", "2.png", "3.png", "4.png", "train-00005", "6.png"
    ]  # fmt: skip
    assert "four numbers" in dropped[1]["reason"]
    assert "outside the picture" in dropped[2]["reason"]
    assert "Every box needs a species" in dropped[3]["reason"]
    assert "Received: 7" in dropped[5]["reason"]
    assert len(load_scenes(str(folder), "train")) == 1  # the callback is optional


def test_a_box_that_rounding_moved_out_of_its_picture_is_cut(tmp_path: Path) -> None:
    rows = [scene(n, 1) for n in range(3)]
    rows[0]["boxes"] = [[-0.1, -1.5, 40.0, 61.0]]
    rows[1]["boxes"] = [[-3.0, 0.0, 40.0, 30.0]]
    rows[2]["boxes"] = [[-1.0, 0.0, 0.0, 30.0]]
    (found,) = load_scenes(str(photographs(tmp_path, rows)), "train")
    assert found.boxes.tolist() == [[0.0, 0.0, 40.0, 60.0]]


def test_a_folder_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    """`datasets` would show what lay there before, and in any other folder of the same name."""
    folder = photographs(tmp_path / "a/mine", [scene(n, 1) for n in range(3)])
    assert len(load_scenes(str(folder), "train")) == 3
    photographs(folder, [scene(n, 1) for n in range(5)])
    assert len(load_scenes(str(folder), "train")) == 5
    other = photographs(tmp_path / "b/mine", [scene(n, 1) for n in range(2)])
    assert len(load_scenes(str(other), "train")) == 2
    described = Data(source=str(folder), config="scenes", label="kind")
    assert len(open_source(described).samples) == 5


def test_species_may_be_words(tmp_path: Path) -> None:
    rows = [{**scene(n, 2), "species": ["dog", "Cat"]} for n in range(3)]
    found = load_scenes(str(photographs(tmp_path, rows)), "train")
    assert [one.species.tolist() for one in found] == [[1, 0]] * 3


def test_a_phones_upright_photograph_stays_upright(tmp_path: Path) -> None:
    buffer, tags = io.BytesIO(), Image.Exif()
    tags[274] = 6  # turned to the right by the viewer
    Image.fromarray(picture(0, 0)[:30]).save(buffer, "JPEG", exif=tags)
    row = {**scene(0, 1), "image": {"bytes": buffer.getvalue(), "path": "phone.jpg"},
           "boxes": [[5.0, 20.0, 25.0, 45.0]]}  # fmt: skip
    (found,) = load_scenes(str(photographs(tmp_path, [row, scene(1, 3)])), "train")[:1]
    assert found.image.shape == (48, 30, 3)


def photograph(number: int, *, kind: str = "dog", sha256: str = "") -> Scene:
    image = np.asarray(Image.fromarray(picture(number % 5, number, 96)))
    boxes = np.zeros((0, 4), np.float32) if kind == "negative" else np.array([[5, 5, 60, 60]], np.float32)
    sha256 = sha256 or f"{(number * 2654435761) % 2**32:08x}" + "0" * 56
    return Scene(image, boxes, np.ones(len(boxes), np.int64), kind, "human", sha256, file=f"{number}.webp")


def copy_of(one: Scene, sha256: str) -> Scene:
    """Smaller, in JPEG and a little darker."""
    buffer = io.BytesIO()
    Image.fromarray(one.image).resize((70, 80)).point(lambda v: int(v * 0.95)).save(
        buffer, "JPEG", quality=70
    )
    image = np.asarray(Image.open(buffer))
    return Scene(image, one.boxes * 0, one.species, one.kind, "pseudo", sha256, file=f"copy of {one.file}")


def names(scenes: list[Scene]) -> list[str]:
    return [one.file for one in scenes]


def test_without_near_duplicates_the_split_is_by_hash_alone() -> None:
    scenes = [photograph(n, kind="negative" if n % 3 == 0 else "dog") for n in range(60)]
    train, held = split_scenes(scenes)
    share = {"dog": 0.1, "negative": 0.25}
    expected = [one.file for one in scenes if int(one.sha256[:8], 16) / 0xFFFFFFFF < share[one.kind]]
    assert names(held) == expected
    assert len(train) + len(held) == 60


def test_a_near_duplicate_of_a_held_back_photograph_is_not_trained_on() -> None:
    scenes = [photograph(n) for n in range(40)]
    learnt, held = split_scenes(scenes)
    more = [*scenes, copy_of(held[0], "e" * 64), copy_of(learnt[0], "f" * 64)]
    train, still = split_scenes(more)
    assert names(still) == names(held)
    assert names(train) == [*names(learnt), f"copy of {learnt[0].file}"]
    apart, again = split_scenes(more, [copy_of(learnt[0], "d" * 64)])
    assert names(again) == names(held)
    assert names(apart) == names(learnt)[1:]


def test_a_detector_is_not_trained_on_doubles_of_its_test_photographs(tmp_path: Path) -> None:
    def row(number: int, size: int = 96) -> dict[str, Any]:
        pixels = picture(number % 5, number, 96)
        image = {
            "bytes": encoded(np.asarray(Image.fromarray(pixels).resize((size, size)))),
            "path": f"{number}.png",
        }
        pet = number % 2
        return {"image": image, "boxes": [[2.0, 2.0, 40.0, 40.0]] * pet, "species": [1] * pet,
                "kind": "dog" if pet else "negative", "origin": "human"}  # fmt: skip

    folder = photographs(tmp_path / "data", [row(n) for n in range(80)])
    photographs(folder, [row(n, 72) for n in (11, 12, 200)], "test")
    photos = detector_photos(str(folder), "scenes")
    train, held = photos.train, photos.held_back
    assert {"11.png", "12.png"} & set(names(train)) == set()
    assert len(train) + len(held) in (78, 79, 80)  # a held-back one stays
    run = RunDirectory(tmp_path / "run", quiet=True)
    recipe = load_recipe("detector", [f"data.source={folder}", "data.others=", "model.start=none"])
    facts = prepare.run(Context(recipe, run, run))
    assert facts["splits"] == {"train": len(train), "validation": len(held)}
    report = json.loads((run / "report/report.json").read_text())
    assert report["left_out_as_duplicates"] == 80 - len(train) - len(held)


@needs_public
@pytest.mark.slow
def test_the_default_data_keeps_its_held_back_photographs() -> None:
    scenes = load_scenes(str(PUBLIC), "train")
    train, held = split_scenes(scenes)
    hashes = [one.sha256 for one in scenes]
    pets, away = held_back(hashes, HELD_BACK_PETS), held_back(hashes, 0.25)
    expected = [
        s.sha256 for s, p, n in zip(scenes, pets, away, strict=True) if (n if s.kind == "negative" else p)
    ]
    assert [one.sha256 for one in held] == expected
    assert 0 < len(scenes) - len(held) - len(train) < 40


def test_pasted_crops_come_from_the_recipes_configuration_and_columns(pets: Path, tmp_path: Path) -> None:
    """As before for data like the default; and from any other that the recipe describes."""
    everything = load_crops(str(pets), "train")
    mine = np.flatnonzero(~held_back(everything.hashes, HELD_BACK_PETS))
    order = np.random.default_rng(3).permutation(mine)
    like_default = Data(
        source=str(pets), config="breeds", label="breed", species="species", origin="source_id"
    )
    found = pasted_crops(like_default, 3)
    assert [kind for _, kind in found] == everything.species[order].tolist()
    assert all(image.shape == (224, 224, 3) for image, _ in found)

    other = renamed(pets, tmp_path)
    described = Data(source=str(other), config="portraits", image="photo", label="who")
    kinds = sorted(kind for _, kind in pasted_crops(described, 3))
    assert len(kinds) == len(found)  # the catalogue knows the labels' species
    assert kinds.count(0) == sum(kind == 0 for _, kind in found)
    assert pasted_crops(Data(source=str(other)), 3) == []
    with pytest.raises(DataError, match=r"data.label names no column.*Received: breed"):
        pasted_crops(Data(source=str(other), config="portraits", image="photo", label="breed"), 3)


def renamed(pets: Path, folder: Path) -> Path:
    """The crops of `pets` under other names: configuration ``portraits``, columns ``photo`` and ``who``."""
    from datasets import Image, load_dataset

    table = load_dataset(str(pets), "breeds", split="train").cast_column("image", Image(decode=False))
    table = table.rename_columns({"image": "photo", "breed": "who"}).remove_columns(["species", "source_id"])
    (folder / "portraits").mkdir(parents=True)
    table.cast_column("photo", Image()).to_parquet(folder / "portraits/train-00000-of-00001.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: portraits\n  data_files:\n"
        '  - {split: train, path: "portraits/train-*.parquet"}\n---\n'
    )
    return folder
