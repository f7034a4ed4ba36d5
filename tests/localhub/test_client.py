"""A model from a Hub, through the real client and a real port."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import run

from localhub.embedded import serving
from localhub.names import RepoName
from localhub.store import HubStore
from smartbreed.hub.client import parse_repo

REPO = "pets/breeds"
#: Opens bundles in a fresh process: the library reads HF_ENDPOINT once, at import.
OPEN = """
import json, sys
from smartbreed.core.settings import load_settings
from smartbreed.core.errors import SmartBreedError
from smartbreed.registry import open_bundle
for model in sys.argv[1:]:
    try:
        print(json.dumps(open_bundle(load_settings(model=model)).version.as_dict()))
    except SmartBreedError as error:
        print(json.dumps(error.as_dict()))
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A bundle small enough to be checked by hand; its networks are never run here."""
    from smartbreed.inference.bundle import write_config

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
def sha(store: HubStore, repo: Path) -> str:
    """The full id of the commit that holds the bundle."""
    store.create_repo(REPO)
    return push(store, repo)


@pytest.fixture
def endpoint(store: HubStore, sha: str) -> Iterator[str]:
    with serving(store) as endpoint:
        yield endpoint


def push(store: HubStore, folder: Path) -> str:
    changes = [store.put_text(path.name, path.read_bytes()) for path in folder.iterdir()]
    return store.commit(RepoName("model", *REPO.split("/")), "main", changes, title="the bundle").oid


def open_models(endpoint: str, home: Path, *models: str) -> list[dict[str, str]]:
    environment = {**os.environ, "SMARTBREED_HOME": str(home), "HF_ENDPOINT": endpoint}
    done = run("-c", OPEN, *models, env=environment, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_repo_is_downloaded_verified_and_named_by_its_full_sha(
    endpoint: str, sha: str, tmp_path: Path
) -> None:
    opened, no_repo, no_revision = open_models(
        endpoint, tmp_path / "home", "pets/breeds", "pets/none", "pets/breeds@v9"
    )
    assert opened == {"repo": "pets/breeds", "revision": sha, "version": "3.1.4"}
    assert "no model repo" in no_repo["message"]
    assert "no revision v9" in no_revision["message"]
    # Once downloaded it opens by its sha with the Hub gone.
    by_sha, unknown, no_folder = open_models(
        "http://127.0.0.1:9", tmp_path / "home", f"pets/breeds@{sha}", "pets/other", "./nowhere"
    )
    assert by_sha["revision"] == sha
    assert "could not be reached" in unknown["message"]
    assert "no folder" in no_folder["message"]


def test_a_changed_file_is_refused(endpoint: str, store: HubStore, repo: Path, tmp_path: Path) -> None:
    (repo / "classifier.tflite").write_bytes(b"something else")
    push(store, repo)
    (answer,) = open_models(endpoint, tmp_path / "home", "pets/breeds")
    assert answer["code"] == "bad_bundle"
    assert "classifier.tflite" in answer["message"]


def test_repo_ids() -> None:
    assert parse_repo("a/b") == ("a/b", "main")
    assert parse_repo("a/b@v1.0.0") == ("a/b", "v1.0.0")
    assert parse_repo("/tmp/folder") is None
    assert parse_repo("a") is None
