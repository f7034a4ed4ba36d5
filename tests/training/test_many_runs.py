"""Runs inside a run: a sweep over frozen layers, cross-validation; trackers; installing a bundle."""

from __future__ import annotations

import shutil
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from support.tiny_bundle import write_bundle
from support.tiny_data import image_folder

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.pipeline import Identifier
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.export.bundle import finish
from training.install import install, install_detector
from training.kfold import cross_validate
from training.models.backbones import build_backbone
from training.pipeline.runner import run_recipe
from training.pipeline.stages.export import bundle_config
from training.pipeline.tuning import hyperparameters
from training.recipe.file import load_recipe
from training.recipe.recipe import Recipe
from training.sweep import sweep

TINY = ("model.backbone=small_cnn", "model.input_size=32", "model.alpha=0.5", "train.epochs=1",
        "train.batch=8", "data.least=4", "head.least_steps=5")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_folder(tmp_path_factory.mktemp("folder") / "photos")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "start.weights.h5"
    build_backbone("small_cnn", 4, input_size=32, alpha=0.5).save_weights(path)
    return path


def tiny(folder: Path, weights: Path | str, *more: str) -> Recipe:
    return load_recipe("image_folder", [*TINY, f"data.source={folder}", f"model.start={weights}",
                                        "model.freeze_till=", *more])  # fmt: skip


