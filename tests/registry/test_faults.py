"""Whatever a release or a Hub does wrong, what answers goes on answering and a maintainer reads why."""

from __future__ import annotations

import errno
import json
import os
import pickle
import random
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.bundles import EMBEDDED, REPO, edit_config, make_bundle, publish
from support.clock import until
from support.processes import ROOT, kill, start

from localhub.embedded import serving
from localhub.store import HubStore
from smartbreed.core.errors import BundleError, HubCallError, SmartBreedError, StorageError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.hub import session
from smartbreed.hub.client import connect, delete_repo
from smartbreed.inference.bundle import Bundle, write_config
from smartbreed.inference.litert_file import pack
from smartbreed.registry import open_bundle
from smartbreed.registry.live import LiveModel
from smartbreed.registry.model_source import read_source
from smartbreed.registry.releases import download
from smartbreed.registry.state import Rejected, StateFile
from smartbreed.registry.watcher import Watcher

FETCH = """
import sys
from pathlib import Path
from smartbreed.core.settings import load_settings
from smartbreed.hub.client import connect
from smartbreed.registry.releases import download
settings = load_settings(home=Path(sys.argv[1]), hub=sys.argv[2])
api = connect(settings)
print("ready", flush=True)
download(api, settings, "smartbreed/pets", sys.argv[3])
print("done", flush=True)
"""


def rewrite(folder: Path) -> None:
    """True sums again, for everything in the folder."""
    write_config(folder, json.loads((folder / "config.json").read_text()))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def tampered(folder: Path) -> None:
    flip(folder / "classifier.tflite")


def missing(folder: Path) -> None:
    (folder / "classifier.tflite").unlink()


def a_pickle(folder: Path) -> None:
    (folder / "extra.dat").write_bytes(pickle.dumps({"a": print}))


def a_listed_pickle(folder: Path) -> None:
    (folder / "memory.pkl").write_bytes(pickle.dumps([1]))
    rewrite(folder)


