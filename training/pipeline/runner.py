"""Run the stages of a recipe: skip complete ones, and resume where a killed run stopped.

Sweeps, searches and cross-validation start runs inside a run; sweeps and searches share its prepared
pictures (`child_run`).
"""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from training.common.disk_faults import disk_faults
from training.common.errors import StageError
from training.common.run_directory import STALE, RunDirectory
from training.pipeline.stage import NAMES, STAGES, Context, choices_of
from training.recipe.file import save_recipe, tuned_recipe, with_values
from training.recipe.recipe import Recipe

RUNS = Path("runs")


def select(stage: str = "", since: str = "", until: str = "") -> tuple[str, ...]:
    """Return the stages to run.

    Args:
        stage: run only this stage.
        since: run this stage and those after it.
        until: run the stages up to and including this one.

    Raises:
        StageError: there is no such stage.
    """
    for name in (stage, since, until):
        if name and name not in NAMES:
            raise StageError(f"The stages are {', '.join(NAMES)}. Received: {name}")
    if stage:
        return (stage,)
    first = NAMES.index(since) if since else 0
    last = NAMES.index(until) if until else len(NAMES) - 1
    return NAMES[first : last + 1]


def run_recipe(
    recipe: Recipe,
    run: RunDirectory,
    stages: tuple[str, ...] = NAMES,
    *,
    again: bool = False,
    prepared: RunDirectory | None = None,
) -> None:
    """Run stages in order.

    Args:
        recipe: every choice.
        run: the run directory.
        stages: names, in order.
        again: run stages even if they are complete.
        prepared: run directory whose prepared pictures are used instead of the run's own.

    Raises:
        TrainingError: something the user can fix; the message says what.
        StageError: a stage before these is not complete, or another process is in the directory.
        StorageError: the disk is full or failing; the same command resumes once there is space.
    """
    with run.locked():
        for name in stages:
            _run_stage(recipe, run, name, again, prepared)


def begin(recipe: Recipe, run: RunDirectory, name: str, *, again: bool = False) -> None:
    """Mark a stage as started, and remove what an earlier attempt with other choices left.

    A kill at any point leaves the stage marked as not done: all later stages are marked stale first, then
    this one, and only then files are removed.
    """
    choices, begun = choices_of(name, recipe), run.begun_with(name)
    _forget_after(run, name)
    run.write("config.yaml", save_recipe(recipe))
    if again or begun not in (None, choices):
        run.say("starting over" if again else "the choices have changed: starting over")
        run.begin(name, STALE)
        run.clear(STAGES[NAMES.index(name)].leaves)
    run.begin(name, choices)


def check(name: str, context: Context) -> None:
    """Let a stage refuse before the results of an earlier attempt are removed.

    Raises:
        TrainingError: the stage cannot run with these choices.
    """
    if refuse := getattr(_module(name), "check", None):
        refuse(context)


def _module(name: str) -> ModuleType:
    # Imported by name, because the search inside a stage imports this module.
    return importlib.import_module(f"training.pipeline.stages.{name}")


def adopt(recipe: Recipe, run: RunDirectory) -> None:
    """Mark the stage ``train`` as finished with the weights that are in the run directory.

    Raises:
        StageError: there are no such weights, or another process is in the directory.
    """
    name = "detector" if recipe.task == "detect" else "classifier"
    if not (run / f"{name}.weights.h5").is_file():
        raise StageError(f"There is no {name}.weights.h5 to adopt. Received: {run.folder}")
    run.stage = "train"
    with run.locked():
        _forget_after(run, "train")  # the later stages used other weights
        run.write("config.yaml", save_recipe(recipe))
        run.complete("train", choices_of("train", recipe), adopted=True)
    run.say(f"adopted {name}.weights.h5")


def _forget_after(run: RunDirectory, name: str) -> None:
    """Mark the stages after this one as stale, last one first, so that a kill in between is safe."""
    for later in reversed(NAMES[NAMES.index(name) + 1 :]):
        run.forget(later)
    if name != "prepare":
        return
    # Runs inside this one, such as those of a sweep, were trained on the same pictures.
    for stages in run.folder.glob("*/stages"):
        inner = RunDirectory(stages.parent, quiet=True)
        if inner.begun_with("prepare") is None:
            inner.forget("train")


def _run_stage(
    recipe: Recipe, run: RunDirectory, name: str, again: bool, prepared: RunDirectory | None
) -> None:
    choices = choices_of(name, recipe)
    run.stage = name
    if run.is_complete(name, choices) and not again:
        run.say("already done with these choices")
        if (found := getattr(_module(name), "outdated", None)) and (
            changed := found(Context(recipe, run, run))
        ):
            run.say(
                f"the pictures have changed since ({changed}): this run goes by those of then; with --again "
                "all stages run anew on those of now"
            )
        return
    _require_before(recipe, run, name, prepared)
    with disk_faults(f"The stage {name} stopped"):
        after = NAMES.index(name) > NAMES.index("train")
        context = Context(tuned_recipe(recipe, run) if after else recipe, run, prepared or run)
        check(name, context)
        begin(recipe, run, name, again=again)
        started = time.monotonic()
        facts = _module(name).run(context)
    run.complete(name, choices, seconds=round(time.monotonic() - started, 1), **facts)


def _require_before(recipe: Recipe, run: RunDirectory, name: str, prepared: RunDirectory | None) -> None:
    """Refuse a stage if one before it is not complete with these choices.

    Raises:
        StageError: a stage before it is not complete.
    """
    for before in NAMES[: NAMES.index(name)]:
        source = prepared if before == "prepare" and prepared else run
        if not source.is_complete(before, choices_of(before, recipe)):
            raise StageError(
                f"The stage {before} is not complete with these choices, so {name} cannot start; "
                "leave out --stage, "
                f"or run --from {before}. Received: {name}"
            )


def child_run(
    recipe: Recipe,
    parent: RunDirectory,
    name: str,
    changes: Mapping[str, Any],
    *,
    prepared: RunDirectory | None = None,
    head_of: RunDirectory | None = None,
) -> dict[str, Any]:
    """Train a changed recipe in ``parent/name``, or resume training it; return its ``training.json``.

    Args:
        recipe: the recipe of the parent.
        parent: the run directory around it.
        name: name of the folder.
        changes: dotted key → value.
        prepared: run directory whose stage `prepare` is complete; None for the parent.
        head_of: a run with the same start and data, whose fitted head is reused; None to fit one.
    """
    changed = with_values(recipe, {"tune.trials": 0, **changes})
    child = RunDirectory(parent / name, quiet=parent.quiet)
    if head_of is not None and child.begun_with("train") is None:
        # The head comes last and is renamed into place: once it exists, training uses it.
        shutil.copyfile(head_of / "targets.npy", child / "targets.npy")
        shutil.copyfile(head_of / "head.weights.h5", child / "pending.weights.h5")
        (child / "pending.weights.h5").replace(child / "head.weights.h5")
    run_recipe(changed, child, ("train",), prepared=prepared or parent)
    log = child.read_json("training.json")
    assert isinstance(log, dict)
    return log
