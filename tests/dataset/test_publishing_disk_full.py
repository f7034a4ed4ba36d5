"""A full disk on the way from a flag to the dataset, pretended and real."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.engine.default import DefaultDialect
from support.publishing import PublishingWorld

from localhub.maintenance import check_store
from smartbreed.core.errors import StorageError
from smartbreed.core.settings import load_settings


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(28, "No space left on device")


def test_a_full_disk(world: PublishingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    import smartbreed.feedback.blobs as blobs

    world.flag(2)
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "write_tmp", full)
        assert "disk is full" in (world.publisher.run().problem or "")
    assert world.status().waiting == 2
    world.clock.forward(3601)
    assert (world.publisher.run().problem, len(world.ids())) == (None, 2)


def test_a_full_disk_in_the_database(world: PublishingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction of a run is refused once; what the Hub has already is found there."""
    real = DefaultDialect.do_commit
    for refused in range(1, 12):
        world.flag()
        done = 0

        def commit(dialect: DefaultDialect, connection: object, which: int = refused) -> None:
            nonlocal done
            done += 1
            if done == which:
                raise sqlite3.OperationalError("database or disk is full")
            real(dialect, connection)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(DefaultDialect, "do_commit", commit)
            with suppress(StorageError):  # when even the note of what went wrong did not fit
                world.publisher.run(by_hand=True)
        assert world.publisher.run(by_hand=True).problem is None
        assert len(world.ids()) == len(set(world.ids())) == world.flags.count("published") == refused


@pytest.mark.parametrize("what", ["smartbreed.core.scratch._make", "huggingface_hub.HfApi.hf_hub_download"])
def test_a_full_disk_while_a_file_of_the_hub_is_looked_at(
    world: PublishingWorld, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The manifest, the card and withdrawn shards are downloaded for a moment."""
    world.flag(2)
    world.publisher.run()
    world.flags.withdraw(world.flag()[0].flag_id, "ann")
    world.flag()
    with monkeypatch.context() as patch:
        patch.setattr(what, full)
        report = world.publisher.run()
    assert "the disk is full; free some space" in (report.problem or "")
    status = world.status()
    assert (status.problem, status.attempts, status.refused) == (report.problem, 1, False)
    world.clock.forward(3601)
    assert (world.publisher.run().problem, len(world.ids())) == (None, 3)


@pytest.mark.parametrize("where", ["os.open", "smartbreed.dataset.publisher_lock.write_tmp"])
def test_a_full_disk_before_the_first_run(
    world: PublishingWorld, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Not even the lock or the mark fits; the database lies elsewhere."""
    real = os.open

    def refuse(path: object, *rest: object) -> int:
        if where == "os.open" and not str(path).endswith("lock"):
            return real(path, *rest)  # type: ignore[call-overload,no-any-return]
        full()

    world.flag()
    with monkeypatch.context() as patch:
        patch.setattr(where, refuse)
        assert "the disk is full" in (world.publisher.run().problem or "")
    assert "the disk is full" in (world.status().problem or "")
    assert world.publisher.run().published == 1
    assert world.status().problem is None


def test_a_disk_that_is_really_full(tiny_disk: Path) -> None:
    """Flags, shards, their Hub and what it downloads on one disk that fills up and is emptied again."""
    world = PublishingWorld(load_settings(home=tiny_disk / "home"))
    (tiny_disk / "tmp").mkdir()
    saved, problems = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tiny_disk / "tmp"))
        # The client waits before it repeats.
        patch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        ballast = tiny_disk / "ballast"
        for left in range(0, 240_000, 12_000):
            ballast.unlink(missing_ok=True)
            free = os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_frsize
            with suppress(OSError):
                ballast.write_bytes(bytes(max(0, free - left)))
            with suppress(StorageError):
                saved += world.flag()
            try:
                problems.append(world.publisher.run(by_hand=True).problem)
            except StorageError as error:  # not even the note of what went wrong fitted
                problems.append(error.message)
            ids = world.ids() if problems[-1] is None else []
            assert len(ids) == len(set(ids))
        ballast.unlink()
        reported = [problem for problem in problems if problem]
        assert reported, "it was never full"
        assert all("disk" in problem for problem in reported), reported
        assert world.publisher.run(by_hand=True).problem is None
    assert world.ids() == sorted(receipt.flag_id for receipt in saved)
    assert world.flags.count("published") == world.flags.count() == len(saved) > 0
    assert not check_store(world.store, contents=True)
    world.close()
