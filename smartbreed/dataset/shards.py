"""Shards as bytes: writing rows as parquet, taking rows out, counting what is in one.

Written by pyarrow with the pinned schema; whatever is read was perhaps written by others,
so nothing of it is trusted beyond what pyarrow itself checks.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from smartbreed.dataset.schema import (
    KEYS,
    SCHEMA_VERSION,
    arrow_schema,
    has_schema,
    shard_path,
    version_of,
)
from smartbreed.dataset.sources import Row

#: Rows of one row group: what a streaming reader holds at once.
_GROUP = 64


class Packed(NamedTuple):
    """A shard's content and what the dataset card says of it."""

    data: bytes
    facts: dict[str, Any]


def pack(config: str, rows: Sequence[Row], version: int = SCHEMA_VERSION) -> Packed:
    """Rows as one parquet file of a version of the schema; columns that it lacks are left out."""
    import pyarrow as pa

    schema = arrow_schema(config, version)
    return _packed(config, pa.Table.from_pylist(list(rows), schema=schema))


def only(config: str, data: bytes, kept: Iterable[str]) -> Packed | None:
    """The same file with these rows alone, as far as it has them; None when it has none.

    Raises:
        ValueError: it is no shard of this schema (somebody else changed it).
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("no readable parquet file") from error
    version = version_of(table.schema, config)
    if version is None:
        raise ValueError("another schema")
    wanted = pc.is_in(table[KEYS[config]], pa.array(sorted(set(kept)), pa.string()))
    table = table.filter(wanted).replace_schema_metadata(arrow_schema(config, version).metadata)
    return _packed(config, table) if table.num_rows else None


def inspect(config: str, file: Path) -> dict[str, Any]:
    """What the card says of a shard somebody else wrote.

    Raises:
        ValueError: it is no shard of this schema; the text says how it differs.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            found = opened.schema_arrow
            if not has_schema(found, config):
                wanted = arrow_schema(config)
                more = sorted(set(found.names) - set(wanted.names))
                less = sorted(set(wanted.names) - set(found.names))
                how = [f"has {', '.join(more[:5])}"] if more else []
                how += [f"lacks {', '.join(less[:5])}"] if less else []
                raise ValueError("another schema: it " + (" and ".join(how) or "has other types"))
            columns = [name for name in ("label", "verdict", "decision") if name in found.names]
            return _facts(config, opened.read(columns=columns))
    except (pa.ArrowException, OSError) as error:
        raise ValueError("not a readable parquet file") from error


def new_path(config: str, ids: Iterable[str], moment: dt.datetime) -> str:
    """Where a shard of these rows goes; two shards of one second differ as their rows do."""
    mark = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:12]
    return shard_path(config, moment.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ"), mark)


def _packed(config: str, table: Any) -> Packed:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    # Photos do not shrink a second time; zstd is for the columns of words.
    compression = {name: "zstd" for name in table.schema.names if name != "image"}
    compression |= {"image.bytes": "none", "image.path": "zstd"} if "image" in table.schema.names else {}
    pq.write_table(table, sink, row_group_size=_GROUP, compression=compression)
    return Packed(sink.getvalue().to_pybytes(), _facts(config, table))


def _facts(config: str, table: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"rows": table.num_rows}
    for column, name in (("label", "labels"), ("verdict", "verdicts"), ("decision", "decisions")):
        if column in table.schema.names and (column != "label" or config == "flags"):
            counted = Counter(value for value in table[column].to_pylist() if value)
            facts[name] = dict(sorted(counted.items()))
    return facts
