"""What was taken back leaves every disk, and what the app does once a day beside publishing."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.clock import until
from support.faults import Fault
from support.flags import flag_request
from support.publishing import PublishingWorld

from smartbreed.core.database import read, write
from smartbreed.core.errors import StorageError
from smartbreed.core.settings import Settings
from smartbreed.dataset.service import BackgroundPublisher, maintenance_tasks, open_publisher
from smartbreed.dataset.tables import Shard
from smartbreed.feedback.flags import open_feedback
from smartbreed.feedback.tables import Flag
from smartbreed.hub.client import delete_repo
from smartbreed.review.tables import Signals, Trust

DAYS = 3 * 24 * 3600


def age(folder: Path) -> None:
    """Make every file of a folder some days old."""
    then = time.time() - DAYS
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".json":
            os.utime(path, (then, then))


def test_an_upload_whose_commit_never_came_goes_with_its_withdrawn_flag(world: PublishingWorld) -> None:
    (gone,) = world.flag()
    world.faults.fault = Fault(503, "/commit/")
    assert world.publisher.run().problem
    with read(world.flags.sessions) as session:
        content = session.scalars(sa.select(Shard.sha256)).one()
    assert world.store.files.size(content), "it was uploaded"
    world.flags.withdraw(gone.flag_id, "ann")
    world.faults.fault = None
    assert world.publisher.run(by_hand=True).problem is None
    assert world.store.files.size(content) is None
    assert world.status().to_remove == 0


def test_a_withdrawn_photo_leaves_this_disk_unless_another_flag_needs_it(world: PublishingWorld) -> None:
    mine = world.flags.save(flag_request(1))
    same = world.flags.save(flag_request(1, flagger_token="bob"))
    assert mine.sample_id == same.sample_id
    world.flags.withdraw(mine.flag_id, "ann")
    assert world.flags.blobs.exists(mine.sample_id)
    world.flags.withdraw(same.flag_id, "bob")
    assert not world.flags.blobs.exists(mine.sample_id)
    assert world.flags.save(flag_request(1)).created, "said again: the photo comes with it"
    assert world.publisher.run().published == 1


def test_a_photo_that_could_not_be_deleted_goes_with_maintenance(
    world: PublishingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageError("The disk refused.")

    kept, gone = world.flag(2)
    with monkeypatch.context() as patch:
        patch.setattr(world.flags.blobs, "delete", refuse)
        world.flags.withdraw(gone.flag_id, "ann")
    assert world.flags.count("withdrawn") == 1
    photos, _ = maintenance_tasks(world.settings, world.flags)
    age(world.flags.blobs.root)
    assert photos.run()
    assert world.flags.blobs.exists(kept.sample_id)
    assert not world.flags.blobs.exists(gone.sample_id)


def test_what_earlier_versions_kept_goes_with_maintenance(world: PublishingWorld) -> None:
    kept, gone = world.flag(2, note="at my home")
    world.flags.withdraw(gone.flag_id, "ann")
    now = world.clock.now
    with write(world.flags.sessions) as session:
        session.execute(sa.update(Flag).values(note="at my home"))
        ann = session.scalars(sa.select(Flag.flagger).distinct()).one()
        session.add_all(Trust(flagger=who, right=1, wrong=0, updated_at=now) for who in ("f" * 64, ann))
        for receipt in (kept, gone):
            session.add(Signals(flag_id=receipt.flag_id, model="1", looked_at=now))
    photos, _ = maintenance_tasks(world.settings, world.flags)
    assert photos.run()
    with read(world.flags.sessions) as session:
        notes = {flag.id: flag.note for flag in session.scalars(sa.select(Flag))}
        assert notes == {kept.flag_id: "at my home", gone.flag_id: None}
        assert session.scalars(sa.select(Signals.flag_id)).all() == [kept.flag_id]
        assert session.scalars(sa.select(Trust.flagger)).all() == [ann]


def test_photos_of_another_database_stay(world: PublishingWorld, tmp_path: Path) -> None:
    """Postgres is used for a day, then the old database again."""
    old = world.flag()[0]
    age(world.flags.blobs.root)
    url = f"sqlite:///{tmp_path / 'new.db'}"
    settings = world.settings.model_copy(update={"database_url": url})
    flags = open_feedback(settings)
    photos, _ = maintenance_tasks(settings, flags)
    assert photos.run()
    assert flags.blobs.exists(old.sample_id)
    orphan = flags.blobs.put(b"left by a crash")
    photos._clock = lambda: time.time() + DAYS
    later = time.time() - 2 * 24 * 3600
    os.utime(flags.blobs.path(orphan), (later, later))
    assert photos.run()
    assert flags.blobs.exists(orphan), "older than the use of this database"
    flags.close()


def test_deleted_repos_and_old_uploads_leave_the_embedded_hub(world: PublishingWorld) -> None:
    world.flag()
    world.publisher.run()
    before = sum(1 for _ in world.store.files.older_than(-1))
    delete_repo(world.api, world.settings.dataset, "dataset")
    _, hub = maintenance_tasks(world.settings, world.flags)
    age(world.settings.home_dir / "hub" / "blobs")
    assert before
    assert hub.run()
    assert list(world.store.files.older_than(-1)) == []
    assert not hub.run(), "once a day"


def test_the_app_does_it_and_says_what_is_wrong(world: PublishingWorld) -> None:
    world.flag()
    world.publisher.run()
    (facts,) = world.manifest()["shards"].values()
    world.store.files.delete(facts["sha256"])
    publisher = open_publisher(world.settings, world.flags)
    for every_s in (3600.0, 0.0):
        for job in publisher.maintenance:
            (job._folder / "daily.json").unlink(missing_ok=True)
        running = BackgroundPublisher(publisher, every_s=every_s, size=50)
        running.start()
        until(lambda: publisher.status().problems)
        running.stop(100)
    (problem,) = publisher.status().problems
    assert facts["sha256"] in problem


def test_of_many_processes_one_does_it(settings: Settings) -> None:
    flags = open_feedback(settings)
    photos, _ = maintenance_tasks(settings, flags)
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(photos.run())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False] * 7 + [True]
    flags.close()
