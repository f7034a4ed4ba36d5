"""Patterns that match our shards and no foreign file, however many there are."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.publishing import PublishingWorld
from test_dataset import load, parquet, push, world_ids

from smartbreed.dataset import dataset_card as patterns
from smartbreed.dataset import shard_builder
from smartbreed.dataset.dataset_card import MOST_PATHS, data_files
from smartbreed.dataset.schema import shard_glob, shard_path


def names(number: int, seed: int) -> list[str]:
    luck = random.Random(seed)
    return sorted(
        {
            shard_path(
                "flags",
                f"2026{luck.randint(1, 12):02}{luck.randint(1, 28):02}T{luck.randint(0, 235959):06}Z",
                f"{luck.getrandbits(48):012x}",
            )
            for _ in range(number)
        }
    )


@settings(max_examples=25)
@given(st.integers(1, 2000), st.integers(1, 12), st.integers(0, 10_000))
def test_all_of_ours_and_none_of_theirs(number: int, foreign: int, seed: int) -> None:
    every = names(number + foreign, seed)
    theirs = set(random.Random(seed).sample(every, min(foreign, len(every) - 1)))
    ours = [path for path in every if path not in theirs]
    found = data_files("flags", ours, theirs)
    assert isinstance(found, list)
    assert len(found) <= MOST_PATHS
    if len(ours) > MOST_PATHS:
        assert len("".join(found)) < 60_000, "the card stays small"
    exact, wild = {one for one in found if "?" not in one}, [one for one in found if "?" in one]
    matched = {path for path in every if path in exact or any(fnmatchcase(path, one) for one in wild)}
    assert matched == set(ours)


def test_one_pattern_without_foreign_files_and_the_newest_when_there_are_too_many() -> None:
    ours = names(1800, 1)
    assert data_files("flags", ours, []) == shard_glob("flags")
    theirs = [path[:-9] + ("0" if path[-9] != "0" else "1") + path[-8:] for path in ours]
    found = data_files("flags", ours, theirs)
    assert isinstance(found, list)
    assert len(found) == MOST_PATHS
    assert not set(found) & set(theirs)


def test_load_dataset_leaves_a_foreign_file_out(
    world: PublishingWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    monkeypatch.setattr(patterns, "MOST_PATHS", 3)
    monkeypatch.setattr(shard_builder, "MOST_ROWS", 1)
    world.flag(5)
    world.publisher.run()
    other = parquet(pa.table({"flag_id": ["x"], "mood": ["sad"]}))
    push(world, {shard_path("flags", "20200101T000000Z", "0" * 12): other})
    world.flag()
    assert world.publisher.run().problem is None
    found = load(world, tmp_path)
    assert found["ids"] == found["streamed"] == world_ids(world)
