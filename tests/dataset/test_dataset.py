"""What people find on the Hub: `load_dataset`, the card, and files that are not ours."""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import run
from support.publishing import PublishingWorld

from localhub.embedded import environment, serving
from localhub.repo_card import front_matter
from smartbreed.breeds.catalogue import Breed
from smartbreed.dataset.dataset_card import BEGIN, write_card
from smartbreed.dataset.repo_state import DatasetState, read_manifest
from smartbreed.dataset.schema import COLUMNS, arrow_schema, features, has_schema, shard_config, shard_path
from smartbreed.hub.client import commit_files

LOAD = """
import json, sys
from datasets import load_dataset
repo = sys.argv[1]
flags = load_dataset(repo, split="train")
streamed = list(load_dataset(repo, "flags", split="train", streaming=True))
row = flags[0]
print(json.dumps({
    "features": {name: str(kind) for name, kind in flags.features.items()},
    "ids": sorted(flags["flag_id"]),
    "streamed": sorted(row["flag_id"] for row in streamed),
    "size": row["image"].size,
    "streamed_size": streamed[0]["image"].size,
    "reviews": len(load_dataset(repo, "reviews", split="train")) if "reviews" in sys.argv else None,
}))
"""


def load(world: PublishingWorld, tmp_path: Path, *more: str) -> dict[str, object]:
    """The dataset as a person with `datasets` sees it, in a process of its own."""
    with serving(world.store) as endpoint:
        variables = {
            **os.environ,
            **environment(endpoint),
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        }
        done = run("-c", LOAD, world.settings.dataset, *more, env=variables)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout)
    return found


def push(world: PublishingWorld, files: dict[str, bytes]) -> None:
    commit_files(world.api, world.settings.dataset, "dataset", dict(files), title="another writer's")


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_load_dataset_whatever_else_lies_in_the_repo(world: PublishingWorld, tmp_path: Path) -> None:
    """Map and streaming; with a spoilt card, foreign files, and a shard of another schema."""
    world.flag(3)
    world.publisher.run()
    other = pa.table({"flag_id": ["x"], "mood": ["sad"]})
    push(
        world,
        {
            "data/flags/mine.parquet": parquet(other),
            shard_path("flags", "20200101T000000Z", "0" * 12): parquet(other),
            shard_path("flags", "20200101T000001Z", "1" * 12): b"no parquet at all",
            "data/flags/letter.json": b"{}",
            "README.md": b"# mine now\n",
            "data/manifest.json": b'{"schema_version": 1, "shards": {"data/flags/x": {"rows": "many"}}}',
        },
    )
    world.flag(2)
    assert world.publisher.run().problem is None
    found = load(world, tmp_path)
    assert found["ids"] == found["streamed"] == world_ids(world)
    assert found["size"] == found["streamed_size"] == [64, 48]
    assert found["features"]["image"].startswith("Image(")  # type: ignore[index]
    foreign = world.status().foreign
    assert "mood" in foreign[shard_path("flags", "20200101T000000Z", "0" * 12)]
    assert "parquet" in foreign[shard_path("flags", "20200101T000001Z", "1" * 12)]
    assert foreign["data/flags/mine.parquet"] == "not written by SmartBreed"
    assert "data/flags/letter.json" in foreign
    assert {"data/flags/mine.parquet", "data/flags/letter.json"} <= set(world.files()), "never touched"


def test_load_dataset_reads_shards_of_both_versions(world: PublishingWorld, tmp_path: Path) -> None:
    """A repo that version 1 filled goes on; its shards stay as they are, and old rows have no new columns."""
    world.flag(1)
    world.publisher.run()
    (path,) = [path for path in world.files() if shard_config(path) == "flags"]
    old_schema = arrow_schema("flags", 1)
    row = {**pq.read_table(io.BytesIO(world.files()[path])).to_pylist()[0], "flag_id": "OLD"}
    row = {name: value for name, value in row.items() if name in old_schema.names}
    old = shard_path("flags", "20250101T000000Z", "a" * 12, 1)
    assert old == "data/flags/20250101T000000Z-aaaaaaaaaaaa.parquet"
    before = parquet(pa.Table.from_pylist([row], schema=old_schema))
    push(world, {old: before})
    found = ((4.0, 4.0, 12.0, 12.0), "cat")
    world.flag(1, verdict="missed", label=None, box=(10, 10, 30, 30), species="dog", found=[found])
    assert world.publisher.run().problem is None
    assert world.status().foreign == {}
    assert world.files()[old] == before
    loaded = load(world, tmp_path)
    assert loaded["ids"] == loaded["streamed"] == sorted([*world_ids(world), "OLD"])
    (missed,) = [row for row in world.rows("flags") if row["verdict"] == "missed"]
    assert (missed["box"], missed["species"]) == ([10, 10, 30, 30], "dog")
    assert (missed["found_boxes"], missed["found_species"]) == ([[4, 4, 12, 12]], ["cat"])


def world_ids(world: PublishingWorld) -> list[str]:
    return sorted(flag.id for flag in world.flags.recent(1000))


def test_features_are_those_of_datasets() -> None:
    datasets = pytest.importorskip("datasets")
    for config in COLUMNS:
        schema = arrow_schema(config)
        made = datasets.Features.from_arrow_schema(schema)
        assert made == datasets.Features.from_dict(features(config))
        assert made.arrow_schema.remove_metadata() == schema.remove_metadata()
        assert has_schema(made.arrow_schema, config)


