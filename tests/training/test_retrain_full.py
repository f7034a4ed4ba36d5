"""Full mode from end to end on tiny networks: base dataset and accepted photos in, a served release out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.retraining import RetrainingWorld
from support.shards import settings_in
from support.tiny_bundle import BREEDS, write_bundle
from support.tiny_data import pets_dataset

from smartbreed.hub.client import commit_files, connect, ensure_repo
from smartbreed.inference.stored_embeddings import REPLAY, read_embeddings
from smartbreed.registry.releases import download
from training.common.errors import DataError
from training.continual import full
from training.continual.base_dataset import base_folder
from training.continual.gate import GateResult
from training.data import load_scenes
from training.data.crops import load_crops
from training.data.rows import files_of
from training.export.gate_set import load_gate

#: What makes the recipe tiny.
TINY = ("model.input_size=64", "model.alpha=0.35", "model.freeze_till=", "train.epochs=1", "train.batch=8",
        "data.least=4", "head.least_steps=5", "export.replay=3", "export.form=float16")  # fmt: skip


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"), BREEDS)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("tiny") / "champion", detector=True)


@pytest.fixture
def world(tmp_path: Path, pets: Path, champion: Path, monkeypatch: pytest.MonkeyPatch) -> RetrainingWorld:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return RetrainingWorld(settings_in(tmp_path / "home", model=str(champion), base_dataset=str(pets)))


def lenient(compare: Any) -> Any:
    """Tiny networks guess: the gate looks, and lets everything pass."""

    def judged(*arguments: Any, **options: Any) -> GateResult:
        found = compare(*arguments, **options)
        return replace(found, checks=[replace(check, passed=True) for check in found.checks])

    return judged


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", ["with a README and scenes", "breeds alone"])
def test_a_new_breed_in_everything(
    world: RetrainingWorld,
    pets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    if what == "breeds alone":
        world = on(world, copied(pets, tmp_path / "base", "README.md"))
        shutil.rmtree(tmp_path / "base" / "scenes")
    monkeypatch.setattr(full, "compare", lenient(full.compare))
    world.introduce(range(40))
    found = world.retrain("full", overrides=TINY)
    each_stage_moves(capsys.readouterr().out)
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
    remembered = read_embeddings(bundle.folder / REPLAY)
    gate = load_gate(bundle)
    assert gate is not None
    assert bool(len(gate.out_of_distribution)) == (what != "breeds alone"), (
        "what shows no breed goes on being known"
    )
    assert config["root"]["pictures"] == gate.base.sum()
    assert {*remembered.origins, *gate.origins} - {""} <= {*learnt["samples"]}
    assert set(remembered.labels[remembered.origins != ""]) == {len(BREEDS)}, "of accepted samples alone"


def each_stage_moves(output: str) -> None:
    """What takes long says more than that it has begun and that it is done."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"stage"')]
    for stage in ("embed", "fit", "calibrate", "gate"):
        shares = [line["done"] / line["of"] for line in lines if line["stage"] == stage]
        assert len({share for share in shares if 0 < share < 1}) >= 3, (stage, shares)
        steps = [line for line in lines if line["stage"] == stage and line["of"] != 40]  # 40: cut before
        reported = [line["done"] / line["of"] for line in steps[1:]]
        assert reported == sorted(reported) or stage == "embed", (stage, reported)
    said = [line["message"] for line in lines if line["stage"] == "fit"]
    assert any(message.startswith("Epoch 1 of 1: step") for message in said), said
    last_look = max(
        (line["done"] / line["of"] for line in lines if line["message"].startswith("Looking at 1")), default=0
    )
    assert last_look < 0.9, "an epoch is work too"


def copied(pets: Path, folder: Path, *without: str) -> Path:
    shutil.copytree(pets, folder)
    for name in without:
        (folder / name).unlink()
    return folder


def on(world: RetrainingWorld, base: Path | str) -> RetrainingWorld:
    return RetrainingWorld(world.settings.model_copy(update={"base_dataset": str(base)}))


def test_a_folder_needs_no_readme(pets: Path, tmp_path: Path) -> None:
    """The README may be missing, or not name the configuration; files without a split are trained on."""
    bare = copied(pets, tmp_path / "bare", "README.md")
    other = copied(pets, tmp_path / "other")
    (other / "README.md").write_text("---\nconfigs:\n- config_name: birds\n  data_files: x/*.parquet\n---\n")
    unnamed = copied(pets, tmp_path / "unnamed", "README.md")
    (unnamed / "breeds" / "test-00000-of-00001.parquet").unlink()
    (unnamed / "breeds" / "train-00000-of-00001.parquet").rename(unnamed / "breeds" / "pictures.parquet")
    wanted = load_crops(str(pets), "train")
    for folder in (bare, other, unnamed):
        found = load_crops(str(folder), "train")
        assert found.hashes == wanted.hashes
        assert found.names == wanted.names
    assert len(load_scenes(str(bare), "train")) == len(load_scenes(str(pets), "train"))
    assert {split: len(files) for split, files in files_of(str(unnamed), "breeds").items()} == {"train": 1}
    assert set(files_of(str(pets), "breeds")) == set(files_of(str(bare), "breeds")) == {"train", "test"}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nowhere", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("a file", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("no breeds", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("no such repo", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("damaged", "A file of the base dataset cannot be read"),
        ("no species", "no species"),
        ("no names", "its column breed must be a ClassLabel"),
        ("other breeds", "lists other breeds than the model"),
    ],
)
def test_a_base_dataset_of_no_use_is_refused_at_once(
    world: RetrainingWorld, pets: Path, tmp_path: Path, what: str, said: str
) -> None:
    import pyarrow.parquet as pq

    base: Path | str = copied(pets, tmp_path / "base", "README.md")
    shard = tmp_path / "base" / "breeds" / "train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    if what == "nowhere":
        base = tmp_path / "nowhere"
    elif what == "a file":
        base = shard
    elif what == "no breeds":
        shutil.rmtree(tmp_path / "base" / "breeds")
    elif what == "no such repo":
        base = "me/nothing"
    elif what == "damaged":
        shard.write_bytes(shard.read_bytes()[:-200])
    elif what == "no species":
        pq.write_table(table.drop_columns(["species"]), shard)
    elif what == "no names":
        for path in shard.parent.glob("*.parquet"):
            pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    else:
        shutil.rmtree(tmp_path / "base")
        base = pets_dataset(tmp_path / "base", ("pug", "beagle"))
    world.introduce(range(40))
    with pytest.raises(DataError, match=said):
        on(world, base).retrain("full", overrides=TINY)
    assert world.tags() == {}


def test_the_base_dataset_may_lie_in_a_repo(world: RetrainingWorld, pets: Path) -> None:
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
