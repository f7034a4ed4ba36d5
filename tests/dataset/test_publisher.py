"""From the outbox into the dataset and out of it again, through the real client."""

from __future__ import annotations

import datetime as dt
import io
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from support.faults import Fault
from support.flags import flag_request
from support.publishing import PublishingWorld

from localhub.maintenance import check_store
from smartbreed.core.database import read, write
from smartbreed.dataset import shard_builder, withdrawals
from smartbreed.dataset.schema import arrow_schema, has_schema, shard_config
from smartbreed.dataset.tables import Shard, ShardRow
from smartbreed.feedback.tables import Flag
from smartbreed.hub.client import delete_repo
from smartbreed.review.tables import Decision


def test_flags_become_one_shard_and_its_row_says_all(world: PublishingWorld) -> None:
    first, *others = world.flag(3)
    report = world.publisher.run()
    assert (report.published, report.waiting, report.problem) == (3, 0, None)
    assert world.ids() == sorted(receipt.flag_id for receipt in [first, *others])
    assert world.commits() == 2  # the repo's own, and one with shard, manifest and card together
    row = next(row for row in world.rows() if row["flag_id"] == first.flag_id)
    photo = world.flags.blobs.get(first.sample_id)
    assert row["image"] == {"bytes": photo, "path": f"{first.sample_id}.jpg"}
    assert (row["sample_id"], row["label"]) == (first.sample_id, "siamese")
    assert row["box"] == [1.0, 2.0, 30.0, 31.0]
    assert (row["predicted"], row["verdict"], row["species"]) == ("birman", "wrong", "cat")
    assert row["probability"] == pytest.approx(0.7)
    assert (row["consent"], row["reviews"], len(row["flagger"])) == (True, 0, 64)
    (flag,) = [flag for flag in world.flags.recent() if flag.id == first.flag_id]
    assert row["flagged_at"] == flag.flagged_at
    assert (flag.state, flag.published_at) == ("published", world.clock.now)
    (path,) = [path for path in world.files() if shard_config(path)]
    schema = pq.read_schema(io.BytesIO(world.files()[path]))
    assert has_schema(schema, "flags")
    assert schema.metadata[b"huggingface"] == arrow_schema("flags").metadata[b"huggingface"]
    assert not list((world.settings.home_dir / "shards").glob("??/??/*")), "published, so the copy here goes"


def test_nothing_to_do_asks_no_hub(world: PublishingWorld) -> None:
    world.flag()
    world.publisher.run()
    world.faults.requests.clear()
    assert world.publisher.run().published == 0
    assert world.faults.requests == []
    assert not check_store(world.store, contents=True)


def test_saying_the_same_again_publishes_nothing(world: PublishingWorld) -> None:
    world.flags.save(flag_request(1))
    world.publisher.run()
    assert not world.flags.save(flag_request(1)).created
    assert world.publisher.run().published == 0
    assert len(world.ids()) == 1


def test_large_amounts_are_split(world: PublishingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_builder, "MOST_ROWS", 4)
    world.flag(10)
    seen: list[tuple[int, int]] = []
    assert world.publisher.run(progress=lambda *now: seen.append(now)).published == 10
    assert seen == [(4, 6), (8, 2), (10, 0)]
    sizes = sorted(facts["rows"] for facts in world.manifest()["shards"].values())
    assert sizes == [2, 4, 4]
    assert len(set(world.ids())) == 10


