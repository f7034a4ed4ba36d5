"""What the dataset repo holds: the pinned columns of its shards, and where they lie.

One shard with another schema breaks ``load_dataset`` for everybody, so both schemas are
fixed here and written with ``huggingface`` metadata, from which ``datasets`` takes that
``image`` holds pictures. Only pyarrow is used; ``datasets`` is never imported by the app.

Version 1. A new column or another type is a new version, with new folders.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
SPLIT = "train"

#: Column → type, in the order of the file. ``image`` is a struct of ``bytes`` and ``path``.
FLAG_COLUMNS = {
    "image": "image",
    "sample_id": "string",
    "flag_id": "string",
    "box": "list<float32>",  # x0, y0, x1, y1 in pixels; empty: the whole photo
    "predicted": "string",  # breed id, null when the model named none
    "probability": "float32",
    "label": "string",  # breed id
    "label_text": "string",  # the person's own words for a breed the catalogue lacks
    "verdict": "string",  # one of smartbreed.feedback.tables.VERDICTS
    "species": "string",  # cat, dog or null
    "model_revision": "string",
    "flagged_at": "timestamp[us, tz=UTC]",
    "reviews": "int32",  # decisions known when published
    "consent": "bool",
    "flagger": "string",  # salted hash
}
REVIEW_COLUMNS = {
    "decision_id": "string",
    "flag_id": "string",
    "sample_id": "string",
    "decision": "string",  # accept, relabel, reject, new_breed, undo
    "label": "string",
    "name": "string",
    "species": "string",
    "group": "string",
    "reviewer": "string",  # salted hash, or agreement, or gold
    "reason": "string",
    "decided_at": "timestamp[us, tz=UTC]",
}
#: Configuration → columns; the first is the default one.
COLUMNS: dict[str, dict[str, str]] = {"flags": FLAG_COLUMNS, "reviews": REVIEW_COLUMNS}
#: The column that tells rows apart.
KEYS = {"flags": "flag_id", "reviews": "decision_id"}

_SHARD = re.compile(r"data/(flags|reviews)/(\d{8}T\d{6}Z)-([0-9a-f]{12})\.parquet")


def shard_path(config: str, moment: str, mark: str) -> str:
    """``data/<config>/<UTC time>-<sha12>.parquet``.

    Args:
        moment: such as ``20261121T044750Z``.
        mark: 12 hex digits that no other shard of that second has.
    """
    path = f"data/{config}/{moment}-{mark}.parquet"
    assert _SHARD.fullmatch(path), path
    return path


def shard_config(path: str) -> str | None:
    """The configuration a path of the repo belongs to as a shard; None for any other file."""
    found = _SHARD.fullmatch(path)
    return found[1] if found else None


def shard_glob(config: str) -> str:
    """A pattern that matches shards and hardly anything else."""
    return f"data/{config}/{'?' * 8}T{'?' * 6}Z-{'?' * 12}.parquet"


def arrow_schema(config: str) -> pa.Schema:
    """The columns of a configuration's shards, with the metadata ``datasets`` reads."""
    import pyarrow as pa

    kinds = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "list<float32>": pa.list_(pa.float32()),
        "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
        "string": pa.string(),
        "float32": pa.float32(),
        "int32": pa.int32(),
        "bool": pa.bool_(),
    }
    fields = [pa.field(name, kinds[kind]) for name, kind in COLUMNS[config].items()]
    info = {"info": {"features": features(config)}, "smartbreed": {"schema_version": SCHEMA_VERSION}}
    return pa.schema(fields, metadata={b"huggingface": json.dumps(info).encode()})


def features(config: str) -> dict[str, Any]:
    """The same columns as ``datasets`` spells its features in JSON."""
    return {name: _feature(kind) for name, kind in COLUMNS[config].items()}


def _feature(kind: str) -> dict[str, Any]:
    if kind == "image":
        return {"_type": "Image"}
    if kind.startswith("list<"):
        # "Sequence" is read by every version of datasets, "List" since 4.0 only.
        return {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    return {"dtype": kind, "_type": "Value"}


def has_schema(found: pa.Schema, config: str) -> bool:
    """Whether a file's columns are exactly the pinned ones (names, types, order)."""
    return bool(found.remove_metadata().equals(arrow_schema(config).remove_metadata()))
