"""The columns of a batch: one flat schema for Parquet, JSON lines and CSV."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from smartbreed.inference.results import Failure, Identification

Row = dict[str, Any]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Columns before the guesses, and after them (``_END``). docs/batch.md says what each means.
_PHOTO = {
    "path": pa.string(),
    "sha256": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "pets": pa.int32(),
    "pet": pa.int32(),
    "x0": pa.float64(),
    "y0": pa.float64(),
    "x1": pa.float64(),
    "y1": pa.float64(),
    "score": pa.float64(),
    "species": pa.string(),
    "verdict": pa.string(),
    "reason": pa.string(),
    "group": pa.string(),
    "group_name": pa.string(),
    "group_probability": pa.float64(),
}
_END = {
    "model": pa.string(),
    "revision": pa.string(),
    "version": pa.string(),
    "error": pa.string(),
    "message": pa.string(),
}


def schema(top_k: int) -> pa.Schema:
    """Return the schema of rows with ``top_k`` guesses."""
    guesses: dict[str, pa.DataType] = {}
    for n in range(1, top_k + 1):
        guesses |= {f"breed_{n}": pa.string(), f"name_{n}": pa.string(), f"probability_{n}": pa.float64()}
    return pa.schema(list((_PHOTO | guesses | _END).items()))


def rows_of(name: str, answer: Identification | Failure) -> list[Row]:
    """Return a row for each pet, or a single row for a photo that shows none or cannot be used.

    Args:
        name: path of the photo below its source.
        answer: result of `identify`, or a failure; values are rounded as in its JSON.
    """
    said = answer.as_dict()
    photo: Row = {"path": shown_path(name)}
    if isinstance(answer, Failure):
        return [photo | {"error": said["error"]["code"], "message": said["error"]["message"]}]
    photo |= {key: said[key] for key in ("sha256", "width", "height")}
    photo |= {
        "pets": len(answer.pets), "pet": 0, "model": answer.model.repo, "revision": answer.model.revision,
        "version": answer.model.version,
    }  # fmt: skip
    return [photo | _pet(number, pet) for number, pet in enumerate(said["pets"], 1)] or [photo]


def shown_path(name: str) -> str:
    """Return the column ``path`` of a photo, changed if a spreadsheet would take it for a formula."""
    path = name.encode("utf-8", "replace").decode()
    return f"./{path}" if path.startswith(_FORMULA) else path


def _pet(number: int, pet: dict[str, Any]) -> Row:
    row: Row = {"pet": number, **dict(zip(("x0", "y0", "x1", "y1"), pet["box"], strict=True))}
    row |= {key: pet.get(key, "") for key in ("score", "species", "verdict", "reason")}
    group = pet["group"]
    row |= {"group": group["id"], "group_name": group["name"], "group_probability": group["probability"]}
    for n, guess in enumerate(pet["breeds"], 1):
        row |= {
            f"breed_{n}": guess["id"], f"name_{n}": guess["name"], f"probability_{n}": guess["probability"],
        }  # fmt: skip
    return row