def test_bytes_limit_a_shard_too(world: PublishingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.flag(3)
    size = max(len(row.read_bytes()) for row in world.flags.blobs.root.glob("??/??/*"))
    monkeypatch.setattr(shard_builder, "MOST_BYTES", size)
    assert world.publisher.run().published == 3
    assert len(world.manifest()["shards"]) == 3


def test_withdrawn_and_erased_flags_leave_dataset_history_and_disk(world: PublishingWorld) -> None:
    kept, withdrawn, erased = world.flag(3)
    world.publisher.run()
    (old,) = [path for path in world.files() if shard_config(path)]
    old_sha = world.manifest()["shards"][old]["sha256"]
    world.flags.withdraw(withdrawn.flag_id, "ann")
    world.flags.erase(erased.flag_id)
    assert world.status().to_remove == 2
    report = world.publisher.run()
    assert (report.removed, report.problem) == (2, None)
    assert world.ids() == [kept.flag_id]
    assert [path for path in world.files() if shard_config(path)] == [old], "the path stays"
    assert world.store.files.size(old_sha) is None, "the bytes have left the Hub's disk"
    assert not check_store(world.store, contents=True)
    assert (world.status().to_remove, world.flags.count("withdrawn")) == (0, 1)
    assert world.publisher.run().removed == 0


@pytest.mark.parametrize("part", ["", "/api/datasets/"])
def test_a_token_that_may_not_see_the_repo_drops_no_erasure(world: PublishingWorld, part: str) -> None:
    """The Hub answers 404 for a repo that the token may not see, as if there were none."""
    _, withdrawn = world.flag(2)
    world.publisher.run()
    old_sha = next(iter(world.manifest()["shards"].values()))["sha256"]
    world.flags.withdraw(withdrawn.flag_id, "ann")
    world.faults.fault = Fault(503, "lfs-files")
    assert world.publisher.run().problem, "the new content is there, the old one still in the history"
    assert world.store.files.size(old_sha) is not None
    world.faults.fault = Fault(404, part, headers={"X-Error-Code": "RepoNotFound"})
    assert world.publisher.run(by_hand=True).problem
    assert world.flags.count("published") == 1, "nothing is marked as lost"
    world.faults.fault = None
    assert world.publisher.run(by_hand=True).problem is None
    assert world.store.files.size(old_sha) is None


def test_more_rows_leave_at_once_than_a_query_has_variables(world: PublishingWorld) -> None:
    world.flag(2)
    world.publisher.run()
    with read(world.flags.sessions) as session:
        shard = session.scalars(sa.select(Shard)).one()
    others = [{"config": "flags", "row_id": f"Z{number:025}", "shard_id": shard.id} for number in range(1200)]
    with write(world.flags.sessions) as session:
        session.execute(sa.insert(ShardRow), others)
        session.execute(sa.update(Flag).values(state="withdrawn"))
    engine = world.flags.sessions.kw["bind"]

    @sa.event.listens_for(engine, "checkout")
    def few_variables(connection: sqlite3.Connection, *_: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1000)

    ((found, removed),) = withdrawals.to_remove(world.publisher.shard_store("disk"))
    assert (found.id, len(set(removed)), len(removed)) == (shard.id, 1202, 1202), "each shard once, whole"


def test_more_rows_are_said_again_than_a_query_has_variables(world: PublishingWorld) -> None:
    world.flag(2)
    world.publisher.run()
    engine = world.flags.sessions.kw["bind"]
    with write(world.flags.sessions) as session:
        session.execute(sa.update(Flag).values(state="pending", published_at=None))

    @sa.event.listens_for(engine, "checkout")
    def few_variables(connection: sqlite3.Connection, *_: object) -> None:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1000)

    with write(world.flags.sessions) as session:
        ids = [f"Z{number:025}" for number in range(1200)]
        for source in world.publisher.shard_store("disk").sources.values():
            source.mark_published(session, [*ids, *source.said_again(session)], world.clock.now)
    assert world.flags.count("published") == 2


def test_the_last_row_takes_the_file_along(world: PublishingWorld) -> None:
    (only,) = world.flag()
    world.publisher.run()
    world.flags.withdraw(only.flag_id, "ann")
    world.publisher.run()
    assert world.rows() == []
    assert not [path for path in world.files() if shard_config(path)]
    with read(world.flags.sessions) as session:
        assert session.scalars(sa.select(Shard)).all() == []
    (again,) = [world.flags.save(flag_request(1))]
    assert again.created
    world.publisher.run()
    assert world.ids() == [only.flag_id]


def test_said_again_before_it_had_left(world: PublishingWorld) -> None:
    (one,) = world.flag()
    world.publisher.run()
    world.flags.withdraw(one.flag_id, "ann")
    world.flags.save(flag_request(1))
    world.flag()
    world.publisher.run()
    assert one.flag_id in world.ids()
    assert len(world.ids()) == len(set(world.ids())) == 2
    assert world.flags.count("published") == 2


def test_withdrawn_before_it_was_published(world: PublishingWorld) -> None:
    one, two = world.flag(2)
    world.flags.withdraw(one.flag_id, "ann")
    world.publisher.run()
    assert world.ids() == [two.flag_id]


