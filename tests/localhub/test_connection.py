"""Which Hub is meant, what its failures mean, and downloads that must be whole."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import threading
import time
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import until
from support.processes import run as run_python

from smartbreed.core.errors import HubCallError, SettingError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.hub.client import (
    chosen_hub,
    commit_files,
    connect,
    delete_repo,
    download_snapshot,
    embedded_store,
    ensure_repo,
    list_commits,
    list_tags,
    repo_state,
    tag,
)
from smartbreed.hub.connection import disconnect
from smartbreed.hub.retry import LONGEST_S, _retry_after, pause_s


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_HUB"):
        monkeypatch.delenv(name, raising=False)
    return load_settings(home=tmp_path / "home")


def test_which_hub(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_hub(settings).embedded
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    assert chosen_hub(settings).name == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:7870/")
    assert chosen_hub(settings).name == "http://127.0.0.1:7870"
    assert chosen_hub(settings.model_copy(update={"hub": "embedded"})).embedded
    assert chosen_hub(settings.model_copy(update={"hub": "https://hub.test"})).name == "https://hub.test"


def test_one_client_for_everybody_and_one_hub_a_home(settings: Settings, tmp_path: Path) -> None:
    assert connect(settings) is connect(settings)
    other = settings.model_copy(update={"home": tmp_path / "other"})
    ensure_repo(connect(settings), "a/b", "dataset")
    with pytest.raises(HubCallError) as failure:
        repo_state(connect(other), "a/b", "dataset")
    assert failure.value.kind == "no_repo"
    assert embedded_store(settings) is not embedded_store(other)
    assert embedded_store(settings.model_copy(update={"hub": "http://127.0.0.1:9"})) is None


def test_a_hub_that_is_left_gives_back_what_it_took(settings: Settings) -> None:
    def taken() -> tuple[int, int]:
        """Its open files, and the threads of all Hubs."""
        links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
        threads = [thread.name for thread in threading.enumerate()]
        return sum(str(settings.home_dir) in link for link in links), threads.count("hub-in-process")

    others = taken()[1]
    for _ in range(3):
        first = connect(settings)
        ensure_repo(first, "a/b", "dataset")
        assert min(taken()) > 0
        disconnect()
        until(lambda: taken() <= (0, others))
        assert connect(settings) is not first
        repo_state(connect(settings), "a/b", "dataset")  # what was made is there
        disconnect()


@pytest.mark.parametrize("hub", ["somewhere", "ftp://x", "http://", "http:// x"])
def test_a_hub_that_is_none(hub: str) -> None:
    with pytest.raises(SettingError, match="SMARTBREED_HUB"):
        load_settings(hub=hub)


def test_xet_is_off_before_anything_is_imported_and_on_for_hugging_face(tmp_path: Path) -> None:
    code = (
        "import sys; from smartbreed.core.settings import load_settings;"
        "from smartbreed.hub.client import connect;"
        "assert 'huggingface_hub' not in sys.modules;"
        "connect(load_settings()); from huggingface_hub import constants;"
        "print(constants.HF_HUB_DISABLE_XET)"
    )

    def run(**variables: str) -> str:
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SMARTBREED"))
        }
        env = {**clean, "SMARTBREED_HOME": str(tmp_path), **variables}
        done = run_python("-c", code, env=env, check=True)
        return done.stdout.strip()

    assert run() == "True"
    assert run(HF_TOKEN="hf_something") == "False"


def test_commits_tags_and_parents(settings: Settings) -> None:
    api = connect(settings)
    ensure_repo(api, "a/b", "model")
    ensure_repo(api, "a/b", "model")
    first = repo_state(api, "a/b", "model")
    second = commit_files(api, "a/b", "model", {"a.txt": b"a"}, title="one", parent=first.sha)
    with pytest.raises(HubCallError) as failure:
        commit_files(api, "a/b", "model", {"b.txt": b"b"}, title="two", parent=first.sha)
    assert failure.value.kind == "stale"
    assert commit_files(api, "a/b", "model", {"a.txt": b"a"}, title="again") == second
    third = commit_files(api, "a/b", "model", {}, title="three", delete=["a.txt"])
    tag(api, "a/b", "model", "v1.0.0", second)
    tag(api, "a/b", "model", "v1.0.0", third)
    assert list_tags(api, "a/b", "model") == {"v1.0.0": second}
    assert [sha for sha, _ in list_commits(api, "a/b", "model")] == [third, second, first.sha]
    delete_repo(api, "a/b", "model")
    delete_repo(api, "a/b", "model")
    with pytest.raises(HubCallError, match="no such repo"):
        repo_state(api, "a/b", "model")


def test_a_snapshot_is_whole_or_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub.utils import _http

    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda s: None, time=time.time))
    api = connect(settings)
    ensure_repo(api, "a/b", "model")
    files = {"a.txt": b"a" * 100, "deep/b.bin": bytes(range(256)) * 10}
    sha = commit_files(api, "a/b", "model", dict(files), title="both")
    cache = tmp_path / "cache"
    folder = download_snapshot(api, "a/b", "model", sha, cache)
    assert {path: (folder / path).read_bytes() for path in files} == files
    # Damaged on the disk: found out, and fetched anew.
    (folder / "deep/b.bin").resolve().write_bytes(b"x" * 2560)
    with pytest.raises(HubCallError, match="deep/b"):
        download_snapshot(api, "a/b", "model", sha, cache)
    assert (download_snapshot(api, "a/b", "model", sha, cache) / "deep/b.bin").read_bytes() == files[
        "deep/b.bin"
    ]
    # With the Hub gone: the whole one is found by its sha, an incomplete one is refused.
    away = connect(settings.model_copy(update={"hub": "http://127.0.0.1:9"}))
    assert download_snapshot(away, "a/b", "model", sha, cache) == folder
    (folder / "a.txt").unlink()
    with pytest.raises(HubCallError):
        download_snapshot(away, "a/b", "model", sha, cache)
    shutil.rmtree(cache)
    with pytest.raises(HubCallError):
        download_snapshot(away, "a/b", "model", sha, cache)
    with pytest.raises(HubCallError, match="full sha"):
        download_snapshot(api, "a/b", "model", "main", cache)


@given(st.integers(-5, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_pauses_are_never_longer_than_an_hour(attempts: int, asked: float | None, luck: float) -> None:
    pause = pause_s(attempts, asked, luck=luck)
    assert 0 < pause <= LONGEST_S
    assert pause >= min(asked or 0, LONGEST_S)


def test_retry_after_in_all_its_forms() -> None:
    assert _retry_after({"retry-after": "120"}) == 120
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    assert 80 < (_retry_after({"retry-after": format_datetime(soon, usegmt=True)}) or 0) <= 90
    assert _retry_after({"retry-after": "when I like"}) is None
    assert _retry_after({"ratelimit": '"api";r=0;t=55'}) == 55
    assert _retry_after({"ratelimit": '"api";r=3;t=55'}) is None
    assert _retry_after({}) is None
