"""Which files ``datasets`` is to load: ours, and no stranger's that has a name like ours.

The dataset card names them in ``data_files``. One pattern does while every name like ours is
ours; else a list, and where that would outgrow the card, patterns that go around the strangers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from smartbreed.dataset.schema import shard_glob, shard_version

#: Beyond this many paths the metadata would outgrow what a Hub reads.
MOST_PATHS = 900


def data_files(config: str, ours: Sequence[str], foreign: Collection[str]) -> str | list[str]:
    """Patterns that match all of our shards and none of the others.

    Args:
        config: configuration of the dataset.
        ours: paths of its shards, at least one.
        foreign: paths with names like a shard's that are no good shards.

    Returns:
        One pattern, or a list of at most `MOST_PATHS` patterns or paths; one pattern for each version
        of the schema. When even those do not suffice, the newest shards: a dataset that lacks some rows
        still loads.
    """
    versions = sorted({shard_version(path) for path in ours})
    if not foreign:
        globs = [shard_glob(config, version) for version in versions]
        return globs if len(globs) > 1 else globs[0]
    if len(ours) <= MOST_PATHS:
        return list(ours)
    found: list[str] = []
    for version in versions:
        # All these names have one length and no character that means something in a pattern.
        mine, theirs = (
            sorted(path for path in paths if shard_version(path) == version) for paths in (ours, foreign)
        )
        found += sorted(_around(mine, theirs, shard_glob(config, version).index("?")))
    return found[-MOST_PATHS:]


def _around(ours: list[str], foreign: list[str], known: int) -> Iterator[str]:
    """Patterns for paths that are alike in their first `known` characters."""
    if not foreign:
        rest = "".join("?" if character not in "TZ-." else character for character in ours[0][known:-8])
        yield ours[0][:known] + rest + ours[0][-8:]
        return
    for character in sorted({path[known] for path in ours}):
        yield from _around(_with(ours, known, character), _with(foreign, known, character), known + 1)


def _with(paths: Iterable[str], at: int, character: str) -> list[str]:
    return [path for path in paths if path[at] == character]
