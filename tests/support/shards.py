"""A dataset repo in an embedded Hub, made of shards like the publisher's."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smartbreed.core.settings import Settings, load_settings
from smartbreed.dataset.schema import arrow_schema, shard_path
from smartbreed.hub.client import commit_files, connect, ensure_repo

START = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def settings_in(home: Path, **more: Any) -> Settings:
    """Settings of a home with an embedded Hub of its own."""
    return load_settings(home=home, hub="embedded", **more)


def flag(number: int, image: bytes = b"", **changes: Any) -> dict[str, Any]:
    """A row of the flags; every number is another photo."""
    row = {
        "image": {"bytes": image, "path": None},
        "sample_id": hashlib.sha256(f"photo {number}".encode()).hexdigest(),
        "flag_id": f"flag{number:04d}",
        "box": [],
        "predicted": "beagle",
        "probability": 0.5,
        "label": "pug",
        "label_text": None,
        "verdict": "wrong",
        "species": "dog",
        "model_revision": "0" * 40,
        "flagged_at": START + dt.timedelta(seconds=number),
        "reviews": 0,
        "consent": True,
        "flagger": f"person{number % 7}",
        "found_boxes": None,
        "found_species": None,
    }
    return row | changes


def review(number: int, decision: str = "accept", later: int = 0, **changes: Any) -> dict[str, Any]:
    """A decision about the flag of that number."""
    row = {
        "decision_id": f"decision{number:04d}-{later}",
        "flag_id": f"flag{number:04d}",
        "sample_id": hashlib.sha256(f"photo {number}".encode()).hexdigest(),
        "decision": decision,
        "label": None,
        "name": None,
        "species": None,
        "group": None,
        "reviewer": "maintainer",
        "reason": None,
        "decided_at": START + dt.timedelta(hours=1 + later, seconds=number),
        "box": [],
    }
    return row | changes


def shard(config: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """A parquet file of the pinned schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=arrow_schema(config)), buffer)
    return buffer.getvalue()


def push(settings: Settings, config: str, rows: Sequence[dict[str, Any]], second: int = 0) -> str:
    """Publish rows as one shard; the commit's sha."""
    api = connect(settings)
    ensure_repo(api, settings.dataset, "dataset")
    moment = (START + dt.timedelta(seconds=second)).strftime("%Y%m%dT%H%M%SZ")
    data = shard(config, rows)
    path = shard_path(config, moment, hashlib.sha256(data).hexdigest()[:12])
    return commit_files(api, settings.dataset, "dataset", {path: data}, title=f"{len(rows)} {config}")
