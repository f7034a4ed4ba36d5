"""A search decides what is trained, calibrated, exported and described; what goes wrong in it is said."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from support.tiny_data import image_folder

from smartbreed.core.errors import StorageError
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.pipeline import tuning
from training.pipeline.runner import child_run, run_recipe
from training.pipeline.stage import NAMES, choices_of
from training.recipe.file import load_recipe, save_recipe
from training.recipe.recipe import Recipe

TO_EXPORT = NAMES[: NAMES.index("export") + 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_folder(tmp_path_factory.mktemp("one") / "photos")


def searching(source: Path, space: str, *more: str) -> Recipe:
    tiny = ("model.backbone=small_cnn", "model.input_size=32", "model.alpha=0.5", "model.start=none",
            "model.freeze_till=", "train.epochs=1", "train.batch=8", "data.least=4",
            "data.label_errors=false", "head.epochs=0", "export.replay=3", "tune.trials=2",
            "tune.epochs=1", "tune.search=grid")  # fmt: skip
    return load_recipe("image_folder", [*tiny, f"data.source={source}", f"tune.space={space}", *more])


@pytest.mark.slow
def test_the_chosen_values_go_into_the_bundle(folder: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    space = "{model.alpha: {choices: [0.25, 0.35]}, train.rate: {choices: [0.002]}}"
    recipe = searching(folder, space)
    run_recipe(recipe, run, TO_EXPORT)
    chosen = run.read_json("tuning.json")[0]["values"]
    config = run.read_json("bundle/config.json")
    assert config["recipe"]["train"]["rate"] == chosen["train.rate"] == 0.002
    assert config["classifier"]["alpha"] == chosen["model.alpha"]
    trained = (run / "classifier.weights.h5").stat().st_mtime_ns
    again = searching(folder, space, "export.version=2.0.0")
    run_recipe(again, run, TO_EXPORT)
    assert (run / "classifier.weights.h5").stat().st_mtime_ns == trained
    config = run.read_json("bundle/config.json")
    assert (config["version"], config["recipe"]["train"]["rate"]) == ("2.0.0", 0.002)
    assert all(run.is_complete(name, choices_of(name, again)) for name in TO_EXPORT)
    run_recipe(searching(folder, space, "tune.trials=0"), run, ("train",))  # and none of it without a search
    assert not (run / "tuned.yaml").exists()


def test_a_choice_that_no_trial_can_train_is_named(folder: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    space = "{model.freeze_till: {choices: [conv_8, conv_9]}}"
    whole = searching(folder, "{train.rate: {choices: [1e-3]}}", "tune.trials=0")
    run_recipe(whole, run, ("prepare", "train"))
    start = tmp_path / "start.weights.h5"
    start.write_bytes((run / "classifier.weights.h5").read_bytes())
    recipe = searching(folder, space, f"model.start={start}")
    for _ in range(2):  # nor does the second try end otherwise
        with pytest.raises(RecipeError, match=r"^model.freeze_till must name a layer.*=conv_[89]$"):
            run_recipe(recipe, run, ("train",))
    space = "{model.freeze_till: {choices: [conv_9, conv_1]}}"
    run_recipe(searching(folder, space, f"model.start={start}"), run, ("train",))
    assert [trial["values"] for trial in run.read_json("tuning.json")] == [{"model.freeze_till": "conv_1"}]


def test_a_full_disk_ends_a_search(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)

    def full(*_: object, **__: object) -> None:
        raise StorageError("The stage train stopped: the disk is full.")

    recipe = searching(folder, "{train.rate: {choices: [1e-3, 2e-3]}}")
    run_recipe(recipe, run, ("prepare",))
    monkeypatch.setattr(tuning, "child_run", full)
    with pytest.raises(StorageError, match="the disk is full"):
        run_recipe(recipe, run, ("train",))
    monkeypatch.setattr(tuning, "child_run", child_run)
    run_recipe(recipe, run, ("train",))
    assert len(run.read_json("tuning.json")) == 2


@pytest.mark.slow
def test_searching_alone_begins_anew_when_the_pictures_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = image_folder(tmp_path / "photos")
    monkeypatch.setattr(tuning, "sentences", contextlib.nullcontext)
    values = searching(folder, "{train.rate: {choices: [1e-3, 2e-3]}}")
    path = tmp_path / "mine.yaml"
    path.write_bytes(save_recipe(values))
    run = RunDirectory(tmp_path / "run", quiet=True)
    tuning.main(str(path), run.folder, [])
    first = (run / "tuning/search/oracle.json").stat().st_mtime_ns
    tuning.main(str(path), run.folder, [])
    assert (run / "tuning/search/oracle.json").stat().st_mtime_ns == first
    tuning.main(str(path), run.folder, ["seed=9"])
    assert (run / "tuning/search/oracle.json").stat().st_mtime_ns > first
    assert not run.is_complete("train", choices_of("train", values))


@pytest.mark.parametrize("key", ["calibrate.prior", "train.monitor", "seed", "split.validation"])
def test_what_no_trial_can_vary_is_refused(key: str, folder: Path) -> None:
    with pytest.raises(RecipeError, match=f"cannot search over {key}.*Received: {key}"):
        tuning.hyperparameters(searching(folder, f"{{{key}: {{choices: [1]}}}}"))
