"""What a stage leaves is taken for done only while it is: after a change, a kill, a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from support.tiny_data import image_folder, pets_dataset

from smartbreed.inference.bundle import load_bundle
from training.common.errors import RecipeError, StageError
from training.common.run_directory import RunDirectory
from training.kfold import cross_validate
from training.models.backbones import build_backbone
from training.pipeline.runner import adopt, child_run, run_recipe
from training.pipeline.stage import EVALUATED, NAMES, choices_of
from training.recipe.file import load_recipe
from training.recipe.recipe import Recipe
from training.reporting.model_card import PLOTS

#: The head alone, on a backbone that is traced in a second.
TINY = ("model.backbone=small_cnn", "model.input_size=32", "model.alpha=0.35", "model.freeze_till=backbone",
        "train.epochs=0", "train.batch=8", "data.least=4", "data.label_errors=false", "head.least_steps=5",
        "head.epochs=1", "export.replay=3")  # fmt: skip
TUNED = ("train.epochs=1", "model.freeze_till=")
BOTH = ("prepare", "train")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_folder(tmp_path_factory.mktemp("one") / "photos")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "start.weights.h5"
    build_backbone("small_cnn", 4, input_size=32, alpha=0.35).save_weights(path)
    return path


@pytest.fixture
def tiny(folder: Path, weights: Path) -> Callable[..., Recipe]:
    def recipe(*more: str, name: str = "image_folder") -> Recipe:
        return load_recipe(name, [*TINY, f"data.source={folder}", f"model.start={weights}", *more])

    return recipe


def done(recipe: Recipe, run: RunDirectory) -> list[str]:
    return [name for name in NAMES if run.is_complete(name, choices_of(name, recipe))]


def said(run: RunDirectory) -> str:
    return (run / "log.jsonl").read_text()


def targets(run: RunDirectory, name: str = ".") -> int:
    """How many pictures the run in a folder was trained on."""
    return len(np.load(run / f"{name}/targets.npy"))


@pytest.mark.slow
def test_other_pictures_are_trained_on_from_the_start(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    run, fresh = (RunDirectory(tmp_path / name, quiet=True) for name in ("run", "fresh"))
    other = image_folder(tmp_path / "photos", ("dove", "eel", "fox"), 10)
    run_recipe(tiny(*TUNED), run, BOTH)
    changed = tiny(*TUNED, f"data.source={other}", "seed=11")
    run_recipe(changed, run, BOTH)
    run_recipe(changed, fresh, BOTH)
    for name in ("head", "held_back"):
        assert run.read_json("training.json")[name] == pytest.approx(fresh.read_json("training.json")[name])
    assert targets(run) == targets(fresh)
    assert len(run.read_json("log.json")) == 1


@pytest.mark.slow
def test_pictures_prepared_again_are_trained_on_again(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "photos")
    recipe, run = tiny(f"data.source={folder}"), RunDirectory(tmp_path / "run", quiet=True)
    run_recipe(recipe, run, BOTH)
    child_run(recipe, run, "inside", {"head.rate": 0.01})
    before = targets(run)
    image_folder(folder, count=15)
    run_recipe(recipe, run, ("prepare",), again=True)
    assert done(recipe, run) == ["prepare"]
    run_recipe(recipe, run, BOTH)
    child_run(recipe, run, "inside", {"head.rate": 0.01})
    assert targets(run) == targets(run, "inside") > before


@pytest.mark.slow
def test_another_number_of_folds_trains_each_again(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", quiet=True)
    cross_validate(tiny(), run, 2)
    cross_validate(tiny(), run, 3)
    for fold in range(3):
        places = run.read_json(f"fold-{fold}/prepared/rows.json")["place"]
        assert targets(run, f"fold-{fold}") == places.count("train")


@pytest.mark.slow
def test_a_kill_while_clearing_leaves_a_stage_that_is_not_done(
    tiny: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, recipe = RunDirectory(tmp_path / "run", quiet=True), tiny()
    run_recipe(recipe, run, BOTH)

    def killed(names: tuple[str, ...]) -> None:
        (run / "classifier.weights.h5").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "clear", killed)
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe, run, ("train",), again=True)
    assert done(recipe, run) == ["prepare"]
    run_recipe(recipe, run, BOTH)
    assert (run / "classifier.weights.h5").is_file()
    assert done(recipe, run) == list(BOTH)


def times(run: RunDirectory) -> dict[str, int]:
    """When every file was written, but for the log."""
    files = [path for path in run.folder.rglob("*") if path.name not in ("log.jsonl", ".lock")]
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_a_refused_stage_changes_nothing(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    run, recipe = RunDirectory(tmp_path / "run", quiet=True), tiny()
    run_recipe(recipe, run, BOTH)
    before = times(run)
    with pytest.raises(StageError, match=r"stage train is not complete.*Received: export"):
        run_recipe(tiny("head.rate=0.01"), run, ("export",))
    with pytest.raises(RecipeError, match=r"no held-back picture is of a cat.*Received: train.monitor=cats"):
        run_recipe(tiny(*TUNED, "train.monitor=cats", "train.keep=best"), run, BOTH)
    with pytest.raises(RecipeError, match=r"tune.space is empty"):
        run_recipe(tiny("tune.trials=2"), run, BOTH)
    assert times(run) == before
    assert done(recipe, run) == list(BOTH)
    run_recipe(tiny("train.monitor=cats", "train.keep=best"), run, BOTH)  # without epochs it decides nothing


@pytest.mark.slow
def test_adopted_weights_are_calibrated_anew(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    run, recipe = RunDirectory(tmp_path / "run", quiet=True), tiny()
    run_recipe(recipe, run, ("prepare", "train", "calibrate"))
    adopt(recipe, run)
    assert done(recipe, run) == ["prepare", "train"]


@pytest.fixture(scope="module")
def finished(folder: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Every stage, on a source without test pictures."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "run", quiet=True)
    changes = (f"data.source={folder}", f"model.start={weights}", "split.test=0", "evaluate.robustness=6")
    run_recipe(load_recipe("image_folder", [*TINY, *changes]), run)
    return run


@pytest.mark.slow
def test_tensorboard_hears_of_a_head_alone(finished: RunDirectory) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished / "tensorboard/head"))
    events.Reload()
    assert {"head/top1", "head/val_loss"} <= set(events.Tags()["tensors"])


@pytest.mark.slow
def test_the_scores_say_which_pictures_were_judged(finished: RunDirectory) -> None:
    assert finished.read_json("scores.json")["split"] == "validation"
    assert "held-back pictures: top-1" in said(finished)
    assert "test pictures: top-1" not in said(finished)


def test_a_curve_that_is_no_longer_measured_is_no_longer_shown(finished: RunDirectory) -> None:
    assert (finished / "plots/robustness.png").is_file()
    kept = finished / "plots/epochs.png"
    kept.write_bytes(b"of the training")
    run_recipe(load_recipe(finished / "config.yaml", ["evaluate.robustness=0"]), finished)
    assert not (finished / "plots/robustness.png").exists()
    assert "robustness.png" not in (finished / "model_card.md").read_text()
    assert kept.exists()
    assert load_bundle(finished / "bundle").config.metrics["split"] == "validation"


def test_every_plot_that_the_card_shows_is_cleared_before_it_is_drawn_again() -> None:
    assert set(PLOTS) - {f"{name}.png" for name in EVALUATED} == {"freeze_till.png"}  # a sweep's


def test_one_photograph_that_cannot_be_read_ends_nothing(tiny: Callable[..., Recipe], tmp_path: Path) -> None:
    pets = pets_dataset(tmp_path / "photographed")
    path = next((pets / "scenes").glob("train*"))
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    for number in (0, 3, 4):  # two without a pet, one with two
        images[number]["bytes"] = b"no picture"
    column = table.schema.get_field_index("image")
    pq.write_table(table.set_column(column, table.schema.field(column), [images]), path)
    recipe = tiny(f"data.source={pets}", "distil.teachers=[]", "head.rows=zeros", "train.soup=",
                  "split.validation=0.2", "calibrate.views=0", "export.form=float16", "export.detector=",
                  "train.cache=0", "data.others=", name="breeds")  # fmt: skip
    run = RunDirectory(tmp_path / "run", quiet=True)
    run_recipe(recipe, run, ("prepare", "train", "calibrate"))
    assert done(recipe, run) == ["prepare", "train", "calibrate"]


def test_a_repeated_command_says_that_the_pictures_have_changed(
    tiny: Callable[..., Recipe], tmp_path: Path
) -> None:
    photos = image_folder(tmp_path / "photos")
    recipe, run = tiny(f"data.source={photos}"), RunDirectory(tmp_path / "run", quiet=True)
    for _ in range(2):
        run_recipe(recipe, run, ("prepare",))
        assert "the pictures have changed" not in said(run)
    first, second, *_ = sorted(photos.rglob("*.png"))
    (first.parent / "new.png").write_bytes(first.read_bytes())
    second.unlink()
    run_recipe(recipe, run, ("prepare",))
    assert "the pictures have changed since (1 added, 1 removed)" in said(run)
    assert "--again" in said(run)
    run_recipe(recipe, run, ("prepare",), again=True)
    before = said(run).count("have changed")
    run_recipe(recipe, run, ("prepare",))
    assert said(run).count("have changed") == before
