"""The tools built on the client, each in a process of its own that HF_ENDPOINT leads here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.embedded_hub import Hub

from localhub.embedded import serving
from localhub.server import HubApp
from localhub.store import HubStore
from smartbreed.hub import session
from smartbreed.hub.embedded import mount_in_process

DATASETS = """
import json
from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetNotFoundError
rows = Dataset.from_dict({"breed": ["pug", "beagle", "persian"], "score": [1, 2, 3]})
first = rows.push_to_hub("pets/flags", split="train")
rows.select([0]).push_to_hub("pets/flags", split="test")
loaded = load_dataset("pets/flags", split="train")
streamed = list(load_dataset("pets/flags", split="test", streaming=True))
old = load_dataset("pets/flags", revision=first.oid)
try:
    load_dataset("blabla")
except DatasetNotFoundError:
    streamed.append("no blabla")
mine = [rows.push_to_hub("mine").repo_url.repo_id, rows.push_to_hub("mine").repo_url.repo_id]
print(json.dumps([loaded.to_dict(), streamed, sorted(old), sorted(load_dataset("pets/flags")), mine]))
"""
CARD = """
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_update
card = ModelCard("---\\nlicense: apache-2.0\\n---\\n# A card")
card.push_to_hub("pets/breeds")
metadata_update("pets/breeds", {"tags": ["dog"]})
card = ModelCard.load("pets/breeds")
print(card.data.license, card.data.tags, card.text.strip())
"""
KERAS = """
import keras
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.save("hf://pets/keras")
again = keras.saving.load_model("hf://pets/keras")
print((again.get_weights()[0] == model.get_weights()[0]).all())
"""
HOST = "test.hub.smartbreed.invalid"
IN_PROCESS = """
import sys
from pathlib import Path
from localhub.embedded import environment
from smartbreed.hub.embedded import mount_in_process
from localhub.server import HubApp
from localhub.store import HubStore
mount_in_process(HubApp(HubStore(Path(sys.argv[1]))), "test.hub.smartbreed.invalid")
exec(sys.argv[2])
"""


def test_datasets_pushes_loads_and_streams(store: HubStore, run_client: Callable[..., str]) -> None:
    with serving(store) as endpoint:
        printed = run_client(endpoint, sys.executable, "-c", DATASETS)
    loaded, streamed, old, splits, mine = json.loads(printed.splitlines()[-1])
    assert loaded == {"breed": ["pug", "beagle", "persian"], "score": [1, 2, 3]}
    assert streamed == [{"breed": "pug", "score": 1}, "no blabla"]
    assert mine == ["local/mine"] * 2
    assert (old, splits) == (["train"], ["test", "train"])


@pytest.mark.slow
def test_datasets_works_with_no_port_at_all(tmp_path: Path, run_client: Callable[..., str]) -> None:
    printed = run_client(f"http://{HOST}", sys.executable, "-c", IN_PROCESS, str(tmp_path / "hub"), DATASETS)
    assert json.loads(printed.splitlines()[-1])[0]["breed"] == ["pug", "beagle", "persian"]


def test_a_model_card_is_pushed_updated_and_loaded(store: HubStore, run_client: Callable[..., str]) -> None:
    store.create_repo("pets/breeds")
    with serving(store) as endpoint:
        printed = run_client(endpoint, sys.executable, "-c", CARD)
    assert printed.split(maxsplit=2) == ["apache-2.0", "['dog']", "# A card\n"]


def test_the_command_line_uploads_downloads_and_deletes(
    store: HubStore, tmp_path: Path, run_client: Callable[..., str]
) -> None:
    hf = str(Path(sys.executable).with_name("hf"))
    (tmp_path / "up" / "sub").mkdir(parents=True)
    (tmp_path / "up" / "a.txt").write_text("hello")
    (tmp_path / "up" / "sub" / "b.bin").write_bytes(b"\0\1\2")
    with serving(store) as endpoint:

        def run(*words: str) -> str:
            return run_client(endpoint, hf, *words, token="hf_anything")

        assert "local" in run("auth", "whoami")
        run("upload", "pets/cli", "up", ".", "--repo-type", "dataset")
        run("download", "pets/cli", "--repo-type", "dataset", "--local-dir", "down")
        assert (tmp_path / "down" / "a.txt").read_text() == "hello"
        assert (tmp_path / "down" / "sub" / "b.bin").read_bytes() == b"\0\1\2"
        run("repos", "delete", "pets/cli", "--repo-type", "dataset", "--yes")
        assert endpoint


@pytest.mark.slow
def test_keras_saves_and_loads(store: HubStore, run_client: Callable[..., str]) -> None:
    with serving(store) as endpoint:
        printed = run_client(endpoint, sys.executable, "-c", KERAS, timeout=250)
    assert printed.splitlines()[-1] == "True"


def test_a_mounted_hub_survives_a_second_setup_of_the_client(hub: Hub) -> None:
    session.install()
    assert hub.api.create_repo("pets/some").repo_id == "pets/some"
    assert mount_in_process(HubApp(hub.store), HOST) == f"http://{HOST}"
