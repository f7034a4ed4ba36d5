"""Search over a recipe with KerasTuner: ``tune.space`` lists the keys, ``tune.trials`` the number of trials.

A trial is a short run of its own under ``tuning/``. A killed search resumes without repeating finished
trials. ``tuning.json`` lists them; ``tuned.yaml`` is the recipe with the best values.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from smartbreed.core.errors import StorageError
from training.common.cli import Overrides, Recipes, sentences
from training.common.disk_faults import disk_faults
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.fitting.progress import LOWER_IS_BETTER
from training.pipeline.runner import RUNS, begin, check, child_run, run_recipe
from training.pipeline.stage import Context, choices_of
from training.recipe.file import TUNED, load_recipe, save_recipe, with_values
from training.recipe.recipe import Recipe
from training.reporting.plots.style import ACCENT, figure

#: Keys that a range in ``tune.space`` may have.
RANGE = {"low", "high", "log", "step"}
#: Sections that a trial can vary. Pictures are prepared only once, and later stages are not measured.
SEARCHED = ("model", "augment", "head", "distil", "train")
#: Keys of those sections that stay fixed: they decide what is prepared or how trials are compared.
FIXED = ("model.input_size", "train.monitor")
#: A search ends after this many failed trials without a successful one.
HOPELESS = 3


def hyperparameters(recipe: Recipe) -> Any:
    """Convert ``tune.space`` to KerasTuner's `HyperParameters`.

    Raises:
        RecipeError: the space is empty, or has an unknown key or an invalid range.
    """
    import keras_tuner

    if not recipe.tune.space:
        raise RecipeError("tune.space is empty: there is nothing to search over. Received: tune.space={}")
    space = keras_tuner.HyperParameters()
    for key, given in recipe.tune.space.items():
        if key.split(".")[0] not in SEARCHED or key in FIXED:
            raise RecipeError(
                f"tune.space cannot search over {key}: trials share the prepared pictures and are compared "
                f"after training, so only keys of {', '.join(SEARCHED)} can vary, and not "
                f"{' or '.join(FIXED)}. Received: {key}"
            )
        if not isinstance(given, Mapping) or not (
            set(given) == {"choices"} or {"low", "high"} <= set(given) <= RANGE
        ):
            raise RecipeError(
                f"tune.space: {key} needs choices: […], or low: and high: with log: or step:. "
                f"Received: {given}"
            )
        if "choices" in given:
            values = list(given["choices"])
            for value in values:
                with_values(recipe, {key: value})  # raises RecipeError for an invalid value
            # KerasTuner wants choices of one type, so pass their positions.
            space.Choice(key, list(range(len(values))), ordered=False)
            continue
        low, high = given["low"], given["high"]
        for value in (low, high):
            with_values(recipe, {key: value})
        options = {"sampling": "log" if given.get("log") else "linear"}
        if given.get("step"):
            options["step"] = given["step"]
        (space.Int if isinstance(low, int) and isinstance(high, int) else space.Float)(
            key, low, high, **options
        )
    return space


def values_of(recipe: Recipe, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a trial's hyperparameters to recipe values."""
    return {
        key: recipe.tune.space[key]["choices"][value] if "choices" in recipe.tune.space[key] else value
        for key, value in chosen.items()
    }