def test_the_card_is_stable_and_keeps_what_a_person_wrote(world: PublishingWorld) -> None:
    world.flag(2)
    world.flag(1, label="birman", predicted="siamese")
    world.publisher.run()
    card = world.card()
    for text in (
        "Schema version 2",
        "| `flags` | 3 | 1 |",
        "| wrong | 3 |",
        "Siamese",
        "load_dataset",
        "Consent",
    ):
        assert text in card
    metadata = front_matter(card)
    assert metadata["configs"][0]["config_name"] == "flags"
    assert metadata["configs"][0]["default"] is True
    mine = card.replace(f"{BEGIN}\n", f"{BEGIN}\nAsk ann before you use it.\n").replace(
        "license: other", "license: mit\nextra: kept"
    )
    push(world, {"README.md": mine.encode()})
    world.flag()
    world.publisher.run()
    assert "Ask ann before you use it." in world.card()
    again = front_matter(world.card())
    assert (again["license"], again["extra"]) == ("mit", "kept")
    assert "| `flags` | 4 | 2 |" in world.card()
    found = DatasetState({}, {})
    assert write_card("a/b", found, write_card("a/b", found)) == write_card("a/b", found)


def test_shards_of_another_replica_are_counted_without_a_manifest(world: PublishingWorld) -> None:
    world.flag(2)
    world.publisher.run()
    (path,) = [path for path in world.files() if shard_config(path)]
    theirs = world.files()[path]
    world.flag()
    push(world, {shard_path("flags", "20260101T000000Z", "a" * 12): theirs, "data/manifest.json": b"[]"})
    world.publisher.run()
    assert "| `flags` | 5 | 3 |" in world.card()


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["schema_version", "shards", "rows", "labels"]), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_manifest_is_read(data: bytes) -> None:
    for path, facts in read_manifest(data).items():
        assert shard_config(path)
        assert facts["rows"] > 0


def test_a_manifest_is_only_believed_as_far_as_it_makes_sense() -> None:
    path = shard_path("flags", "20260101T000000Z", "a" * 12)
    good = {"rows": 3, "sha256": "ab", "labels": {"pug": 3}, "evil": "<script>"}

    def reported(facts: object) -> object:
        return read_manifest(json.dumps({"schema_version": 1, "shards": {path: facts}}).encode())

    assert reported(good) == {path: {"rows": 3, "sha256": "ab", "labels": {"pug": 3}}}
    for bad in ({**good, "rows": True}, {**good, "rows": -1}, {**good, "labels": {"pug": "many"}}, 7):
        assert reported(bad) == {}


#: What is only said of pets.
OF_PETS = re.compile(r"(?<![\w-])(breeds?|pets?|cats?|dogs?)(?![\w-])", re.IGNORECASE)


def of_flowers(**changes: Any) -> dict[str, Any]:
    """A flag about a flower, with what the test wants different."""
    known = [Breed(name, name.capitalize(), (), "", "") for name in ("daisy", "tulip")]
    return {"predicted": "daisy", "label": "tulip", "species": None, "more_breeds": tuple(known), **changes}


def test_the_card_of_flowers_names_no_cat_and_no_dog(world: PublishingWorld) -> None:
    world.flag(2, **of_flowers())
    world.flag(1, **of_flowers(verdict="not_a_pet", label=None))
    world.publisher.run()
    card = world.card()
    # Two columns are there whatever the rows are about; their meaning says that nothing is in them.
    lines = [line for line in card.splitlines() if "neither cats nor dogs" not in line]
    assert [line for line in lines if OF_PETS.search(line)] == []
    assert "Photographs, what a classifier said that each shows" in card
    metadata = front_matter(card)
    assert (metadata["tags"], metadata["task_categories"]) == (["human-feedback"], ["image-classification"])
    assert metadata["license_name"] == "shared-for-recognition"
    assert world.manifest()["shards"].popitem()[1]["species"] == {"none": 3}
    world.flag()
    world.publisher.run()
    again = front_matter(world.card())
    assert "breeds" in again["tags"], "there are pets in it now"
    assert "## Breeds" in world.card()


def test_a_dataset_speaks_of_pets_until_its_rows_say_otherwise(world: PublishingWorld) -> None:
    path = shard_path("flags", "20260101T000000Z", "a" * 12)

    def about(**facts: dict[str, int]) -> bool:
        return "dogs and cats" in write_card("a/b", DatasetState({path: {"rows": 1, **facts}}))

    assert about()
    assert about(labels={"pug": 1})
    assert about(labels={"mudi": 1}, species={"dog": 1})
    assert not about(labels={"tulip": 1})
    assert not about(species={"none": 1})
    before = write_card("a/b", DatasetState())
    assert "dogs" in front_matter(before)["tags"]
    now = front_matter(write_card("a/b", DatasetState({path: {"rows": 1, "species": {"none": 1}}}), before))
    assert now["tags"] == ["human-feedback"], "what the card said by itself is no person's word"


def test_a_label_cannot_write_markdown_of_its_own() -> None:
    path = shard_path("flags", "20260101T000000Z", "a" * 12)
    found = DatasetState({path: {"rows": 1, "labels": {"a|b<script>\n# x": 1}}})
    card = write_card("a/b", found)
    assert "<script>" not in card
    assert "\n# x" not in card


def test_many_bad_shards_of_others_do_not_hide_a_good_one(world: PublishingWorld) -> None:
    world.flag(2)
    world.publisher.run()
    (path,) = [path for path in world.files() if shard_config(path)]
    bad = {shard_path("flags", "20200101T000000Z", f"{number:012x}"): b"bad" for number in range(70)}
    good = shard_path("flags", "20300101T000000Z", "a" * 12)
    push(world, {**bad, good: world.files()[path]})
    for _ in range(3):
        world.flag()
        world.publisher.run()
    assert good in world.manifest()["shards"]
    assert good not in world.status().foreign
    assert set(bad) <= set(world.status().foreign)
