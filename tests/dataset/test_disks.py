"""Several disks on one database, as replicas or a Space that was restarted without its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import Fault
from support.nursery import Nursery
from support.publishing import PublishingWorld

from localhub.inprocess import InProcessTransport
from localhub.maintenance import check_store
from smartbreed.dataset.schema import shard_config
from smartbreed.hub import session


@pytest.fixture
def other(world: PublishingWorld, tmp_path: Path) -> Iterator[PublishingWorld]:
    """Another disk with the same database, Hub and clock."""
    url = world.settings.resolved_database_url
    settings = world.settings.model_copy(update={"home": tmp_path / "other", "database_url": url})
    made = PublishingWorld(settings, world.hub_settings)
    made.publisher._clock = made.clock = world.clock
    made.faults = world.faults
    session.mount(world.host, InProcessTransport(world.faults))
    yield made
    made.flags.close()


def lose_disk(world: PublishingWorld) -> None:
    """Mark, shards and photos are gone, as on a Space after a restart; the database is not."""
    shutil.rmtree(world.settings.home_dir / "shards")
    shutil.rmtree(world.settings.home_dir / "blobs")


def content(world: PublishingWorld) -> str:
    """The sha256 of the only shard."""
    (facts,) = world.manifest()["shards"].values()
    return str(facts["sha256"])


def assert_gone(world: PublishingWorld, old: str, ids: list[str]) -> None:
    """The dataset has these rows, and nothing of an old content is left anywhere."""
    assert world.ids() == sorted(ids)
    assert world.store.files.size(old) is None
    assert (world.status().to_remove, world.status().problems) == (0, [])
    assert not check_store(world.store, contents=True)


def test_any_disk_takes_a_withdrawn_row_out(world: PublishingWorld, other: PublishingWorld) -> None:
    kept, gone = world.flag(2)
    world.publisher.run()
    old, paths = content(world), [path for path in world.files() if shard_config(path)]
    world.flags.withdraw(gone.flag_id, "ann")
    lose_disk(world)
    report = other.publisher.run()
    assert (report.removed, report.problem) == (1, None)
    assert [path for path in world.files() if shard_config(path)] == paths, "the path stays"
    assert_gone(other, old, [kept.flag_id])
    assert world.flags.count("published") == 1


def test_the_last_row_of_a_shard_of_another_disk(world: PublishingWorld, other: PublishingWorld) -> None:
    (only,) = world.flag()
    world.publisher.run()
    old = content(world)
    world.flags.erase(only.flag_id)
    lose_disk(world)
    assert other.publisher.run().removed == 1
    assert_gone(other, old, [])
    assert not [path for path in world.files() if shard_config(path)]


def test_a_disk_that_died_between_taking_out_and_publishing(
    world: PublishingWorld, other: PublishingWorld
) -> None:
    """The new content is lost with it, and its photos; the rows that stay are on the Hub."""
    kept, gone, also = world.flag(3)
    world.publisher.run()
    old = content(world)
    world.flags.withdraw(gone.flag_id, "ann")
    world.faults.fault = Fault(503, "/commit/")
    assert world.publisher.run().problem
    lose_disk(world)
    world.faults.fault = None
    other.publisher.run()
    assert gone.flag_id in world.ids(), "its own disk gets a few minutes to do it"
    world.clock.forward(660)
    assert other.publisher.run().problem is None
    assert_gone(other, old, [kept.flag_id, also.flag_id])
    assert other.flags.count("published") == 2


def test_a_row_taken_out_by_a_lost_disk_does_not_come_back_with_the_next(
    world: PublishingWorld, other: PublishingWorld
) -> None:
    kept, first, second = world.flag(3)
    world.publisher.run()
    old = content(world)
    world.flags.withdraw(first.flag_id, "ann")
    world.faults.fault = Fault(503, "/commit/")
    assert world.publisher.run().problem
    world.faults.fault = None
    lose_disk(world)
    world.flags.withdraw(second.flag_id, "ann")
    assert other.publisher.run().removed == 1
    assert_gone(other, old, [kept.flag_id])


def test_a_disk_that_died_between_the_commit_and_its_note(
    world: PublishingWorld, other: PublishingWorld
) -> None:
    """It is not known that the Hub has the shard, and a row of it is withdrawn."""
    kept, gone = world.flag(2)
    world.faults.fault = Fault("dead", "/commit/", after=True)
    assert world.publisher.run().problem
    world.faults.fault = None
    old = content(world)
    world.flags.withdraw(gone.flag_id, "ann")
    lose_disk(world)
    assert other.publisher.run(by_hand=True).removed == 1
    assert_gone(other, old, [kept.flag_id])
    assert other.flags.count("published") == 1


def test_a_withdrawn_row_that_only_a_lost_disk_had(world: PublishingWorld, other: PublishingWorld) -> None:
    (gone,) = world.flag()
    world.faults.fault = Fault(503, "/commit/")
    world.publisher.run()
    world.faults.fault = None
    world.flags.withdraw(gone.flag_id, "ann")
    lose_disk(world)
    other.publisher.run()
    assert other.status().problems, "until then it is named"
    world.clock.forward(25 * 3600)
    assert other.publisher.run().problem is None
    assert (other.status().to_remove, other.status().problems, other.ids()) == (0, [], [])


def test_a_lost_new_content_is_made_again_without_losing_rows(world: PublishingWorld) -> None:
    """The disk lives, and only the shard's file is gone."""
    kept, gone = world.flag(2)
    world.publisher.run()
    world.flags.withdraw(gone.flag_id, "ann")
    for photos in (True, False):
        world.faults.fault = Fault(503, "/commit/")
        world.flag()
        world.publisher.run(by_hand=True)
        for file in (world.settings.home_dir / "shards").glob("??/??/*"):
            file.unlink()
        if not photos:
            world.flags.blobs.path(kept.sample_id).unlink()
        world.faults.fault = None
        assert world.publisher.run(by_hand=True).problem is None
        assert kept.flag_id in world.ids()
        assert gone.flag_id not in world.ids()
    assert world.flags.count("published") == len(world.ids()) == 3


