"""Sweep over frozen layers: ``python -m training.sweep RECIPE --freeze block_6_add --freeze backbone``.

The same recipe is trained once per choice. ``sweep.json`` and ``plots/freeze_till.png`` show accuracy
and loss against the number of frozen layers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from training.common.cli import Overrides, Recipes, sentences
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.pipeline.runner import RUNS, child_run, run_recipe
from training.recipe.file import load_recipe
from training.recipe.recipe import Recipe
from training.reporting.plots import sweep as draw


def sweep(recipe: Recipe, run: RunDirectory, choices: list[str | int]) -> list[dict[str, Any]]:
    """Train once per ``freeze_till`` value; a killed sweep resumes where it stopped.

    Returns:
        One entry per choice, fewest frozen layers first.

    Raises:
        RecipeError: fewer than two choices, or the recipe has nothing to fine-tune.
    """
    if len(choices) < 2:
        raise RecipeError(f"A sweep needs at least two --freeze. Received: {choices}")
    if recipe.task != "classify" or not recipe.train.epochs:
        raise RecipeError(
            "A sweep is over a classifier that is fine-tuned. "
            f"Received: task={recipe.task}, train.epochs={recipe.train.epochs}"
        )
    run_recipe(recipe, run, ("prepare",))
    entries, first = [], None
    for choice in choices:
        name = f"freeze-{choice or 'none'}"
        run.stage = "sweep"
        run.say(f"freeze_till {choice or 'none'}")
        log = child_run(recipe, run, name, {"model.freeze_till": choice}, head_of=first)
        first = first or RunDirectory(run / name, quiet=True)
        entries.append(
            {"freeze_till": choice, "frozen": log["frozen"], "layers": log["layers"], **log["held_back"],
             "loss": log["epochs"][-1]["loss"], "seconds": log["seconds"]}
        )  # fmt: skip
        run.write_json("sweep.json", entries)
    entries.sort(key=lambda entry: entry["frozen"])
    run.write_json("sweep.json", entries)
    (run / "plots").mkdir(exist_ok=True)
    draw(entries, run / "plots/freeze_till.png")
    return entries


def main(
    recipe: Recipes,
    freeze: Annotated[list[str], typer.Option(help="A layer's name, a count, backbone, or none; repeat.")],
    run: Annotated[Path | None, typer.Option("--run", help="Default runs/NAME-freeze.")] = None,
    overrides: Overrides = [],  # noqa: B006 - typer wants a list
) -> None:
    """Compare values of freeze_till: train the recipe once with each."""
    with sentences():
        choices = load_recipe(recipe, overrides)
        directory = RunDirectory(run or RUNS / f"{choices.name}-freeze")
        parsed = [int(item) if item.isdigit() else "" if item == "none" else item for item in freeze]
        for entry in sweep(choices, directory, parsed):
            named = entry["freeze_till"] or "none"
            figures = f"top-1 {entry['top1']:.4f}, loss {entry['val_loss']:.4f}"
            print(f"{entry['frozen']:>3} frozen ({named}): {figures}")


if __name__ == "__main__":
    typer.run(main)