def a_lambda(folder: Path) -> None:
    layers = {"config": {"layers": [{"class_name": "Lambda"}]}}
    (folder / "classifier.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + json.dumps(layers).encode())
    rewrite(folder)


def too_new(folder: Path) -> None:
    edit_config(folder, lambda config: config.update(format=3))


def too_old(folder: Path) -> None:
    edit_config(folder, lambda config: config.update(format=0))


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("<html>")


def too_long(folder: Path) -> None:
    edit_config(folder, lambda config: config["files"].update({"x" * 300: "0" * 64}))


def another_network(folder: Path) -> None:
    edit_config(folder, lambda config: config["self_test"].update(logits=[0.5] * 133))


def no_network(folder: Path) -> None:
    (folder / "classifier.tflite").write_bytes(struct.pack("<I", 28) + b"TFL3" + bytes(100))
    rewrite(folder)


def a_crash(folder: Path) -> None:
    """An addition without its second number: LiteRT 2's checks let it pass, and it ends the process."""
    from ai_edge_litert import schema_py_generated as schema

    content = (folder / "classifier.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    sums = [
        operator
        for operator in model.subgraphs[0].operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.ADD
    ]
    sums[0].inputs = np.array([sums[0].inputs[0], -1], np.int32)
    (folder / "classifier.tflite").write_bytes(pack(model, len(content)))
    rewrite(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (tampered, "classifier.tflite does not match its sha256"),
        (missing, "classifier.tflite is missing"),
        (a_pickle, "extra.dat may hold pickled"),
        (a_listed_pickle, "memory.pkl may hold pickled"),
        (a_lambda, "classifier.h5 has a Lambda layer"),
        (too_new, "format 3, which is newer"),
        (too_old, "format 0, which is too old"),
        (no_json, "no JSON object"),
        (too_long, f"{'x' * 100} is missing"),
        (another_network, "self-test"),
        (no_network, "LiteRT"),
        (a_crash, ""),
    ],
)
def test_a_broken_release_is_refused_once_and_for_all(
    live: LiveModel,
    watcher: Watcher,
    settings: Settings,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    folder = make_bundle(tmp_path / "broken", "7.1.0", turn=1)
    spoil(folder)
    sha = publish(settings, folder, name="7.1.0")
    watcher.check()
    status = live.status()
    assert (status.version, status.chosen) == (EMBEDDED, "embedded")
    assert words in status.problem
    assert [(bad.revision, words in bad.reason) for bad in status.rejected] == [(sha, True)]
    # It is not tried again, and after a restart neither.
    again = LiveModel(settings)
    Watcher(again).check()
    assert again.status().rejected == status.rejected
    assert again.status().chosen == "embedded"
    # Unless a maintainer asks, who gets the reason.
    with pytest.raises(SmartBreedError) as caught:
        live.use("v7.1.0")
    assert words in caught.value.message
    assert live.status().pin == ""
    # A newer one is taken.
    publish(settings, make_bundle(tmp_path / "good", "7.1.1", turn=2))
    watcher.check()
    status = live.status()
    assert (status.version, status.problem) == ("7.1.1", "")
    assert [bad.revision for bad in status.rejected] == [sha]


def test_a_network_that_crashes_is_noticed_elsewhere(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    folder = make_bundle(tmp_path / "broken", "7.1.0")
    a_crash(folder)
    publish(settings, folder)
    watcher.check()
    assert live.status().version == EMBEDDED
    assert live.status().rejected


def test_an_older_format_is_served(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    old = {"format": 1, "parents": ["smartbreed/pets 0.9"]}
    publish(settings, make_bundle(tmp_path / "old", "7.1.0", change=lambda config: config.update(old)))
    watcher.check()
    assert live.status().version == "7.1.0"


def test_the_first_start_passes_over_a_broken_release(settings: Settings, tmp_path: Path) -> None:
    asked = settings.model_copy(update={"model": REPO})
    publish(settings, make_bundle(tmp_path / "good", "7.1.0"))
    broken = make_bundle(tmp_path / "broken", "7.2.0")
    tampered(broken)
    publish(settings, broken)
    assert LiveModel(asked).status().version == "7.1.0"


def reject(settings: Settings, sha: str) -> None:
    """As the app does after a smoke test."""
    rejected = Rejected(revision=sha, reason="It did not pass the smoke test.")
    StateFile(settings.home_dir).change(read_source(settings).key, lambda state: state.failing(rejected))


def test_the_first_start_tries_a_rejected_release_last(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def try_out(bundle: Bundle) -> None:
        tried.append(bundle.version.version)

    monkeypatch.setattr("smartbreed.registry.smoke_test.try_out", try_out)
    asked = settings.model_copy(update={"model": REPO})
    publish(settings, make_bundle(tmp_path / "good", "7.1.0"))
    sha = publish(settings, make_bundle(tmp_path / "bad", "7.2.0", turn=1))
    reject(asked, sha)
    assert LiveModel(asked).status().version == "7.1.0"
    assert tried == ["7.1.0"]


@pytest.mark.parametrize("rejected", [["7.2.0"], ["7.1.0"], ["7.1.0", "7.2.0"]])
def test_the_first_start_tries_rejected_releases_if_there_is_no_other(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rejected: list[str]
) -> None:
    """Each is tried once, the newest first among its kind; 7.1.0 works again."""
    tried: list[str] = []

    def try_out(bundle: Bundle) -> None:
        tried.append(bundle.version.version)
        if bundle.version.version != "7.1.0":
            raise BundleError("It does not work.")

    monkeypatch.setattr("smartbreed.registry.smoke_test.try_out", try_out)
    asked = settings.model_copy(update={"model": REPO})
    shas = {
        version: publish(settings, make_bundle(tmp_path / version, version, turn=turn))
        for turn, version in enumerate(("7.1.0", "7.2.0"))
    }
    for version in rejected:
        reject(asked, shas[version])
    assert LiveModel(asked).status().version == "7.1.0"
    assert tried == (["7.1.0"] if rejected == ["7.2.0"] else ["7.2.0", "7.1.0"])


def test_a_disk_that_fails_for_a_moment_rejects_no_release(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for part in ("inference.bundle.check_contents", "registry.releases.check_folder"):
        with monkeypatch.context() as patched:
            patched.setattr(f"smartbreed.{part}", fail)
            watcher.check()
        assert "could not be read" in live.status().problem
        assert (live.status().version, live.status().rejected) == (EMBEDDED, ())
    watcher.check()
    assert (live.status().version, live.status().problem) == ("7.1.0", "")
    with monkeypatch.context() as patched:
        patched.setattr("smartbreed.registry.initial_model.open_release", _unreadable)
        assert LiveModel(settings).status().version == EMBEDDED, "a start falls back on the next one"


def _unreadable(*_: object) -> Bundle:
    raise StorageError("The model bundle could not be read.")


def test_a_repo_that_vanished(live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path) -> None:
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    delete_repo(connect(settings), REPO, "model")
    watcher.check()
    assert live.status().version == "7.1.0"
    assert REPO in live.status().problem
    assert LiveModel(settings).status().version == "7.1.0"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[HubStore, str]]:
    """A Hub on a port."""
    store = HubStore(tmp_path / "far" / "hub")
    with serving(store) as endpoint:
        yield store, endpoint
    store.close()


def test_a_hub_that_died(settings: Settings, tmp_path: Path) -> None:
    store = HubStore(tmp_path / "far")
    with serving(store) as endpoint:
        there = settings.model_copy(update={"hub": endpoint, "model": REPO})
        sha = publish(there, make_bundle(tmp_path / "new", "7.1.0"))
        live = LiveModel(there)
    watcher = Watcher(live)
    watcher.check()
    assert live.status().version == "7.1.0"
    assert "cannot be reached" in live.status().problem
    assert LiveModel(there).status().revision == sha
    assert open_bundle(there).version.revision == sha
    with pytest.raises(HubCallError):
        live.use("7.2.0")
    assert live.use("7.1.0") is not None, "it lies here"
    with pytest.raises(BundleError, match="could not be reached"):
        LiveModel(there.model_copy(update={"model": "me/another"}))


def test_a_hub_that_never_answers(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        there = settings.model_copy(update={"hub": f"http://127.0.0.1:{deaf.getsockname()[1]}"})
        live = LiveModel(there)
        Watcher(live).check()
    assert live.status().version == EMBEDDED
    assert "did not answer in time" in live.status().problem


def test_the_watcher_outlives_a_hub_that_comes_and_goes(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    store = HubStore(tmp_path / "far")
    there = settings.model_copy(update={"hub": f"http://127.0.0.1:{port}", "watch": 0.2})
    live = LiveModel(there)
    watcher = Watcher(live, tick=0.05)
    watcher.start()
    until(lambda: live.status().problem)
    with serving(store, port=port):
        publish(there, make_bundle(tmp_path / "new", "7.1.0"))
        until(lambda: live.status().version == "7.1.0")
        assert live.status().problem == ""
    until(lambda: "cannot be reached" in live.status().problem)
    watcher.stop()
    store.close()


def test_a_partial_cache_with_the_hub_down_is_not_served(settings: Settings, tmp_path: Path) -> None:
    store = HubStore(tmp_path / "far")
    with serving(store) as endpoint:
        there = settings.model_copy(update={"hub": endpoint})
        sha = publish(there, make_bundle(tmp_path / "new", "7.1.0"))
        download(connect(there), there, REPO, sha)
    [snapshot] = (settings.home_dir / "hub-cache").glob("models--*/snapshots/*")
    link = snapshot / "classifier.tflite"
    link.resolve().unlink()
    link.unlink()
    with pytest.raises(HubCallError):
        download(connect(there), there, REPO, sha)
    with pytest.raises(BundleError, match="could not be reached"):
        LiveModel(there.model_copy(update={"model": f"{REPO}@{sha}"}))


def test_a_damaged_cache_is_mended(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    """A file of what serves rots on the disk: the start falls back, then it is fetched again."""
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    [snapshot] = (settings.home_dir / "hub-cache").glob("models--*/snapshots/*")
    flip((snapshot / "classifier.tflite").resolve())
    again = LiveModel(settings)
    assert again.status().version == EMBEDDED
    second = Watcher(again)
    for _ in range(2):  # the first look notices and removes the damaged file
        second.check()
    assert again.status().version == "7.1.0"
    shutil.rmtree(settings.home_dir / "hub-cache")
    assert LiveModel(settings).status().version == EMBEDDED


def test_a_pinned_release_whose_files_are_gone_is_fetched_again(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    live.use("7.1.0")
    shutil.rmtree(settings.home_dir / "hub-cache")
    again = LiveModel(settings)
    assert again.status().version == EMBEDDED
    Watcher(again).check()
    assert (again.status().version, again.status().chosen) == ("7.1.0", "pinned")


def test_killed_while_downloading(
    settings: Settings, tmp_path: Path, elsewhere: tuple[HubStore, str]
) -> None:
    """The half of a download is never served, and the next start goes on with it; 8 kills."""
    _, endpoint = elsewhere
    there = settings.model_copy(update={"hub": endpoint})
    sha = publish(there, make_bundle(tmp_path / "new", "7.1.0", detector=True))
    luck = random.Random(2)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = 0
    for _ in range(8):
        child = start("-c", FETCH, settings.home_dir, endpoint, sha, env=environment)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(luck.random() * 0.15)
        kill(child)
        done += "done" in child.communicate()[0]
        assert LiveModel(there).status().version == EMBEDDED
        if done:
            shutil.rmtree(settings.home_dir / "hub-cache")
            done = 0
    live = LiveModel(there)
    Watcher(live).check()
    assert live.status().version == "7.1.0"


def test_a_full_disk_stops_no_swap_halfway(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    """The choice cannot be written down: the new one answers all the same, and the next start asks again."""
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    (settings.home_dir / "models").write_text("in the way")
    watcher.check()
    assert live.status().version == "7.1.0"
    assert LiveModel(settings).status().version == EMBEDDED


def test_a_release_too_large_is_not_downloaded(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartbreed.registry.releases.MOST_BYTES", 1_000_000)
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    assert "at most" in live.status().problem
    assert not list((settings.home_dir / "hub-cache").glob("models--*/blobs/*.incomplete"))


def test_stopping_does_not_wait_for_a_hub(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        there = load_settings(home=settings.home, hub=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        live = LiveModel(there)
        watcher = Watcher(live, tick=0.02)
        watcher.start()
        watcher.poke()
        deaf.settimeout(60)
        connection, _ = deaf.accept()
        stopper = threading.Thread(target=watcher.stop, args=(0.2,))
        stopper.start()
        stopper.join(15)
        assert not stopper.is_alive()
        connection.close()
