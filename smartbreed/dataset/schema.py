"""The pinned schemas of the dataset's shards, and their paths in the repo.

A single shard with another schema breaks ``load_dataset`` for all users, so both schemas are
fixed here. They are written with ``huggingface`` metadata, which tells ``datasets`` that
``image`` holds pictures. Only pyarrow is used; the app never imports ``datasets``.

Version 2 adds columns at the end. Flags get the pets that the model found beside one it missed
(`found_boxes`, `found_species`); reviews get the box that a maintainer corrected (`box`).
Shards of version 1 keep their paths and stay valid. Any change of columns or types makes a new
version with its own folders, so that the patterns of an older card do not match its shards. A card
lists the columns of the newest version; ``datasets`` fills columns that an older shard lacks with nulls.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2
SPLIT = "train"

#: Column → type, in file order. ``image`` is a struct of ``bytes`` and ``path``.
FLAG_COLUMNS = {
    "image": "image",
    "sample_id": "string",
    "flag_id": "string",
    "box": "list<float32>",  # x0, y0, x1, y1 in pixels; empty: the whole photo
    "predicted": "string",  # breed id; null if the model named none
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
    # Since version 2, for a missed pet with a box: what the model found in the same photo.
    "found_boxes": "list<list<float32>>",  # one box per pet, as in `box`
    "found_species": "list<string>",  # one per box: cat, dog or empty
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
    # Since version 2: x0, y0, x1, y1 if the reviewer corrected the flag's box; else null or empty.
    "box": "list<float32>",
}
#: Version → configuration → columns that it added, all at the end.
_ADDED = {2: {"flags": ("found_boxes", "found_species"), "reviews": ("box",)}}
#: Configuration → columns; the first configuration is the default.
COLUMNS: dict[str, dict[str, str]] = {"flags": FLAG_COLUMNS, "reviews": REVIEW_COLUMNS}
#: Configuration → column that identifies a row.
KEYS = {"flags": "flag_id", "reviews": "decision_id"}

_SHARD = re.compile(
    r"data/(?:v(?P<version>[2-9]|[1-9]\d+)/)?(?P<config>flags|reviews)/\d{8}T\d{6}Z-[0-9a-f]{12}\.parquet"
)


def shard_path(config: str, moment: str, mark: str, version: int = SCHEMA_VERSION) -> str:
    """Return ``data/v<version>/<config>/<moment>-<mark>.parquet``; version 1 has no version folder.

    Args:
        config: configuration of the dataset.
        moment: UTC time such as ``20261121T044750Z``.
        mark: 12 hex digits that distinguish the shard from others of the same second.
        version: version of the schema.
    """
    path = f"{_folder(config, version)}/{moment}-{mark}.parquet"
    assert _SHARD.fullmatch(path), path
    return path


def shard_config(path: str) -> str | None:
    """Return the configuration of a shard's path; None if the path is not a shard's.

    The path of a schema version newer than this program is not a shard's either.
    """
    found = _SHARD.fullmatch(path)
    return found["config"] if found and int(found["version"] or 1) <= SCHEMA_VERSION else None


def shard_version(path: str) -> int:
    """Return the schema version in a shard's path."""
    found = _SHARD.fullmatch(path)
    return int(found["version"] or 1) if found else SCHEMA_VERSION


def shard_glob(config: str, version: int = SCHEMA_VERSION) -> str:
    """Return a glob pattern that matches the shards of a version and hardly anything else."""
    return f"{_folder(config, version)}/{'?' * 8}T{'?' * 6}Z-{'?' * 12}.parquet"


def _folder(config: str, version: int) -> str:
    return f"data/{config}" if version == 1 else f"data/v{version}/{config}"


def columns(config: str, version: int = SCHEMA_VERSION) -> dict[str, str]:
    """Return column → type for a version, in file order."""
    later = {
        name for added, by_config in _ADDED.items() if added > version for name in by_config.get(config, ())
    }
    return {name: kind for name, kind in COLUMNS[config].items() if name not in later}


def arrow_schema(config: str, version: int = SCHEMA_VERSION) -> pa.Schema:
    """Return the arrow schema of a configuration's shards, with the metadata that ``datasets`` reads."""
    import pyarrow as pa

    kinds = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "list<float32>": pa.list_(pa.float32()),
        "list<list<float32>>": pa.list_(pa.list_(pa.float32())),
        "list<string>": pa.list_(pa.string()),
        "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
        "string": pa.string(),
        "float32": pa.float32(),
        "int32": pa.int32(),
        "bool": pa.bool_(),
    }
    fields = [pa.field(name, kinds[kind]) for name, kind in columns(config, version).items()]
    info = {"info": {"features": features(config, version)}, "smartbreed": {"schema_version": version}}
    return pa.schema(fields, metadata={b"huggingface": json.dumps(info).encode()})


def features(config: str, version: int = SCHEMA_VERSION) -> dict[str, Any]:
    """Return the columns as ``datasets`` features in their JSON form."""
    return {name: _feature(kind) for name, kind in columns(config, version).items()}


def _feature(kind: str) -> dict[str, Any]:
    if kind == "image":
        return {"_type": "Image"}
    if kind.startswith("list<"):
        # Every version of datasets reads "Sequence"; "List" needs 4.0.
        return {"feature": _feature(kind[len("list<") : -1]), "_type": "Sequence"}
    return {"dtype": kind, "_type": "Value"}


def has_schema(found: pa.Schema, config: str) -> bool:
    """Return whether a file's columns (names, types, order) are exactly those of a known version."""
    return version_of(found, config) is not None


def version_of(found: pa.Schema, config: str) -> int | None:
    """Return the version whose columns a file has; None if no version matches."""
    plain = found.remove_metadata()
    for version in range(SCHEMA_VERSION, 0, -1):
        if plain.equals(arrow_schema(config, version).remove_metadata()):
            return version
    return None
