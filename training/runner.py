"""Run the stages of a recipe: skip what is complete, go on where a killed run stopped."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

from training.errors import StageError
from training.recipe import Recipe
from training.recipe_file import save_recipe
from training.run_directory import RunDirectory
from training.stages import NAMES, STAGES, Context, choices_of

RUNS = Path("runs")


def select(stage: str = "", since: str = "", until: str = "") -> tuple[str, ...]:
    """The stages to run.

    Args:
        stage: this one alone.
        since: this and those after it.
        until: those up to this.

    Raises:
        StageError: no such stage.
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
        again: run them although they are complete.
        prepared: run directory whose prepared pictures are used instead of our own.

    Raises:
        TrainingError: something a person can put right; the message says what.
        StageError: a stage before these is not complete, or another process is in the directory.
    """
    with run.locked():
        run.write("config.yaml", save_recipe(recipe))
        for name in stages:
            _run_stage(recipe, run, name, again, prepared)


def _run_stage(
    recipe: Recipe, run: RunDirectory, name: str, again: bool, prepared: RunDirectory | None
) -> None:
    position = NAMES.index(name)
    stage, choices = STAGES[position], choices_of(name, recipe)
    run.stage = name
    if run.is_complete(name, choices) and not again:
        run.say("already done with these choices")
        return
    for before in NAMES[:position]:
        source = prepared if before == "prepare" and prepared else run
        if not source.is_complete(before, choices_of(before, recipe)):
            raise StageError(
                f"The stage {before} is not complete with these choices, so {name} cannot start; "
                "leave out --stage, "
                f"or run --from {before}. Received: {name}"
            )
    begun = run.begun_with(name)
    if again or (begun is not None and begun != choices):
        run.say("starting over" if again else "the choices have changed: starting over")
        run.clear(stage.leaves)
    run.begin(name, choices)
    run.clear(tuple(f"stages/{later}.json" for later in NAMES[position + 1 :]))
    started = time.monotonic()
    module = importlib.import_module(f"training.stages.{name}")
    facts = module.run(Context(recipe, run, prepared or run))
    run.complete(name, choices, seconds=round(time.monotonic() - started, 1), **facts)


def adopt(recipe: Recipe, run: RunDirectory) -> None:
    """Take the weights as they lie in the run directory for a finished stage ``train``.

    Raises:
        StageError: there are no such weights.
    """
    name = "detector" if recipe.task == "detect" else "classifier"
    if not (run / f"{name}.weights.h5").is_file():
        raise StageError(f"There is no {name}.weights.h5 to adopt. Received: {run.folder}")
    run.stage = "train"
    run.complete("train", choices_of("train", recipe), adopted=True)
    run.say(f"adopted {name}.weights.h5")
