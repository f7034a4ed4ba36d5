"""Erased is gone: flagged, published, retrained and erased by the real commands, on the shipped bundle."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from support.installation import Installation
from support.processes import kill, run, start
from support.tiny_data import pets_dataset
from support.traces import traces

from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.training_jobs.job_lock import JobLock
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.workspace import remove_leftovers, workspace


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "home")


@pytest.mark.slow
def test_nothing_of_an_erased_photo_is_left(installation: Installation, photos: list[Path]) -> None:
    home = installation.home
    made = installation.flag(photos)
    ids = [flag for flag, *_ in made]
    blobs = {flag: installation.stored(s) for flag, s, _ in made}
    installation.run("review", "accept", *ids)
    installation.run("flags", "publish")
    shown = json.loads(installation.run("retrain", "--json"))
    assert shown["report"], shown
    gone, _, crops = made[0]
    assert traces(home, blobs[gone], crops), "the search finds what is there"
    assert not list((home / "retraining").rglob("*.parquet")), "a retraining keeps no shard"

    # A request reads the database meanwhile, as the app does.
    reader = sqlite3.connect(home / "smartbreed.db")
    reader.execute("SELECT count(*) FROM flags").fetchone()
    installation.run("flags", "erase", gone, "--yes")
    installation.run("flags", "publish")
    installation.run("hub", "gc", "--grace", "0")
    assert traces(home, blobs[gone], crops) == []
    assert traces(installation.tmp, blobs[gone], crops) == []
    for flag, _, others in made[1:]:
        assert traces(home, blobs[flag], others), "the others are still there"
    reader.close()


@pytest.mark.slow
def test_a_killed_retraining_leaves_no_photo(installation: Installation, photos: list[Path]) -> None:
    home = installation.home
    flag, sample, crops = installation.flag(photos)[0]
    blob = installation.stored(sample)
    installation.run("review", "accept", flag)
    installation.run("flags", "publish")
    trainer = start(
        "-m", "training.retrain", "--home", home, "--progress", "json",
        env=installation.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    work = home / "retraining" / "work"
    while not list(work.rglob("*.parquet")):
        assert trainer.poll() is None, "it has read the dataset before it ends"
        time.sleep(0.005)
    kill(trainer)
    assert [where for where in traces(home, blob, crops) if where.startswith("retraining/")]
    Jobs(load_settings(home=home, hub="embedded")).adopt()  # as the app does when it starts
    assert not [where for where in traces(home, blob, crops) if where.startswith("retraining/")]
    assert traces(installation.tmp, blob, crops) == []


def test_the_folders_of_a_retraining_that_runs_stay(tmp_path: Path) -> None:
    with workspace(tmp_path) as folder:
        (folder / "photo.jpg").write_bytes(b"x")
        remove_leftovers(tmp_path)
        assert (folder / "photo.jpg").exists()
        assert Path(tempfile.mkdtemp()).is_relative_to(folder), "libraries write there too"
    assert list((tmp_path / "retraining" / "work").iterdir()) == []


@pytest.mark.parametrize("when", ["imported before", "imported in it"])
def test_the_copies_of_a_dataset_go_with_the_folder(tmp_path: Path, when: str) -> None:
    """Also what the library `datasets` copies, whose cache is elsewhere."""
    pets = pets_dataset(tmp_path / "pets")
    script = f"""
import sys
from pathlib import Path
from smartbreed.training_jobs.workspace import workspace
if {when == "imported before"}:
    import datasets
with workspace(Path(sys.argv[1])) as folder:
    from training.data.crops import load_crops
    assert len(load_crops(sys.argv[2], "train"))
    assert list((folder / "datasets").rglob("*.arrow"))
from datasets import config
assert config.HF_DATASETS_CACHE == Path(sys.argv[3]), config.HF_DATASETS_CACHE
"""
    usual = tmp_path / "cache"
    environment = os.environ | {"HF_DATASETS_CACHE": str(usual)}
    ended = run("-c", script, tmp_path / "home", pets, usual, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert not usual.exists()
    assert list((tmp_path / "home" / "retraining" / "work").iterdir()) == []


def test_what_earlier_trainers_left_goes_and_an_unpublished_bundle_stays(tmp_path: Path) -> None:
    report = tmp_path / "retraining" / "20261121T120000Z"
    for name in ("data/breeds/train-accepted.parquet", "run/prepared/images.npy", "run/bundle/config.json",
                 "tmpabc/bundle/x", "report.json"):  # fmt: skip
        (report / name).parent.mkdir(parents=True, exist_ok=True)
        (report / name).write_text("x")
    with JobLock(tmp_path / "retraining" / "lock").take("job") as held:
        assert held is not None
        assert remove_leftovers(tmp_path) == 0, "it may be one of those that is running"
    assert remove_leftovers(tmp_path) == 3
    assert sorted(str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()) == [
        "bundle/config.json",
        "report.json",
    ]


def test_what_was_erased_before_leaves_the_file_with_the_next_start(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    open_feedback(settings).close()
    secret = "f00d" * 16
    with contextlib.closing(sqlite3.connect(tmp_path / "smartbreed.db")) as old:  # overwrites nothing
        old.execute("PRAGMA secure_delete=OFF")
        old.execute("PRAGMA user_version=0")
        old.execute("CREATE TABLE erased (sample TEXT)")
        old.executemany("INSERT INTO erased VALUES (?)", [(secret,)] * 500)
        old.execute("DROP TABLE erased")
        old.commit()
    assert secret.encode() in b"".join(path.read_bytes() for path in tmp_path.glob("smartbreed.db*"))
    open_feedback(settings).close()
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("smartbreed.db*"))
