"""What the dataset repo holds: the pinned columns of its shards, and where they lie.

One shard with another schema breaks ``load_dataset`` for all users, so both schemas are
fixed here and written with ``huggingface`` metadata, from which ``datasets`` takes that
``image`` holds pictures. Only pyarrow is used; ``datasets`` is never imported by the app.

Version 2 adds columns at the end: to flags the pets that the model found (`found_boxes`,
`found_species`) beside one it missed, to reviews the box that a maintainer corrected (`box`).
Shards of version 1 stay where they are and stay valid. Another column or type is another
version, with folders of its own, so that a card written before it does not match its shards;
a card names the columns of the newest version, and ``datasets`` fills those that an older
shard lacks with nulls.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 2
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
    # Since version 2: of a missed pet with a box, what the model found in the same photo.
    "found_boxes": "list<list<float32>>",  # one box a pet, as in `box`
    "found_species": "list<string>",  # one a box: cat, dog or empty
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
    # Since version 2: x0, y0, x1, y1 where the reviewer corrected the flag's box; else null or empty.
    "box": "list<float32>",
}
#: Columns that a version added, all at the end.
_ADDED = {2: {"flags": ("found_boxes", "found_species"), "reviews": ("box",)}}
#: Configuration → columns; the first is the default one.
COLUMNS: dict[str, dict[str, str]] = {"flags": FLAG_COLUMNS, "reviews": REVIEW_COLUMNS}
#: The column that tells rows apart.
KEYS = {"flags": "flag_id", "reviews": "decision_id"}

_SHARD = re.compile(
    r"data/(?:v(?P<version>[2-9]|[1-9]\d+)/)?(?P<config>flags|reviews)/\d{8}T\d{6}Z-[0-9a-f]{12}\.parquet"
)


def shard_path(config: str, moment: str, mark: str, version: int = SCHEMA_VERSION) -> str:
    """``data/v<version>/<config>/<UTC time>-<sha12>.parquet``; version 1 has no folder of its version.

    Args:
        moment: such as ``20261121T044750Z``.
        mark: 12 hex digits that no other shard of that second has.
    """
    path = f"{_folder(config, version)}/{moment}-{mark}.parquet"
    assert _SHARD.fullmatch(path), path
    return path


def shard_config(path: str) -> str | None:
    """The configuration a path of the repo belongs to as a shard; None for any other file.

    A shard of a version that this program does not know yet is another file.
    """
    found = _SHARD.fullmatch(path)
    return found["config"] if found and int(found["version"] or 1) <= SCHEMA_VERSION else None


def shard_version(path: str) -> int:
    """The version of the schema that a shard's path stands for."""
    found = _SHARD.fullmatch(path)
    return int(found["version"] or 1) if found else SCHEMA_VERSION


def shard_glob(config: str, version: int = SCHEMA_VERSION) -> str:
    """A pattern that matches a version's shards and hardly anything else."""
    return f"{_folder(config, version)}/{'?' * 8}T{'?' * 6}Z-{'?' * 12}.parquet"


def _folder(config: str, version: int) -> str:
    return f"data/{config}" if version == 1 else f"data/v{version}/{config}"


def columns(config: str, version: int = SCHEMA_VERSION) -> dict[str, str]:
    """Column → type of a version, in the order of the file."""
    later = {
        name for added, by_config in _ADDED.items() if added > version for name in by_config.get(config, ())
    }
    return {name: kind for name, kind in COLUMNS[config].items() if name not in later}


def arrow_schema(config: str, version: int = SCHEMA_VERSION) -> pa.Schema:
    """The columns of a configuration's shards, with the metadata ``datasets`` reads."""
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
    """The same columns as ``datasets`` spells its features in JSON."""
    return {name: _feature(kind) for name, kind in columns(config, version).items()}


def _feature(kind: str) -> dict[str, Any]:
    if kind == "image":
        return {"_type": "Image"}
    if kind.startswith("list<"):
        # "Sequence" is read by every version of datasets, "List" since 4.0 only.
        return {"feature": _feature(kind[len("list<") : -1]), "_type": "Sequence"}
    return {"dtype": kind, "_type": "Value"}


def has_schema(found: pa.Schema, config: str) -> bool:
    """Whether a file's columns are exactly those of a version (names, types, order)."""
    return version_of(found, config) is not None


def version_of(found: pa.Schema, config: str) -> int | None:
    """The version whose columns a file has; None when it is no shard of ours."""
    plain = found.remove_metadata()
    for version in range(SCHEMA_VERSION, 0, -1):
        if plain.equals(arrow_schema(config, version).remove_metadata()):
            return version
    return None
