"""Publishing processes killed with SIGKILL at every step: each flag is in the dataset, and once.

The embedded Hub runs inside the killed process, so its own steps are among them.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from support.flags import flag_request
from support.nursery import Nursery
from support.publishing import PublishingWorld

from localhub.maintenance import check_store
from smartbreed.core.settings import Settings, load_settings

KILLED, DONE = -9, 0
#: Real kills of one run of kills at random, by default and where time does not matter.
FEW, MANY = 12, 100


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Every flag here comes from one place, and more in a minute than a person saves in a day."""
    return load_settings(home=tmp_path / "home", client_flags=0)


def steps_of(nursery: Nursery, home: Path, tmp_path: Path, **order: Any) -> int:
    """How many steps a run takes that is left alone."""
    assert nursery.run("publish", home, steps=tmp_path / "steps", **order) == DONE
    return int((tmp_path / "steps").read_text())


def assert_sound(world: PublishingWorld, *, finished: bool = True) -> None:
    """No flag is twice in the dataset; when finished, every one that is wanted is there."""
    ids = world.ids()
    assert len(ids) == len(set(ids)), "a flag was published twice"
    flags = {flag.id: flag for flag in world.flags.recent(1000)}
    published = {flag.id for flag in flags.values() if flag.state == "published"}
    assert published <= set(ids), "a flag counts as published and is not"
    if finished:
        wanted = {flag.id for flag in flags.values() if flag.state != "withdrawn"}
        assert set(ids) == wanted == published
        rows = sum(facts["rows"] for facts in world.manifest()["shards"].values())
        assert rows == len(ids)
        assert f"| `flags` | {rows} |" in world.card()
        assert not check_store(world.store, contents=True)


@pytest.mark.parametrize("stride", [13, pytest.param(2, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_killed_at_every_step(nursery: Nursery, world: PublishingWorld, tmp_path: Path, stride: int) -> None:
    """From the very first: making the mark, the repo, the shard, the commit, the confirmation."""
    home = world.settings.home_dir
    steps = steps_of(nursery, home, tmp_path, save=[1000, 1001])
    assert steps > 100
    saved = 2
    for kill_at in range(1, steps + 1, stride):
        world.flags.save(flag_request(kill_at))
        saved += 1
        status = nursery.run("publish", home, kill_at=kill_at)
        assert status in (KILLED, DONE)
        assert world.flags.count() == saved
        if kill_at % 10 == 0:
            assert_sound(world, finished=False)
    assert nursery.run("publish", home) == DONE
    assert world.flags.count() == saved
    assert_sound(world)


@pytest.mark.parametrize(
    "kills", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_killed_at_random_with_withdrawals(
    nursery: Nursery, world: PublishingWorld, tmp_path: Path, kills: int
) -> None:
    """Each killed process finds what the one before left, and flags come and go meanwhile."""
    luck = random.Random(20261121 + kills)
    home = world.settings.home_dir
    steps_of(nursery, home, tmp_path, save=[0])  # the first makes tables and the repo
    steps = steps_of(nursery, home, tmp_path, save=[1])
    mine = {flag.id for flag in world.flags.recent()}
    killed = number = 0
    while killed < kills:
        number += 1
        assert number < 4 * kills, "it is hardly ever killed"
        new = range(10 * number, 10 * number + luck.randint(1, 2))
        mine |= {world.flags.save(flag_request(photo)).flag_id for photo in new}
        if luck.random() < 0.3:
            gone = luck.choice(sorted(mine))
            mine.discard(gone)
            if luck.random() < 0.5:
                world.flags.withdraw(gone, "ann")
            else:
                world.flags.erase(gone)
        status = nursery.run(
            "publish", home, kill_at=luck.randint(1, steps), skew=luck.choice([0, -86_400, 86_400])
        )
        assert status in (KILLED, DONE)
        killed += status == KILLED
        if number % 10 == 0:
            assert_sound(world, finished=False)
    assert nursery.run("publish", home) == DONE
    assert_sound(world)
    assert set(world.ids()) == mine
    assert world.status().to_remove == 0


def test_the_first_start_of_all_killed(nursery: Nursery, tmp_path: Path, settings: Settings) -> None:
    """A home that does not exist yet: flags are saved and published by processes that die."""
    home = settings.home_dir
    luck = random.Random(7)
    for number in range(12):
        nursery.run("publish", home, save=[number], kill_at=luck.randint(1, 300))
    assert nursery.run("publish", home, save=[100]) == DONE
    world = PublishingWorld(settings)
    assert_sound(world)
    world.close()


@pytest.mark.parametrize("kills", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_two_replicas_on_one_database_and_one_is_killed(
    nursery: Nursery, world: PublishingWorld, kills: int
) -> None:
    """They start together; the lock of the dead one is free at once."""
    home, luck = world.settings.home_dir, random.Random(3)
    for number in range(kills):
        world.flags.save(flag_request(number))
        children = [
            nursery.start("publish", home),
            nursery.start("publish", home, kill_at=luck.randint(1, 300)),
        ]
        assert nursery.wait(children[0]) == DONE
        assert nursery.wait(children[1]) in (KILLED, DONE)
    assert nursery.run("publish", home) == DONE
    assert_sound(world)


@pytest.mark.parametrize("rounds", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_replicas_with_databases_of_their_own_publish_into_one_repo(
    nursery: Nursery, world: PublishingWorld, tmp_path: Path, rounds: int
) -> None:
    """Three at once; cards and manifests collide, shards do not."""
    hub_home = str(world.settings.home_dir)
    homes = [world.settings.home_dir, tmp_path / "two", tmp_path / "three"]
    number = 0
    for _ in range(rounds):
        children = []
        for place, home in enumerate(homes):
            number += 2
            save = [number, number + 1]
            children.append(
                nursery.start(
                    "publish", home, hub_home=hub_home, save=save, flagger=f"person {place}", may_fail=True
                )
            )
        assert [nursery.wait(child) for child in children] == [DONE] * len(homes)
    for home in homes:
        assert nursery.run("publish", home, hub_home=hub_home) == DONE
    assert len(world.ids()) == len(set(world.ids())) == number
    assert sum(facts["rows"] for facts in world.manifest()["shards"].values()) == number
    assert f"| `flags` | {number} |" in world.card()


def test_a_process_that_holds_the_lock_is_waited_for(nursery: Nursery, world: PublishingWorld) -> None:
    from smartbreed.dataset.publisher_lock import only_publisher

    world.flag()
    with only_publisher(world.settings.home_dir / "shards") as got_it:
        assert got_it
        assert world.publisher.run().busy
        child = nursery.start("publish", world.settings.home_dir)
        time.sleep(0.2)
    assert nursery.wait(child) == DONE
    assert len(world.ids()) == 1
