"""Search over a recipe with KerasTuner: ``tune.space`` says which keys, ``tune.trials`` how often.

A trial is a short run of its own under ``tuning/``; finished trials are not repeated when a killed search
goes on. ``tuning.json`` lists them, ``tuned.yaml`` is the recipe with the best values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from training.errors import RecipeError
from training.many_runs import child_run, figure
from training.progress import LOWER_IS_BETTER
from training.recipe import Recipe
from training.recipe_file import load_recipe, save_recipe, with_values
from training.run_directory import RunDirectory
from training.runner import RUNS, run_recipe
from training.train import Overrides, Recipes, sentences

RANGE = {"low", "high", "log", "step"}


def hyperparameters(recipe: Recipe) -> Any:
    """``tune.space`` as KerasTuner's `HyperParameters`.

    Raises:
        RecipeError: no space, an unknown key, or a range that is none.
    """
    import keras_tuner

    if not recipe.tune.space:
        raise RecipeError("tune.space is empty: there is nothing to search over. Received: tune.space={}")
    space = keras_tuner.HyperParameters()
    for key, given in recipe.tune.space.items():
        if key.split(".")[0] in ("data", "split", "tune") or key == "model.input_size":
            raise RecipeError(
                f"tune.space cannot search over {key}: the pictures are prepared once for all "
                f"trials. Received: {key}"
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
                with_values(recipe, {key: value})  # refuses what the recipe would
            # KerasTuner wants choices of one type; their positions always are.
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
    """A trial's hyperparameters as recipe values."""
    return {
        key: recipe.tune.space[key]["choices"][value] if "choices" in recipe.tune.space[key] else value
        for key, value in chosen.items()
    }


def search(recipe: Recipe, run: RunDirectory, prepared: RunDirectory) -> Recipe:
    """Try recipes and return the best, ready to be trained in full.

    Raises:
        RecipeError: the space makes no sense.
    """
    import keras_tuner

    choices, monitor = recipe.tune, recipe.train.monitor
    objective = keras_tuner.Objective(monitor, "min" if monitor in LOWER_IS_BETTER else "max")
    options = {
        "objective": objective,
        "max_trials": choices.trials,
        "hyperparameters": hyperparameters(recipe),
    }
    oracles = keras_tuner.oracles
    oracle = {
        "random": lambda: oracles.RandomSearchOracle(seed=recipe.seed, **options),
        "bayesian": lambda: oracles.BayesianOptimizationOracle(seed=recipe.seed, **options),
        "grid": lambda: oracles.GridSearchOracle(seed=recipe.seed, **options),
    }[choices.search]()

    class Search(keras_tuner.Tuner):  # type: ignore[misc]
        def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
            values = values_of(recipe, trial.hyperparameters.values)
            run.say(f"trial {trial.trial_id} of {choices.trials}: {_readable(values)}", **values)
            changes = {"train.epochs": choices.epochs, **values}
            log = child_run(recipe, run, f"tuning/{trial.trial_id}", changes, prepared=prepared)
            return {key: float(value) for key, value in log["held_back"].items()}

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            run.write_json("tuning.json", _trials(recipe, self.oracle))

    tuner = Search(oracle=oracle, directory=str(run / "tuning"), project_name="search", overwrite=False)
    tuner.search()
    found = _trials(recipe, oracle)
    run.write_json("tuning.json", found)
    best = found[0]
    run.say(f"best of {len(found)} trials, {monitor} {best['score']:.4f}: {_readable(best['values'])}")
    chosen = with_values(recipe, {**best["values"], "tune.trials": 0})
    run.write("tuned.yaml", save_recipe(chosen))
    (run / "plots").mkdir(exist_ok=True)
    plot(found, monitor, run / "plots/tuning.png")
    return chosen


def _trials(recipe: Recipe, oracle: Any) -> list[dict[str, Any]]:
    """Finished trials, best first."""
    return [
        {
            "trial": trial.trial_id,
            "score": float(trial.score),
            "values": values_of(recipe, trial.hyperparameters.values),
        }
        for trial in oracle.get_best_trials(len(oracle.trials))
        if trial.score is not None
    ]


def _readable(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def plot(trials: list[dict[str, Any]], monitor: str, path: Path) -> None:
    """Every trial's score against each searched value, as PNG."""
    keys = list(trials[0]["values"])
    drawn = figure(3.2 * len(keys) + 1, 3.4)
    grid = drawn.subplots(1, len(keys), sharey=True, squeeze=False)[0]
    for key, axes in zip(keys, grid, strict=True):
        values = [trial["values"][key] for trial in trials]
        numbers = all(isinstance(value, (int, float)) for value in values)
        axes.scatter(values if numbers else [str(value) for value in values],
                     [trial["score"] for trial in trials], color="#b5533c")  # fmt: skip
        if numbers and min(values) > 0 and max(values) / min(values) > 20:
            axes.set_xscale("log")
        axes.set_xlabel(key)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel(f"held-back {monitor}")
    drawn.savefig(path, dpi=110)


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
        search(choices, directory, directory)


if __name__ == "__main__":
    typer.run(main)