@pytest.mark.slow
def test_a_sweep_plots_accuracy_and_loss_against_frozen_layers(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    entries = sweep(tiny(folder, weights), run, ["backbone", "", "conv_2", 3])
    assert [entry["frozen"] for entry in entries] == [0, 2, 3, 5]
    assert all({"top1", "loss", "val_loss", "layers"} <= set(entry) for entry in entries)
    assert run.read_json("sweep.json") == entries
    assert (run / "plots/freeze_till.png").stat().st_size > 5000
    trained = (run / "freeze-conv_2/classifier.weights.h5").stat().st_mtime_ns
    assert (
        sweep(tiny(folder, weights), run, ["backbone", "", "conv_2", 3]) == entries
    )  # nothing is done twice
    assert (run / "freeze-conv_2/classifier.weights.h5").stat().st_mtime_ns == trained
    with pytest.raises(
        RecipeError, match=r"model.freeze_till must name a layer.*Received: freeze_till=conv_9"
    ):
        sweep(tiny(folder, weights), run, ["", "conv_9"])


@pytest.mark.parametrize("choices", [["backbone"], []])
def test_a_sweep_over_one_is_refused(choices: list[str | int], folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at least two --freeze"):
        sweep(tiny(folder, "bundle:embedded"), RunDirectory(tmp_path / "run", quiet=True), choices)


@pytest.mark.slow
def test_every_picture_is_held_back_in_one_fold(folder: Path, weights: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    result = cross_validate(tiny(folder, weights, "data.label_errors=false"), run, 2)
    held = [
        {source for source, place in zip(rows["source"], rows["place"], strict=True) if place == "validation"}
        for rows in (run.read_json(f"fold-{fold}/prepared/rows.json") for fold in range(2))
    ]
    assert not held[0] & held[1]
    assert len(held[0] | held[1]) == 36
    values = [fold["top1"] for fold in result["folds"]]
    assert result["mean"]["top1"] == pytest.approx(sum(values) / 2)
    assert (run / "plots/kfold.png").is_file()
    with pytest.raises(RecipeError, match="at least 2 folds"):
        cross_validate(tiny(folder, weights), run, 1)


def test_a_figure_that_not_every_fold_has_is_no_mean(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold may hold back no cat."""
    figures = [{"top1": 0.5, "val_loss": 1.0, "cats": 1.0}, {"top1": 0.7, "val_loss": 2.0}]

    def trained(recipe: Recipe, run: RunDirectory, stages: tuple[str, ...]) -> None:
        run.write_json("training.json", {"held_back": figures[recipe.split.fold]})

    monkeypatch.setattr("training.kfold.run_recipe", trained)
    run = RunDirectory(tmp_path / "run", quiet=True)
    result = cross_validate(tiny(folder, "bundle:embedded"), run, 2)
    assert result == run.read_json("kfold.json")
    assert result["mean"] == pytest.approx({"top1": 0.6, "val_loss": 1.5})
    assert set(result["deviation"]) == {"top1", "val_loss"}
    assert result["folds"] == figures


@pytest.mark.slow
def test_class_weights_plateau_and_early_stopping_run(folder: Path, weights: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    recipe = tiny(folder, weights, "train.class_weights=balanced", "train.schedule=plateau", "train.epochs=8",
                  "train.rate=1e-6", "train.stop_after=2", "train.keep=best", "train.average=0",
                  "augment.mixup=0.5", "augment.cutmix=0.5", "train.oversample={ant: 2.5}")  # fmt: skip
    run_recipe(recipe, run, ("prepare", "train"))
    log = run.read_json("training.json")["epochs"]
    assert 3 <= len(log) < 8  # with such a rate nothing is gained for long
    assert (run / "best.weights.h5").is_file()
    with pytest.raises(RecipeError, match=r"train.oversample names a label, cat or dog. Received: hen"):
        run_recipe(tiny(folder, weights, "train.oversample={hen: 2}"), run, ("prepare", "train"))


@pytest.mark.slow
def test_a_tracker_hears_of_every_epoch(
    folder: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, Any]] = []
    for name in ("mlflow", "trackio"):
        module: Any = types.ModuleType(name)
        for call in ("set_tracking_uri", "set_experiment", "start_run", "log_params", "log_metrics",
                     "end_run", "init", "log", "finish"):  # fmt: skip
            setattr(module, call, lambda *a, _c=f"{name}.{call}", **k: heard.append((_c, (a, k))))
        monkeypatch.setitem(sys.modules, name, module)
    recipe = tiny(folder, weights, "train.epochs=2", "tracking.mlflow=file:runs", "tracking.trackio=mine")
    run_recipe(recipe, RunDirectory(tmp_path / "run", quiet=True), ("prepare", "train"))
    calls = [call for call, _ in heard]
    assert calls.count("mlflow.log_metrics") == calls.count("trackio.log") == 2
    assert calls.count("mlflow.end_run") == calls.count("trackio.finish") == 1
    (metrics,), _ = next(given for call, given in heard if call == "mlflow.log_metrics")
    assert {"loss", "top1", "val_loss"} <= set(metrics)
    (parameters,), _ = next(given for call, given in heard if call == "mlflow.log_params")
    assert parameters["train.epochs"] == 2


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ("{}", "tune.space is empty"),
        ("{train.rate: 3}", r"tune.space: train.rate needs choices: \[…\], or low: and high:"),
        ("{train.rate: {low: 1, choices: [1]}}", "needs choices"),
        ("{train.rait: {choices: [1]}}", "train.rait is no key of a recipe"),
        ("{train.rate: {low: 1e-5, high: 5}}", "train.rate: .*less than 1"),
        ("{data.limit: {choices: [1, 2]}}", "cannot search over data.limit"),
    ],
)
def test_a_space_that_makes_no_sense(space: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        hyperparameters(load_recipe("animal_faces", [f"tune.space={space}"]))


def test_installing_takes_a_whole_bundle_or_nothing(tmp_path: Path) -> None:
    target = tmp_path / "assets"
    target.mkdir()
    (target / "old.npz").write_bytes(b"")
    with pytest.raises(BundleError):
        install(tmp_path / "nothing", target)
    assert [path.name for path in target.iterdir()] == ["old.npz"]
    install(EMBEDDED_BUNDLE, target)
    assert load_bundle(target).config == load_bundle(EMBEDDED_BUNDLE).config
    assert not (target / "old.npz").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["assets"]


def test_a_detector_alone_is_installed(tmp_path: Path) -> None:
    """The classifier, its recipe and what its training said stay."""
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        shutil.copytree(EMBEDDED_BUNDLE, folder)
    before, theirs = bundle_config(target), bundle_config(source)
    theirs["detector"]["score"] = 0.5
    theirs["training"]["detector"] = {"epochs": [{"map": 0.7}]}
    theirs["recipe"]["name"] = "theirs"
    theirs["classifier"]["temperature"] *= 2
    finish(source, theirs)
    install_detector(source, "9.8.7", target)
    after = bundle_config(target)
    assert Identifier.load(target).detector.config.score == 0.5
    assert (after["version"], after["recipe"]) == ("9.8.7", before["recipe"])
    assert after["classifier"] == before["classifier"]
    assert after["training"]["classifier"] == before["training"]["classifier"]
    assert after["training"]["detector"]["epochs"] == [{"map": 0.7}]
    assert after["training"]["detector"]["recipe"]["name"] == "theirs"


def test_a_bundle_without_a_detector_has_none_to_install(tmp_path: Path) -> None:
    source, target = write_bundle(tmp_path / "source"), tmp_path / "target"
    shutil.copytree(EMBEDDED_BUNDLE, target)
    before = bundle_config(target)
    with pytest.raises(BundleError, match=r"no detector to install\. Received: .*source$"):
        install_detector(source, "9.8.7", target)
    assert bundle_config(target) == before


def test_a_detector_without_a_history_is_installed(tmp_path: Path) -> None:
    """The bundle of another program may name neither files nor a recipe."""
    source, target = write_bundle(tmp_path / "source", detector=True), tmp_path / "target"
    shutil.copytree(EMBEDDED_BUNDLE, target)
    install_detector(source, "9.8.7", target)
    assert (target / "detector.tflite").read_bytes() == (source / "detector.tflite").read_bytes()
