"""Cross-validation: ``python -m training.kfold RECIPE --folds 5``.

Each fold holds back another part of the pictures and keeps near-duplicates together. ``kfold.json`` and
``plots/kfold.png`` give the mean and spread of the held-back figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from training.common.cli import Overrides, Recipes, sentences
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.pipeline.runner import RUNS, run_recipe
from training.recipe.file import load_recipe, with_values
from training.recipe.recipe import Recipe
from training.reporting.plots.style import ACCENT, INK, figure


def cross_validate(recipe: Recipe, run: RunDirectory, folds: int) -> dict[str, Any]:
    """Train once per fold; a killed run resumes where it stopped.

    Returns:
        ``folds``: the held-back figures of each fold; ``mean`` and ``deviation`` of every figure that all
        folds have. A fold that holds back no cat has no figure of cats.

    Raises:
        RecipeError: fewer than two folds, or the recipe trains a detector.
    """
    if folds < 2 or recipe.task != "classify":
        raise RecipeError(
            f"Cross-validation needs at least 2 folds and a classifier. Received: {folds} folds, "
            f"{recipe.task}"
        )
    found = []
    for fold in range(folds):
        run.stage = "kfold"
        run.say(f"fold {fold + 1} of {folds}")
        changed = with_values(recipe, {"split.folds": folds, "split.fold": fold, "tune.trials": 0})
        child = RunDirectory(run / f"fold-{fold}", quiet=run.quiet)
        run_recipe(changed, child, ("prepare", "train"))
        found.append(child.read_json("training.json")["held_back"])
    shared = [key for key in found[0] if all(key in one for one in found)]
    result = {
        "folds": found,
        "mean": {key: float(np.mean([one[key] for one in found])) for key in shared},
        "deviation": {key: float(np.std([one[key] for one in found], ddof=1)) for key in shared},
    }
    run.write_json("kfold.json", result)
    (run / "plots").mkdir(exist_ok=True)
    plot(result, run / "plots/kfold.png")
    return result


def plot(result: dict[str, Any], path: Path) -> None:
    """Plot the top-1 of each fold and their mean as PNG."""
    values = [100 * one["top1"] for one in result["folds"]]
    mean, deviation = 100 * result["mean"]["top1"], 100 * result["deviation"]["top1"]
    with figure(path, 5, 3.5) as drawn:
        axes = drawn.subplots()
        bars = axes.bar([str(fold + 1) for fold in range(len(values))], values, color=ACCENT)
        axes.bar_label(bars, fmt="%.1f", label_type="center", color="white")
        axes.axhline(mean, color=INK, linestyle="--")
        axes.set(xlabel="fold", ylabel="held-back top-1, %", title=f"{mean:.1f} ± {deviation:.1f}")


def main(
    recipe: Recipes,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 5,
    run: Annotated[Path | None, typer.Option("--run", help="Default runs/NAME-kfold.")] = None,
    overrides: Overrides = [],  # noqa: B006 - typer wants a list
) -> None:
    """Cross-validate a recipe."""
    with sentences():
        choices = load_recipe(recipe, overrides)
        result = cross_validate(choices, RunDirectory(run or RUNS / f"{choices.name}-kfold"), folds)
        print(f"top-1 {result['mean']['top1']:.4f} ± {result['deviation']['top1']:.4f} over {folds} folds")


if __name__ == "__main__":
    typer.run(main)
