"""Animals that are no pets, and pets of no breed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.common.errors import DataError
from training.data.others import load_others

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
        pixels = np.full((30, 40, 3), 40 * number, np.uint8)
        pixels[:, :20, 0] = 255
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    kinds = Features(
        {"image": Picture(), "kind": Value("string"), "class": Value("string"),
         "species": Sequence(Value("int64")), "boxes": Sequence(Sequence(Value("float32")))}
    )  # fmt: skip
    (folder / "others").mkdir()
    table = Dataset.from_list([{"image": encoded(n), **row} for n, row in enumerate(rows)], features=kinds)
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


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    from datasets import Dataset

    (tmp_path / "others").mkdir()
    Dataset.from_list([{"image": "x", "boxes": []}]).to_parquet(
        str(tmp_path / "others/train-00000-of-00001.parquet")
    )
    with pytest.raises(DataError, match="no column species and no column kind"):
        load_others(str(tmp_path), "others", 16)
