"""Processes killed with SIGKILL while they save, start or erase: no confirmed flag is lost.

A kill shows what the operating system already has; that data is flushed in the right
order, which a power cut would need, is tested in ``test_blobs`` and ``test_flags``.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clock import until
from support.flags import flag_request
from support.nursery import Nursery

from smartbreed.core.settings import Settings, load_settings
from smartbreed.feedback.blobs import collect_orphans
from smartbreed.feedback.flags import FlagService, open_feedback

KILLED, DONE = -9, 0
#: The fewest places a child must have been killed at, or the injection has come loose.
FEWEST_STEPS = 12 if os.environ.get("TEST_POSTGRES") else 20


def receipts(out: Path) -> list[list[Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def assert_sound(service: FlagService, home: Path, confirmed: list[list[Any]]) -> None:
    """Every confirmed flag has its row, every row is whole and has its photo, and the file is sound."""
    rows = {flag.id: flag for flag in service.recent(1000)}
    assert service.count() == len(rows)
    for number, flag_id, sample_id, _ in confirmed:
        assert rows[flag_id].sample_id == sample_id, f"flag {number} was confirmed and is lost"
    for flag in rows.values():
        assert service.blobs.get(flag.sample_id)
        assert (flag.label, flag.verdict, flag.state, flag.consent) == ("siamese", "wrong", "pending", True)
        assert flag.box == (1.0, 2.0, 30.0, 31.0)
    with sqlite3.connect(home / "smartbreed.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def assert_cleans_up(service: FlagService) -> None:
    """What the killed left behind goes, and what is needed stays."""
    collect_orphans(service.blobs, service.sessions, older_than_s=-60)
    needed = {flag.sample_id for flag in service.recent(1000)}
    assert {path.name for path in service.blobs.root.rglob("*") if path.is_file()} == needed


def opened(home: Path) -> FlagService:
    return open_feedback(load_settings(home=home, salt="", database_url=""))


def kill_at_every_step(nursery: Nursery, task: str, home: Path, out: Path, **order: Any) -> Iterator[int]:
    """Run a child once for each step, killed there, until one gets to its end."""
    for kill_at in itertools.count(1):
        status = nursery.run(task, home, out=out, kill_at=kill_at, **order)
        assert status in (KILLED, DONE)
        yield kill_at
        if status == DONE:
            assert kill_at > FEWEST_STEPS
            return


def test_killed_at_every_step_of_saving(nursery: Nursery, settings: Settings, tmp_path: Path) -> None:
    home, out = settings.home_dir, tmp_path / "out"
    open_feedback(settings).close()
    for kill_at in kill_at_every_step(nursery, "save", home, out, first=0, count=1, flagger="ann"):
        service = opened(home)
        assert_sound(service, home, receipts(out))
        if service.count():  # killed between the commit and the receipt; the next one starts afresh
            (flag,) = service.recent()
            service.erase(flag.id)
            out.unlink(missing_ok=True)
        if kill_at % 2:  # every other child finds what the killed one left
            assert_cleans_up(service)
        service.close()


@pytest.mark.slow
def test_killed_at_every_step_of_the_first_start(nursery: Nursery, tmp_path: Path) -> None:
    """From no folder at all: folders, database, migrations, salt, then a flag."""
    out = tmp_path / "out"
    home = tmp_path / "fresh"
    for _ in kill_at_every_step(nursery, "save", home, out, first=0, count=1, flagger="ann"):
        service = opened(home)
        assert_sound(service, home, receipts(out))
        assert service.save(flag_request(1)).created
        assert_sound(service, home, receipts(out))
        service.close()
        shutil.rmtree(home)
        out.unlink(missing_ok=True)


def test_killed_at_every_step_of_erasing(nursery: Nursery, settings: Settings, tmp_path: Path) -> None:
    service = open_feedback(settings)
    kept = service.save(flag_request(1))
    confirmed = [[1, kept.flag_id, kept.sample_id, True]]
    for kill_at in itertools.count(1):
        erased = service.save(flag_request(2))
        out = tmp_path / "out"
        status = nursery.run("erase", settings.home_dir, out=out, kill_at=kill_at, flag_id=erased.flag_id)
        assert_sound(service, settings.home_dir, confirmed)
        if status == DONE:
            break
        assert status == KILLED
    assert kill_at > FEWEST_STEPS
    assert [flag.id for flag in service.recent()] == [kept.flag_id]
    assert not service.blobs.exists(erased.sample_id)
    service.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_while_others_go_on(nursery: Nursery, tmp_path: Path, seed: int) -> None:
    """Two children at a time save different and common flags into one home, and each is killed in turn."""
    home, kills = tmp_path / "home", 12
    luck = random.Random(seed)
    outs = [tmp_path / f"out{n}" for n in range(kills + 1)]

    def start(n: int) -> int:
        # Ranges overlap, so that a child meets flags a killed one saved or half-saved.
        pid: int = nursery.start("save", home, out=outs[n], first=n * 6, count=500, flagger="ann")
        return pid

    alive = start(0)
    for n in range(1, kills + 1):
        newcomer = start(n)
        time.sleep(luck.uniform(0, 0.25))
        assert nursery.kill(alive) == KILLED
        alive = newcomer
    # On a busy machine none of them may have come as far as its first flag.
    until(lambda: any(receipts(out) for out in outs), why="the last child saves no flag")
    assert nursery.kill(alive) == KILLED

    confirmed = [receipt for out in outs for receipt in receipts(out)]
    service = opened(home)
    assert_sound(service, home, confirmed)
    ids = {number: flag_id for number, flag_id, _, _ in confirmed}
    assert all(ids[number] == flag_id for number, flag_id, _, _ in confirmed)
    assert_cleans_up(service)
    service.close()
    assert nursery.run("save", home, out=tmp_path / "last", first=9000, count=1, flagger="ann") == DONE
    assert receipts(tmp_path / "last")[0][3]