def search(recipe: Recipe, run: RunDirectory, prepared: RunDirectory) -> Recipe:
    """Try recipes and return the best, ready to be trained in full.

    A trial whose choices do not go together is reported and skipped.

    Raises:
        RecipeError: the space is invalid, or no trial gave a finite score.
        TrainingError: every trial failed; this is the error of the last one.
        StorageError: the disk is full or failing; call again to resume the search.
    """
    import keras_tuner

    choices, monitor = recipe.tune, recipe.train.monitor
    problems: list[Exception] = []

    class Search(keras_tuner.Tuner):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            values = values_of(recipe, trial.hyperparameters.values)
            changes = {"train.epochs": choices.epochs, **values}
            try:
                run.say(f"trial {trial.trial_id} of {choices.trials}: {_readable(values)}", **values)
                log = child_run(recipe, run, f"tuning/{trial.trial_id}", changes, prepared=prepared)
            except Exception as error:
                # KerasTuner swallows every error except FatalError.
                problems.append(error)
                hopeless = len(problems) >= HOPELESS and not _trials(recipe, self.oracle)
                if hopeless or isinstance(error, StorageError):
                    raise keras_tuner.errors.FatalError(str(error)) from error
                run.say(f"trial {trial.trial_id} came to nothing: {error}")
                raise
            return {key: float(value) for key, value in log["held_back"].items()}

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            run.write_json("tuning.json", _trials(recipe, self.oracle))

    oracle = _oracle(recipe)
    tuner = Search(oracle=oracle, directory=str(run / "tuning"), project_name="search", overwrite=False)
    try:
        tuner.search()
    except keras_tuner.errors.FatalError:
        if isinstance(problems[-1], StorageError):
            raise problems[-1] from None
    found = _trials(recipe, oracle)
    if not found:
        shutil.rmtree(run / "tuning/search", ignore_errors=True)  # so that the next attempt starts afresh
        if problems:
            raise problems[-1]
        raise RecipeError(
            f"No trial gave a {monitor} to choose by: training ran away. Received: {choices.trials} trials"
        )
    run.write_json("tuning.json", found)
    best = found[0]
    run.say(f"best of {len(found)} trials, {monitor} {best['score']:.4f}: {_readable(best['values'])}")
    chosen = with_values(recipe, {**best["values"], "tune.trials": 0})
    run.write(TUNED, save_recipe(chosen))
    (run / "plots").mkdir(exist_ok=True)
    plot(found, monitor, run / "plots/tuning.png")
    return chosen


def _oracle(recipe: Recipe) -> Any:
    """Return KerasTuner's oracle, which chooses the values of the next trial."""
    import keras_tuner

    choices, monitor = recipe.tune, recipe.train.monitor
    kinds = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
        "grid": keras_tuner.oracles.GridSearchOracle,
    }
    return kinds[choices.search](
        objective=keras_tuner.Objective(monitor, "min" if monitor in LOWER_IS_BETTER else "max"),
        max_trials=choices.trials,
        hyperparameters=hyperparameters(recipe),
        seed=recipe.seed,
        max_consecutive_failed_trials=choices.trials + 1,  # `search` decides when to give up
    )


def _trials(recipe: Recipe, oracle: Any) -> list[dict[str, Any]]:
    """Return the finished trials, best first."""
    return [
        {
            "trial": trial.trial_id,
            "score": float(trial.score),
            "values": values_of(recipe, trial.hyperparameters.values),
        }
        for trial in oracle.get_best_trials(len(oracle.trials))
        if trial.score is not None and math.isfinite(trial.score)
    ]


def _readable(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def plot(trials: list[dict[str, Any]], monitor: str, path: Path) -> None:
    """Plot every trial's score against each searched value as PNG."""
    keys = list(trials[0]["values"])
    with figure(path, 3.2 * len(keys) + 1, 3.4) as drawn:
        grid = drawn.subplots(1, len(keys), sharey=True, squeeze=False)[0]
        for key, axes in zip(keys, grid, strict=True):
            values = [trial["values"][key] for trial in trials]
            numbers = all(isinstance(value, (int, float)) for value in values)
            axes.scatter(values if numbers else [str(value) for value in values],
                         [trial["score"] for trial in trials], color=ACCENT)  # fmt: skip
            if numbers and min(values) > 0 and max(values) / min(values) > 20:
                axes.set_xscale("log")
            axes.set_xlabel(key)
        grid[0].set_ylabel(f"held-back {monitor}")


def main(
    recipe: Recipes,
    run: Annotated[Path | None, typer.Option("--run", help="Run directory; default runs/NAME.")] = None,
    overrides: Overrides = [],  # noqa: B006 - typer wants a list
) -> None:
    """Search only; `python -m training.train` searches too, then trains the best recipe in full."""
    with sentences():
        choices = load_recipe(recipe, overrides)
        if not choices.tune.trials:
            raise RecipeError("tune.trials must be at least 1 to search. Received: tune.trials=0")
        directory = RunDirectory(run or RUNS / choices.name)
        run_recipe(choices, directory, ("prepare",))
        directory.stage = "tune"
        context = Context(choices, directory, directory)
        with directory.locked(), disk_faults("The search stopped"):
            check("train", context)
            # The search is the first half of the stage, so after a change it must start anew.
            if not directory.is_complete("train", choices_of("train", choices)):
                begin(choices, directory, "train")
            search(choices, directory, directory)


if __name__ == "__main__":
    typer.run(main)
