"""Full mode from end to end on tiny networks: base dataset and accepted photos in, a served release out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from retrain_tools import settings_in
from retrain_world import World
from tiny_bundle import BREEDS, write_bundle
from tiny_data import pets_dataset

from smartbreed.hub.client import commit_files, connect, ensure_repo
from smartbreed.models.releases import download
from training.replay import load_origins, load_replay
from training.retraining import full
from training.retraining.base import base_folder
from training.retraining.gate import Verdict
from training.retraining.gate_set import load_gate

#: What makes the recipe tiny.
TINY = ("model.input_size=64", "model.alpha=0.35", "model.freeze_till=", "train.epochs=1", "train.batch=8",
        "data.least=4", "head.least_steps=5", "export.replay=3", "export.form=float16")  # fmt: skip


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"), BREEDS)


@pytest.fixture
def world(tmp_path: Path, pets: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL"):
        monkeypatch.delenv(name, raising=False)
    champion = write_bundle(tmp_path / "champion", detector=True)
    return World(settings_in(tmp_path / "home", model=str(champion), base_dataset=str(pets)))


def lenient(judge: Any) -> Any:
    """Tiny networks guess: the gate looks, and lets everything pass."""

    def judged(*arguments: Any, **options: Any) -> Verdict:
        found = judge(*arguments, **options)
        return replace(found, checks=[replace(check, passed=True) for check in found.checks])

    return judged


def test_a_new_breed_in_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full, "judge", lenient(full.judge))
    world.introduce(range(40))
    found = world.retrain("full", overrides=TINY)
    assert (found["published"], found["version"], found["learnt"]) == (True, "0.1.0", ["mudi"])
    assert set(world.tags()) == {"v0.0.1", "v0.1.0"}
    assert world.tags()["v0.1.0"] == found["revision"] == world.head()
    bundle = download(connect(world.settings), world.settings, world.settings.model_repo, found["revision"])
    assert [label.id for label in bundle.config.classifier.labels] == [*BREEDS, "mudi"]
    config = json.loads((bundle.folder / "config.json").read_text())
    assert config["root"]["version"] == "0.1.0", "head mode is held against it from now on"
    assert config["retraining"]["held_out"] + config["retraining"]["samples"] == 40
    learnt = json.loads((bundle.folder / "learnt.json").read_text())
    assert len(learnt["held_out"]) >= 5
    home = world.settings.home_dir
    assert not [path for kind in ("*.parquet", "*.npy") for path in (home / "retraining").rglob(kind)]
    # What a later version leaves out when it was erased: everything of an accepted sample is marked.
    remembered = load_origins(bundle.folder / "replay.npz")
    gate = load_gate(bundle)
    assert gate is not None
    assert {*remembered, *gate.origins} - {""} <= {*learnt["samples"]}
    labels = load_replay(bundle.folder / "replay.npz")[1]
    assert set(labels[remembered != ""]) == {len(BREEDS)}, "the new breed is known by accepted samples alone"


def test_the_base_dataset_may_lie_in_a_repo(world: World, pets: Path) -> None:
    api = connect(world.settings)
    ensure_repo(api, "me/base", "dataset")
    files: dict[str, bytes | Path] = {
        str(path.relative_to(pets)): path for path in pets.rglob("*") if path.is_file()
    }
    commit_files(api, "me/base", "dataset", files, title="pictures")
    asked = world.settings.model_copy(update={"base_dataset": "me/base"})
    folder = base_folder(api, asked)
    assert sorted(str(path.relative_to(folder)) for path in (folder / "breeds").glob("*")) == sorted(
        str(path.relative_to(pets)) for path in (pets / "breeds").glob("*")
    )