def test_a_lost_file_of_published_rows_costs_no_row_that_stays(world: PublishingWorld) -> None:
    """Neither disk nor Hub has it, when one more row has to leave it."""
    kept, gone, also = world.flag(3)
    world.publisher.run()
    world.flags.withdraw(gone.flag_id, "ann")
    world.faults.fault = Fault(503, "/commit/")
    assert world.publisher.run(by_hand=True).problem
    world.faults.fault = None
    for file in (world.settings.home_dir / "shards").glob("??/??/*"):
        file.unlink()
    (path,) = [path for path in world.files() if shard_config(path)]
    world.api.delete_file(path, world.settings.dataset, repo_type="dataset")
    world.flags.withdraw(also.flag_id, "ann")
    assert world.publisher.run(by_hand=True).problem is None
    assert world.ids() == [kept.flag_id]
    assert world.flags.count("published") == 1
    assert world.status().to_remove == 0


def test_rows_of_a_dataset_that_is_not_published_to_any_more_are_named(world: PublishingWorld) -> None:
    (gone,) = world.flag()
    world.publisher.run()
    world.flags.withdraw(gone.flag_id, "ann")
    moved = PublishingWorld(world.settings.model_copy(update={"dataset": "other/flags"}))
    moved.publisher.run(by_hand=True)
    (problem,) = moved.status().problems
    assert world.settings.dataset in problem
    world.publisher.run(by_hand=True)
    assert (moved.status().to_remove, moved.status().problems) == (0, [])


@pytest.mark.parametrize("rounds", [2, pytest.param(15, marks=pytest.mark.slow)])
def test_two_live_disks_publish_and_take_out_at_once(
    nursery: Nursery, world: PublishingWorld, tmp_path: Path, rounds: int
) -> None:
    """Processes with a disk each and one database; both see every withdrawal."""
    home, hub_home = world.settings.home_dir, str(world.settings.home_dir)
    url = world.settings.resolved_database_url
    homes = [home, tmp_path / "two"]
    number, gone = 0, 0
    for _ in range(rounds):
        children = []
        for place, disk in enumerate(homes):
            number += 2
            children.append(
                nursery.start(
                    "publish",
                    disk,
                    hub_home=hub_home,
                    database=url,
                    save=[number, number + 1],
                    flagger=f"person {place}",
                    may_fail=True,
                )
            )
        assert [nursery.wait(child) for child in children] == [0, 0]
        published = [flag for flag in world.flags.recent(1000) if flag.state == "published"]
        for flag in published[:2]:
            world.flags.erase(flag.id)
            gone += 1
    for disk in homes:
        assert nursery.run("publish", disk, hub_home=hub_home, database=url) == 0
    assert len(world.ids()) == len(set(world.ids())) == number - gone == world.flags.count("published")
    assert world.ids() == sorted(flag.id for flag in world.flags.recent(1000))
    assert world.status().to_remove == 0
    assert not check_store(world.store, contents=True)
