"""The content of the dataset repo: valid shards, and foreign files.

``data/manifest.json`` lists what each shard holds, so that counting rows needs no download.
An entry is trusted only if its path and content hash match the repo; any other shard is downloaded
once and inspected. Foreign files are reported to the maintainer and never touched.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smartbreed.dataset.schema import SCHEMA_VERSION, shard_config
from smartbreed.hub.client import RemoteFile

MANIFEST = "data/manifest.json"
CARD = "README.md"
#: Suffixes of data files: ``datasets`` might load such a file from any folder of the repo.
_DATA = (".parquet", ".csv", ".tsv", ".json", ".jsonl", ".arrow", ".txt", ".zip", ".tar", ".py")
#: Largest unknown shard that is downloaded for inspection, in bytes.
_TOO_LARGE = 300_000_000
#: Unknown shards downloaded per reading of the repo; those inspected before are free.
_MOST_READ = 20
_COUNTERS = ("labels", "verdicts", "decisions", "species")

Facts = dict[str, Any]


@dataclass
class DatasetState:
    """The data files of the repo at one commit.

    Attributes:
        shards: facts by path, for every shard with the pinned schema.
        foreign: what is wrong with every other data file, by path.
    """

    shards: dict[str, Facts] = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)

    def manifest(self) -> bytes:
        """Return the content of ``manifest.json``; the same shards always give the same bytes."""
        content = {"schema_version": SCHEMA_VERSION, "shards": dict(sorted(self.shards.items()))}
        return (json.dumps(content, indent=1, ensure_ascii=True) + "\n").encode()

    def of(self, config: str) -> dict[str, Facts]:
        """Return the facts of one configuration's shards, by path."""
        return {path: facts for path, facts in sorted(self.shards.items()) if shard_config(path) == config}


def read_dataset_state(
    files: Mapping[str, RemoteFile],
    manifest: bytes | None,
    ours: Mapping[str, Facts],
    read_facts: Callable[[str, str], Facts],
    *,
    seen: Callable[[str], bool] = lambda path: False,
) -> DatasetState:
    """Sort the files of a repo into shards and foreign data files.

    Args:
        files: all files of the repo, by path.
        manifest: content of the repo's manifest; None if it has none.
        ours: facts of the shards that this installation published, by path, with ``sha256`` or ``oid``.
        read_facts: returns the facts of a shard, given configuration and path; raises ValueError with
            what is wrong.
        seen: true if `read_facts` has inspected the content at a path before and downloads nothing.
    """
    found = DatasetState()
    listed = read_manifest(manifest)
    unknown: list[tuple[str, str]] = []
    for path, file in sorted(files.items()):
        config = shard_config(path)
        if config is None:
            if path != MANIFEST and (path.startswith("data/") or path.lower().endswith(_DATA)):
                found.foreign[path] = "not written by SmartBreed"
            continue
        facts = next((known[path] for known in (ours, listed) if same(file, known.get(path))), None)
        if facts is None:
            if file.size > _TOO_LARGE:
                found.foreign[path] = f"too large to be looked into ({file.size} bytes)"
                continue
            unknown.append((config, path))
            continue
        found.shards[path] = _listed(file, facts)
    # Shuffled: otherwise the same few bad shards could use up the downloads after every restart.
    random.shuffle(unknown)
    read = 0
    for config, path in unknown:
        if not seen(path):
            if read == _MOST_READ:
                found.foreign[path] = "not looked into yet"
                continue
            read += 1
        try:
            found.shards[path] = _listed(files[path], read_facts(config, path))
        except ValueError as error:
            found.foreign[path] = str(error)
    return DatasetState(found.shards, dict(sorted(found.foreign.items())))


def _listed(file: RemoteFile, facts: Facts) -> Facts:
    return {**facts, "sha256": file.sha256 or facts.get("sha256", ""), "size": file.size}


def same(file: RemoteFile | None, facts: Mapping[str, Any] | None) -> bool:
    """Return whether a file of the repo has the content that the facts describe."""
    if file is None or not facts:
        return False
    if file.sha256 is not None:
        return bool(facts.get("sha256") == file.sha256)
    return bool(facts.get("oid") == file.oid)  # a small file, which the Hub keeps in git itself


def read_manifest(data: bytes | None) -> dict[str, Facts]:
    """Return facts by path; skip malformed entries, since other writers may edit the file."""
    try:
        content = json.loads(data or b"{}")
        # Entries from an older schema version stay valid: they are keyed by path and content hash.
        shards = content["shards"] if content.get("schema_version") in range(1, SCHEMA_VERSION + 1) else {}
        items = list(shards.items())
    except (ValueError, KeyError, AttributeError, RecursionError):
        return {}
    return {path: facts for path, raw in items if (facts := _checked(path, raw)) is not None}


def _checked(path: str, raw: object) -> Facts | None:
    if shard_config(path) is None or not isinstance(raw, dict) or not _count(raw.get("rows")):
        return None
    facts: Facts = {"rows": raw["rows"]}
    for key in ("sha256", "oid"):
        if isinstance(raw.get(key), str):
            facts[key] = raw[key][:64]
    for name in _COUNTERS:
        counted = raw.get(name, {})
        if not isinstance(counted, dict) or not all(_count(number) for number in counted.values()):
            return None
        if counted:
            facts[name] = {key[:80]: number for key, number in counted.items()}
    return facts


def _count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 < number < 10**9
