"""Animals that are no pets, and pets of no breed."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.tiny_data import pets_dataset, picture

from training.common.errors import DataError
from training.data.detector_photos import detector_photos
from training.data.others import load_other_scenes, load_others, unseen_scenes
from training.data.scenes import scenes_of_test

ROWS = [
    {"kind": "wild", "class": "lynx", "species": [-1], "boxes": [[0, 0, 10, 20]]},
    {"kind": "wild", "class": "ocelot", "species": [], "boxes": []},
    {"kind": "cat", "class": "moggy", "species": [], "boxes": []},
    {
        "kind": "mixed",
        "class": "party",
        "species": [0, 1, -1],
        "boxes": [[0, 0, 20, 20], [20, 0, 40, 20], [0, 0, 9, 9]],
    },
]


def write(folder: Path, rows: list[dict[str, object]]) -> str:
    from datasets import Dataset, Features, Sequence, Value
    from datasets import Image as Picture

    def encoded(number: int) -> dict[str, object]:
        pixels = picture(number % 5, number, 40)[:30]
        if number < len(ROWS):
            pixels[:] = 40 * number
            pixels[:, :20, 0] = 255
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    kinds = Features(
        {"image": Picture(), "kind": Value("string"), "class": Value("string"), "origin": Value("string"),
         "species": Sequence(Value("int64")), "boxes": Sequence(Sequence(Value("float32")))}
    )  # fmt: skip
    (folder / "others").mkdir()
    table = Dataset.from_list(
        [{"image": encoded(n), "origin": "", **row} for n, row in enumerate(rows)], features=kinds
    )
    table.to_parquet(str(folder / "others/train-00000-of-00001.parquet"))
    return str(folder)


def test_animals_are_cut_out_and_pets_keep_their_species(tmp_path: Path) -> None:
    found = load_others(write(tmp_path, ROWS), "others", 16, held_classes=["ocelot"], margin=0.0)
    assert found.images.shape == (5, 16, 16, 3)
    assert found.species.tolist() == [-1, -1, 0, 0, 1]  # one whose species is unsaid is left out
    assert found.classes.tolist() == ["lynx", "ocelot", "moggy", "party", "party"]
    assert found.unseen.tolist() == [False, True, False, False, False]
    assert found.held[1]
    left, right = found.images[3], found.images[4]
    assert (left[:, :12, 0] == 255).all()
    assert (right[:, 4:, 0] < 255).all()


def test_a_detector_is_shown_groups_and_what_is_no_pet(tmp_path: Path) -> None:
    """Not what is held back, nor a cat whose place is not known, nor a pet whose species is not."""
    group = {"kind": "mixed", "class": "party", "species": [0, 1], "boxes": [[0, 0, 20, 20], [20, 0, 40, 20]]}
    root = write(tmp_path, [*ROWS, *[{**ROWS[1], "class": f"lynx {n}"} for n in range(30)], group])
    dropped: list[dict[str, str]] = []
    train, held = load_other_scenes(root, "others", ["ocelot"], dropped)
    assert [item["reason"][:32] for item in dropped] == ["Every box needs a species, cat o"] * 2
    assert len(train) + len(held) == 32
    assert not {scene.sha256 for scene in train} & {scene.sha256 for scene in held}
    assert {(scene.kind, len(scene.boxes)) for scene in train} <= {("wild", 0), ("mixed", 2)}
    assert len(load_other_scenes(root, "others")[1]) == len(held) - 1, "the ocelot is held back as a class"
    assert [scene.sha256 for scene in unseen_scenes(root, "others", ["ocelot"])] == [s.sha256 for s in held]


def test_other_animals_join_the_photographs_of_a_detector(tmp_path: Path) -> None:
    pets = pets_dataset(tmp_path)
    (tmp_path / "README.md").unlink()  # the names of the files say the configurations
    alone = detector_photos(str(pets), "scenes")
    write(tmp_path, [{**ROWS[1], "class": f"lynx {n}"} for n in range(30)])
    joined = detector_photos(str(pets), "scenes", others="others")
    more, apart = load_other_scenes(str(pets), "others")
    known = {scene.sha256 for scene in (*alone.train, *alone.held_back)}
    assert {scene.sha256 for scene in joined.held_back} - known == {scene.sha256 for scene in apart}
    added = {scene.sha256 for scene in joined.train} - known
    assert added <= {scene.sha256 for scene in more}
    assert joined.duplicates - alone.duplicates == len(more) - len(added)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    from datasets import Dataset

    (tmp_path / "others").mkdir()
    Dataset.from_list([{"image": "x", "boxes": []}]).to_parquet(
        str(tmp_path / "others/train-00000-of-00001.parquet")
    )
    with pytest.raises(DataError, match="no column species and no column kind"):
        load_others(str(tmp_path), "others", 16)


def test_pictures_none_of_which_can_be_read_are_named(tmp_path: Path) -> None:
    source = write(tmp_path, ROWS[:1])
    path = tmp_path / "others/train-00000-of-00001.parquet"
    spoil(path)
    with pytest.raises(DataError, match="No photograph of 'others' can be read"):
        load_others(source, "others", 16)


def test_a_test_split_may_be_missing_but_not_broken(tmp_path: Path) -> None:
    source = write(tmp_path, ROWS)
    assert scenes_of_test(source, "others") == []
    assert scenes_of_test(source, "no-such-config") == []
    (tmp_path / "others/test-00000-of-00001.parquet").write_bytes(b"no table")
    with pytest.raises(DataError):
        scenes_of_test(source, "others")


def spoil(path: Path) -> None:
    """Replace the pictures of a table by bytes that are none."""
    table = pq.read_table(path)
    column = pa.array([{"bytes": b"no picture", "path": None}] * table.num_rows, table["image"].type)
    pq.write_table(table.set_column(table.column_names.index("image"), "image", column), path)
