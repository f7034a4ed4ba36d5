"""A home that commit cddeaa4 wrote, before the packages moved, opens as it is; `make_home.py` made it."""

from __future__ import annotations

import json
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from gradio_client import Client, handle_file
from huggingface_hub import HfApi
from PIL import Image
from support.processes import Server, smartbreed

from localhub.embedded import serving
from localhub.store import HubStore

pytestmark = pytest.mark.slow
SETTINGS = {"SMARTBREED_HUB": "embedded", "SMARTBREED_MODEL": "smartbreed/pets"}


def unpack(folder: Path) -> Path:
    with tarfile.open(Path(__file__).parent / "home.tar.xz") as tar:
        tar.extractall(folder, filter="data")
    return folder / "home"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return unpack(tmp_path)


@pytest.fixture
def command(home: Path) -> Any:
    def run(*words: str) -> str:
        done = smartbreed(home.parent, *words, **SETTINGS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def served(home: Path) -> Iterator[Server]:
    with Server(home.parent, **SETTINGS, SMARTBREED_PUBLISH_EVERY="0") as server:
        yield server


def flags_in_dataset(home: Path) -> list[dict[str, Any]]:
    """Rows of every shard of flags in the dataset repo, read from the embedded Hub as any client would."""
    store = HubStore(home / "hub")
    try:
        with serving(store) as endpoint:
            api = HfApi(endpoint=endpoint, token=False)
            names = api.list_repo_files("smartbreed/flags", repo_type="dataset")
            shards = [name for name in names if "/flags/" in name and name.endswith(".parquet")]
            paths = [
                api.hf_hub_download("smartbreed/flags", name, repo_type="dataset", local_dir=home.parent)
                for name in shards
            ]
            return [row for path in paths for row in pq.ParquetFile(path).read().to_pylist()]
    finally:
        store.close()


def test_its_retrained_model_answers_and_its_flags_are_shown(served: Server, home: Path) -> None:
    client = Client(served.url, verbose=False)
    with urllib.request.urlopen(f"{served.url}api/health") as response:
        health = json.load(response)
    assert (health["model"]["repo"], health["model"]["version"]) == ("smartbreed/pets", "0.1.1")
    assert health["flags"] == {"pending": 3}
    red = home.parent / "red.png"
    pixels = np.random.default_rng(0).normal((200, 60, 40), 12, (12, 12, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(red)
    answer = client.predict(handle_file(str(red)), whole=True, api_name="/identify")
    assert answer["pets"][0]["breeds"][0]["id"] == "birman", "as it learnt to call red"
    for page in ("", "tour", "review", "train"):
        with urllib.request.urlopen(served.url + page) as response:
            assert response.status == 200


def test_commands_show_and_publish_what_waits(command: Any, home: Path) -> None:
    assert command("flags", "count").split() == ["33"]
    versions = command("models", "list")
    assert "0.1.0" in versions
    assert "0.1.1" in versions
    before = flags_in_dataset(home)
    assert len(before) == 30
    command("flags", "publish")
    after = flags_in_dataset(home)
    assert {row["verdict"] for row in after} == {"wrong", "unsure", "correct", "not_a_pet"}
    assert len(after) == 33
    assert json.loads(command("flags", "status", "--json"))["pending"] == 0
