"""Every recipe runs through every stage on tiny data, and what it leaves is served by the app's own code."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.clock import until
from support.processes import kill, start
from support.tiny_data import image_folder, pets_dataset, picture

from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from training.common.errors import StageError, TrainingError
from training.common.run_directory import RunDirectory
from training.pipeline.runner import adopt, run_recipe, select
from training.pipeline.stage import NAMES, choices_of
from training.recipe.file import load_recipe

#: What makes a recipe tiny, whatever its backbone.
TINY = ("model.input_size=64", "model.start=none", "model.freeze_till=", "train.epochs=1", "train.batch=8",
        "data.least=4", "data.limit=0", "head.least_steps=5", "export.replay=3",
        "evaluate.robustness=0", "evaluate.forms=false")  # fmt: skip
NARROW = "model.alpha=0.35"
#: A backbone whose training step is traced in a second; `breeds` keeps the real one.
SMALL = ("model.backbone=small_cnn", "model.input_size=32", "model.alpha=0.5")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_folder(tmp_path_factory.mktemp("folder") / "photos")


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random stand-in for the published weights, head included."""
    keras.utils.set_random_seed(2)
    model = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, weights=None)
    arrays = {f"{layer.name}/{v.name}": np.asarray(v.value) for layer in model.layers for v in layer.weights}
    path = tmp_path_factory.mktemp("imagenet") / "tiny.npz"
    np.savez(path, **arrays)
    return path


def run_all(name: str, run: Path, *overrides: str, stages: tuple[str, ...] = NAMES) -> RunDirectory:
    directory = RunDirectory(run, quiet=True)
    run_recipe(load_recipe(name, [*TINY, *overrides]), directory, stages)
    return directory


def complete(run: RunDirectory, name: str, *overrides: str) -> list[str]:
    recipe = load_recipe(name, [*TINY, *overrides])
    return [stage for stage in NAMES if run.is_complete(stage, choices_of(stage, recipe))]


def served(run: RunDirectory, label: int = 0) -> Any:
    """What the app would answer about a picture of a class."""
    identifier = Identifier.load(run / "bundle", threads=1)
    return identifier.identify(read_photo(picture(label, 999)), whole=True)


def check(run: RunDirectory) -> dict[str, Any]:
    for name in ("config.yaml", "log.jsonl", "scores.json", "report/README.md", "report/report.json"):
        assert (run / name).is_file(), name
    assert list((run / "plots").glob("*.png"))
    assert list((run / "tensorboard").rglob("events*"))
    assert "model-index" in (run / "bundle/README.md").read_text()
    config = json.loads((run / "bundle/config.json").read_text())
    assert config["metrics"] == run.read_json("scores.json")
    return config


