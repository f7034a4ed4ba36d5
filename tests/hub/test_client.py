"""A model from a Hub, through the real client and a real port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbreed.hub.client import parse_repo

SHA = "0123456789abcdef0123456789abcdef01234567"
#: Opens the bundle in a fresh process: the library reads HF_ENDPOINT once, at import.
OPEN = """
import json
from smartbreed.config import load_settings
from smartbreed.errors import SmartBreedError
from smartbreed.services import open_bundle
try:
    bundle = open_bundle(load_settings())
    print(json.dumps(bundle.version.as_dict()))
except SmartBreedError as error:
    print(json.dumps(error.as_dict()))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A bundle small enough to be checked by hand; its networks are never run here."""
    from smartbreed.vision.bundle import write_config

    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "classifier.tflite").write_bytes(b"not run here" * 1000)
    section = {
        "input_size": 64,
        "labels": [{"id": "pug", "species": "dog"}],
        "thresholds": {"breed": 0.5, "group": 0.5},
    }
    write_config(folder, {"format": 1, "name": "tiny", "version": "3.1.4", "classifier": section})
    return folder


@pytest.fixture
def hub(repo: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("readonly_hub.py")
    process = subprocess.Popen([sys.executable, str(script), str(repo), str(port), SHA])
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def open_model(model: str, endpoint: str, home: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        "SMARTBREED_MODEL": model,
        "SMARTBREED_HOME": str(home),
        "HF_ENDPOINT": endpoint,
    }
    done = subprocess.run(
        [sys.executable, "-c", OPEN], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_repo_is_downloaded_verified_and_named_by_its_full_sha(hub: str, tmp_path: Path) -> None:
    answer = open_model("pets/breeds", hub, tmp_path / "home")
    assert answer == {"repo": "pets/breeds", "revision": SHA, "version": "3.1.4"}
    # Once downloaded it opens by its sha with the Hub gone.
    assert open_model(f"pets/breeds@{SHA}", "http://127.0.0.1:9", tmp_path / "home")["revision"] == SHA


def test_a_changed_file_is_refused(hub: str, repo: Path, tmp_path: Path) -> None:
    (repo / "classifier.tflite").write_bytes(b"something else")
    answer = open_model("pets/breeds", hub, tmp_path / "home")
    assert answer["code"] == "bad_bundle"
    assert "classifier.tflite" in answer["message"]


@pytest.mark.parametrize(
    ("model", "said"), [("pets/none", "no model repo"), ("pets/breeds@v9", "no revision v9")]
)
def test_what_is_not_there_is_named(hub: str, tmp_path: Path, model: str, said: str) -> None:
    assert said in open_model(model, hub, tmp_path / "home")["message"]


def test_a_dead_hub_and_a_wrong_folder_are_sentences(tmp_path: Path) -> None:
    assert "could not be reached" in open_model("pets/breeds", "http://127.0.0.1:9", tmp_path)["message"]
    assert "no folder" in open_model("./nowhere", "http://127.0.0.1:9", tmp_path)["message"]


def test_repo_ids() -> None:
    assert parse_repo("a/b") == ("a/b", "main")
    assert parse_repo("a/b@v1.0.0") == ("a/b", "v1.0.0")
    assert parse_repo("/tmp/folder") is None
    assert parse_repo("a") is None
