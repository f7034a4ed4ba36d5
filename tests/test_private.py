"""SMARTBREED_HOME is closed to the other users of a machine, whatever the umask of who starts us."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import ROOT, Server, environment, free_port, start

from localhub.store import HubStore
from smartbreed.core.private import private_file, work_privately
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import open_feedback


def open_to_others(home: Path) -> list[str]:
    """What in a home another user may read or enter."""
    # Unlike rglob, os.walk goes on when a folder is removed while it looks.
    found = [home, *(Path(at, name) for at, folders, files in os.walk(home) for name in (*folders, *files))]
    modes = {}
    for path in found:
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        # The Hub's client opens its lock files to the group, whatever the umask; they hold nothing.
        lock = path.suffix == ".lock" and status.st_size == 0
        modes[path] = 0 if path.is_symlink() or lock else status.st_mode
    return sorted(f"{oct(mode)} {path.relative_to(home)}" for path, mode in modes.items() if mode & 0o077)


def home_of_an_earlier_version(home: Path) -> Path:
    """As 0.1.0 left it: databases and what other libraries wrote readable by all."""
    home.mkdir()
    open_feedback(load_settings(home=home, salt="", database_url="")).close()
    HubStore(home / "hub").close()
    cache = home / "hub-cache" / "models--a--b"
    cache.mkdir(parents=True)
    (cache / "config.json").write_text("{}")
    (cache / "link").symlink_to(cache / "config.json")
    for path in [home, *home.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
    return home


def test_an_open_home_is_closed(tmp_path: Path) -> None:
    home = home_of_an_earlier_version(tmp_path / "home")
    (home / "mine.txt").write_text("of the person whose folder it is")
    program = home / "hub" / "program"
    program.write_text("x")
    program.chmod(0o755)
    outside = tmp_path / "outside.txt"
    outside.write_text("elsewhere")
    (home / "blobs" / "link").symlink_to(outside)
    work_privately(home)
    assert open_to_others(home) == ["0o100644 mine.txt"]
    assert oct(program.stat().st_mode)[-3:] == "700", "what could be run still can"
    assert oct(outside.stat().st_mode)[-3:] == "644", "links are not followed"
    (home / "later").write_text("made afterwards")
    assert oct((home / "later").stat().st_mode)[-3:] == "600"


def test_every_folder_of_the_home_is_closed(tmp_path: Path) -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "smartbreed").rglob("*.py"))
    names = sorted(set(re.findall(r'home_dir / "([\w.-]+)"', code)))
    assert {"blobs", "teach", "salt"} <= set(names)
    for name in names:
        (tmp_path / name).mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    work_privately(tmp_path)
    assert open_to_others(tmp_path) == []


def test_a_folder_of_everybody_stays_one(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "salt").write_text("salt")
    (shared / "theirs").write_text("of another user")
    work_privately(shared)
    assert oct(shared.stat().st_mode)[-4:] == "1777"
    assert oct((shared / "salt").stat().st_mode)[-3:] == "600"
    assert oct((shared / "theirs").stat().st_mode)[-3:] == "644"


def test_a_home_that_is_not_there_yet(tmp_path: Path) -> None:
    work_privately(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_databases_are_private_without_a_process_of_ours(tmp_path: Path) -> None:
    """The flags and the Hub opened from a user's own program, which keeps its umask."""
    home = tmp_path / "home"
    flags = open_feedback(load_settings(home=home, salt="", database_url=""))
    flags.recent(1)
    store = HubStore(home / "hub")
    assert {path.name for path in home.rglob("*.db*")} >= {"smartbreed.db", "hub.db"}
    assert open_to_others(home) == []
    flags.close()
    store.close()


def test_a_database_of_an_earlier_version_is_closed_with_its_log(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
        database.commit()
        assert path.with_name("x.db-wal").stat().st_mode & 0o077
        private_file(path)
        for name in ("x.db", "x.db-wal", "x.db-shm"):
            assert oct(path.with_name(name).stat().st_mode)[-3:] == "600"
        database.execute("INSERT INTO t VALUES (1)")
    database.close()
    private_file(path)
    assert sqlite3.connect(path).execute("SELECT x FROM t").fetchall() == [(1,)]


def watched(home: Path, process: subprocess.Popen[str], until: Callable[[], bool]) -> set[str]:
    """What was ever open to others while a process ran."""
    seen: set[str] = set()
    give_up = time.monotonic() + 250
    while process.poll() is None and not until() and time.monotonic() < give_up:
        seen |= set(open_to_others(home))
        time.sleep(0.05)
    return seen | set(open_to_others(home))


@pytest.mark.parametrize("earlier", [False, True], ids=["new home", "open home"])
def test_the_app(tmp_path: Path, earlier: bool) -> None:
    if earlier:
        home_of_an_earlier_version(tmp_path / "home")
    with Server(tmp_path, SMARTBREED_HUB="embedded") as server:
        urllib.request.urlopen(f"{server.url}api/health", timeout=30).close()
        assert (server.home / "smartbreed.db").is_file()
        assert (server.home / "smartbreed.db-wal").is_file()
        assert open_to_others(server.home) == []
    assert open_to_others(server.home) == []


def test_hub_serve(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    process = start(
        "-m", "smartbreed", "hub", "serve", "--port", str(port),
        env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=f"http://127.0.0.1:{port}", token="any")

        def answers() -> bool:
            try:
                api.create_repo("me/pets", exist_ok=True)
            except Exception:
                return False
            return True

        assert watched(home, process, answers) == set()
        api.upload_file(path_or_fileobj=b"x" * 100, path_in_repo="a.txt", repo_id="me/pets")
        assert {path.name for path in (home / "hub").iterdir()} >= {"hub.db", "hub.db-wal"}
        assert open_to_others(home) == []
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_the_trainer(tmp_path: Path) -> None:
    from support.retraining import RetrainingWorld
    from support.shards import settings_in

    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    RetrainingWorld(settings_in(home)).introduce(range(12))
    work_privately(home)  # as the app has done that starts it
    os.umask(0o022)
    process = start(
        "-m", "training.retrain", "--home", home, "--progress", "json",
        env=environment(tmp_path, SMARTBREED_HUB="embedded"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert watched(home, process, lambda: False) == set()
    assert process.wait(60) == 0
    assert list((home / "retraining").iterdir())