@pytest.fixture(scope="module")
def dogs_vs_cats(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return run_all("dogs_vs_cats", tmp_path_factory.mktemp("runs") / "dvc", *SMALL, f"data.source={pets}",
                   "data.config=breeds", "data.label=species")  # fmt: skip


@pytest.mark.slow
def test_dogs_vs_cats(dogs_vs_cats: RunDirectory) -> None:
    config = check(dogs_vs_cats)
    assert [label["id"] for label in config["classifier"]["labels"]] == ["cat", "dog"]
    assert config["detector"] is None
    assert served(dogs_vs_cats).pets[0].species in ("cat", "dog")


@pytest.mark.slow
def test_a_soup_is_kept_only_when_it_is_better(
    pets: Path, dogs_vs_cats: RunDirectory, tmp_path: Path
) -> None:
    run = run_all("dogs_vs_cats", tmp_path / "run", *SMALL, f"data.source={pets}", "data.config=breeds",
                  "data.label=species", "seed=8", f"train.soup={dogs_vs_cats / 'bundle'}",
                  stages=("prepare", "train"))  # fmt: skip
    log = run.read_json("training.json")
    better = log["soup"]["val_loss"] < log["blends"][-1]["val_loss"]
    assert log["soup"]["kept"] == better
    assert log["held_back"]["val_loss"] == pytest.approx(
        (log["soup"] if better else log["blends"][-1])["val_loss"], abs=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dogs_vs_cats_vgg16", "dogs_vs_cats_scratch"])
def test_dogs_vs_cats_with_other_backbones(name: str, pets: Path, tmp_path: Path) -> None:
    run = run_all(name, tmp_path / "run", f"data.source={pets}", "data.config=breeds", "data.label=species")
    assert check(run)["classifier"]["architecture"] in ("VGG16", "small_cnn")


@pytest.mark.slow
def test_breeds_with_teachers_outliers_and_a_detector(pets: Path, imagenet: Path, tmp_path: Path) -> None:
    changes = (NARROW, f"data.source={pets}", f"model.start={imagenet}", "model.freeze_till=block_2_add",
               "distil.teachers=[{kind: imagenet_head}, {kind: bundle, file: embedded}]", "distil.views=2",
               "head.rows=imagenet", "head.epochs=2", "split.validation=0.2",
               "train.blends=[0.6, 0.8, 1.0]", "train.soup=", "export.name=tiny")  # fmt: skip
    run = run_all("breeds_small", tmp_path / "run", *changes, stages=NAMES[: NAMES.index("card")])
    config = json.loads((run / "bundle/config.json").read_text())
    assert run.read_json("scores.json")["classifier"]["pictures"] == 15
    assert [label["id"] for label in config["classifier"]["labels"]] == ["siamese", "pug", "beagle"]
    assert config["detector"]["file"] == "detector.tflite"
    log = run.read_json("training.json")
    assert [blend["share"] for blend in log["blends"]] == [0.6, 0.8, 1.0]
    for name in ("head.weights.h5", "targets.npy", "averaged.weights.h5", "log.json", "backup"):
        assert (run / name).exists()
    assert np.load(run / "targets.npy").shape[::2] == (2, 3)  # views, labels
    assert served(run).pets[0].breeds[0].id in ("siamese", "pug", "beagle")
    # No detector finds a pet in rectangles; the card says so.
    run_all("breeds_small", tmp_path / "run", *changes, stages=("card",))
    assert "| species of the best pet, where one is found | – |" in (run / "bundle/README.md").read_text()
    assert "card" in complete(run, "breeds_small", *changes)


@pytest.mark.slow
def test_detector(pets: Path, tmp_path: Path) -> None:
    run = run_all("detector", tmp_path / "run", "model.input_size=300", "model.alpha=0.25", "train.steps=1",
                  "train.batch=2", f"data.source={pets}", "data.others=")  # fmt: skip
    config = check(run)
    assert config["detector"]["weights"] == "detector.weights.h5"
    assert {"map", "ap50", "ap75"} <= set(run.read_json("training.json")["epochs"][0])
    assert len(config["classifier"]["labels"]) == 133  # the embedded classifier names what it finds


@pytest.mark.slow
def test_animal_faces_searches_first(folder: Path, tmp_path: Path) -> None:
    run = run_all("animal_faces", tmp_path / "run", *SMALL, f"data.source={folder}", "data.labels={}",
                  "tune.trials=2", "tune.space={train.rate: {low: 1e-4, high: 1e-2, log: true}, "
                  "model.batch_norm: {choices: [frozen, live]}}")  # fmt: skip
    check(run)
    trials = run.read_json("tuning.json")
    assert len(trials) == 2
    assert trials[0]["score"] >= trials[1]["score"]
    best = load_recipe(run / "tuned.yaml")
    assert best.train.rate == pytest.approx(trials[0]["values"]["train.rate"])
    assert (run / "plots/tuning.png").is_file()


@pytest.mark.slow
def test_cifar10_from_an_image_folder(folder: Path, tmp_path: Path) -> None:
    run = run_all("cifar10", tmp_path / "run", f"data.source={folder}", "model.input_size=32",
                  "train.epochs=20", "train.rate=0.005", "model.alpha=0.5",
                  "train.schedule=cosine")  # fmt: skip
    config = check(run)
    assert [label["name"] for label in config["classifier"]["labels"]] == ["Ant", "Bee", "Cow"]
    assert run.read_json("training.json")["held_back"]["top1"] > 0.6  # it does learn


@pytest.mark.slow
def test_an_image_folder_on_the_backbone_of_a_bundle(
    folder: Path, dogs_vs_cats: RunDirectory, tmp_path: Path
) -> None:
    """The newcomer's road, and that a run can be picked up at any stage."""
    changes = (*SMALL, f"data.source={folder}", f"model.start=bundle:{dogs_vs_cats / 'bundle'}",
               "model.freeze_till=backbone", "train.epochs=0")  # fmt: skip
    run = run_all("image_folder", tmp_path / "run", *changes, stages=NAMES[: NAMES.index("export") + 1])
    answer = served(run, 1).pets[0]
    assert {breed.id for breed in answer.breeds} == {"ant", "bee", "cow"}
    assert complete(run, "image_folder", *changes) == ["prepare", "train", "calibrate", "export"]
    trained = (run / "classifier.weights.h5").stat().st_mtime_ns
    run_all("image_folder", tmp_path / "run", *changes, "calibrate.precision=0.5", "export.version=2.0.0",
            stages=NAMES[: NAMES.index("export") + 1])  # fmt: skip
    assert (run / "classifier.weights.h5").stat().st_mtime_ns == trained  # only what had to be redone was
    assert json.loads((run / "bundle/config.json").read_text())["version"] == "2.0.0"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures(folder: Path, tmp_path: Path) -> None:
    runs = [
        run_all("cifar10", tmp_path / name, f"data.source={folder}", "model.input_size=32", "model.alpha=0.5",
                "train.epochs=2", f"seed={seed}", stages=("prepare", "train"))
        for name, seed in (("first", 3), ("second", 3), ("other", 4))
    ]  # fmt: skip
    first, second, other = (run.read_json("training.json")["held_back"] for run in runs)
    assert first == pytest.approx(second, rel=1e-5)
    assert first != pytest.approx(other, rel=1e-5)


def command(run: Path, folder: Path, *more: str) -> list[str]:
    changes = [
        *TINY,
        f"data.source={folder}",
        "model.input_size=32",
        "model.alpha=0.5",
        "train.epochs=6",
        *more,
    ]
    sets = [part for change in changes for part in ("--set", change)]
    return ["-m", "training.train", "cifar10", "--run", str(run), "--to", "train", *sets]


def quiet_start(arguments: list[str]) -> subprocess.Popen[str]:
    env = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return start(*arguments, env=env)


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_epoch(folder: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    # Enough steps that the kill lands between the first epoch and the last.
    arguments = command(run.folder, folder, "train.steps=40", "train.stop_after=0")
    process = quiet_start(arguments)
    until(lambda: (run / "backup/training_metadata.json").exists() or process.poll() is not None)
    assert process.poll() is None, process.communicate()[1]
    kill(process)
    done = len(run.read_json("log.json"))
    assert 1 <= done < 6
    assert run.read_json("stages/train.json")["complete"] is False
    assert not (run / "bundle").exists()
    assert not (run / "classifier.weights.h5").exists()
    resumed = quiet_start(arguments)
    _, said = resumed.communicate(timeout=280)
    assert resumed.returncode == 0, said
    assert "epoch 6 of 6" in said
    assert "epoch 1 of 6" not in said
    assert "prepare   already done" in said
    assert [entry["epoch"] for entry in run.read_json("log.json")] == [1, 2, 3, 4, 5, 6]
    assert (run / "classifier.weights.h5").is_file()


def test_bad_input_ends_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    process = quiet_start([*command(tmp_path / "run", folder), "--set", "train.epochz=3"])
    out, said = process.communicate(timeout=240)
    assert process.returncode == 1
    assert (
        said.strip()
        == "train.epochz is no key of a recipe; did you mean train.epochs? Received: train.epochz=3"
    )
    assert out == ""


def test_stages_alone(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"The stages are prepare, train.*Received: bake"):
        select("bake")
    assert select("train") == ("train",)
    assert select(since="export") == NAMES[NAMES.index("export") :]
    assert select(until="train") == ("prepare", "train")
    run = RunDirectory(tmp_path / "run", quiet=True)
    recipe = load_recipe("cifar10", [*TINY, f"data.source={folder}"])
    with pytest.raises(StageError, match=r"The stage prepare is not complete.*Received: train"):
        run_recipe(recipe, run, ("train",))
    with pytest.raises(StageError, match=r"no classifier.weights.h5 to adopt"):
        adopt(recipe, run)
    with run.locked(), pytest.raises(StageError, match="Another process is working"):
        run_recipe(recipe, RunDirectory(run.folder, quiet=True), ("prepare",))


def test_a_tracker_that_is_not_installed_is_named(folder: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("trackio"):
        pytest.skip("trackio is installed here")
    with pytest.raises(TrainingError, match=r"tracking.trackio needs the package trackio"):
        run_all("cifar10", tmp_path / "run", f"data.source={folder}", *SMALL, "tracking.trackio=mine",
                stages=("prepare", "train"))  # fmt: skip