def test_a_vanished_photo_parks_its_flag_and_the_others_go_on(world: PublishingWorld) -> None:
    lost, kept = world.flag(2)
    path = world.flags.blobs.path(lost.sample_id)
    photo = path.read_bytes()
    path.unlink()
    report = world.publisher.run()
    assert (report.published, world.ids()) == (1, [kept.flag_id])
    status = world.status()
    assert (status.parked, status.waiting) == (1, 1)
    assert "missing" in status.problems[0]
    world.faults.requests.clear()
    world.publisher.run()
    assert world.faults.requests == [], "a parked flag causes no request"
    path.write_bytes(photo)  # restored from a backup
    assert world.publisher.run().published == 1
    assert world.status().parked == 0
    assert len(world.ids()) == 2


def test_a_repo_that_vanished_is_made_and_filled_again(world: PublishingWorld) -> None:
    world.flag(3)
    world.publisher.run()
    before = world.ids()
    delete_repo(world.api, world.settings.dataset, "dataset")
    world.flag()
    assert world.publisher.run().published == 4
    assert set(before) < set(world.ids())
    assert len(world.ids()) == len(set(world.ids())) == 4
    # Another writer may have made it again before us.
    delete_repo(world.api, world.settings.dataset, "dataset")
    world.api.create_repo(world.settings.dataset, repo_type="dataset")
    assert world.publisher.run(by_hand=True).published == 4
    assert len(world.ids()) == len(set(world.ids())) == 4


def test_a_lost_shard_file_is_made_again_at_the_same_path(world: PublishingWorld) -> None:
    world.flag(2)
    world.faults.fault = Fault(503, "/commit/")
    assert world.publisher.run().problem
    with read(world.flags.sessions) as session:
        path = session.scalars(sa.select(Shard.path)).one()
    for file in (world.settings.home_dir / "shards").glob("??/??/*"):
        file.unlink()
    world.faults.fault = None
    assert world.publisher.run(by_hand=True).published == 2
    assert [name for name in world.files() if shard_config(name)] == [path]
    assert len(world.ids()) == 2


def test_another_dataset_takes_what_the_first_never_got(world: PublishingWorld) -> None:
    world.flag()
    world.faults.fault = Fault(503)
    world.publisher.run()
    world.faults.fault = None
    moved = PublishingWorld(world.settings.model_copy(update={"dataset": "other/flags"}))
    assert moved.publisher.run(by_hand=True).published == 1
    assert len(moved.ids()) == 1
    assert moved.status().target == "embedded other/flags"


def test_what_was_deleted_or_changed_is_left_alone_and_named(world: PublishingWorld) -> None:
    from huggingface_hub import CommitOperationDelete

    world.flag()
    world.publisher.run()
    (path,) = [path for path in world.files() if shard_config(path)]
    world.api.create_commit(
        world.settings.dataset, [CommitOperationDelete(path)], repo_type="dataset", commit_message="no"
    )
    world.flag()
    world.publisher.run()
    assert len(world.ids()) == 1
    assert world.status().foreign == {path: "published from here, and deleted since"}
    assert list(world.manifest()["shards"]) != [path]


def test_another_disk_takes_over_after_a_day(world: PublishingWorld, tmp_path: Path) -> None:
    world.flag()
    world.faults.fault = Fault(503, "/commit/")
    world.publisher.run()
    (world.settings.home_dir / "shards" / "disk").unlink()  # as if the home had been moved without it
    for file in (world.settings.home_dir / "shards").glob("??/??/*"):
        file.unlink()
    world.faults.fault = None
    world.flag()
    assert world.publisher.run().published == 1
    world.clock.forward(25 * 3600)
    world.flag()
    assert world.publisher.run().published == 2
    assert len(world.ids()) == len(set(world.ids())) == 3


def test_decisions_take_the_same_road(world: PublishingWorld) -> None:
    (flag,) = world.flag()
    with write(world.flags.sessions) as session:
        session.add(
            Decision(
                flag_id=flag.flag_id,
                sample_id=flag.sample_id,
                decision="relabel",
                label="birman",
                reviewer="gold",
                decided_at=dt.datetime(2026, 11, 21, 5, tzinfo=dt.UTC),
            )
        )
    assert world.status().decisions == 1
    world.publisher.run()
    (row,) = world.rows("reviews")
    assert (row["decision"], row["flag_id"], row["label"]) == ("relabel", flag.flag_id, "birman")
    assert row["decided_at"].isoformat() == "2026-11-21T05:00:00+00:00"
    assert (world.rows()[0]["reviews"], world.status().decisions) == (1, 0)
    assert "config_name: reviews" in world.card()
    world.publisher.run()
    assert len(world.rows("reviews")) == 1
