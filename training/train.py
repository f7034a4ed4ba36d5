"""Run a recipe: ``python -m training.train RECIPE [--run DIR] [--set train.epochs=3]``.

RECIPE is the name of a file in ``training/recipes`` or a path. After a kill, run the same command again:
complete stages are skipped and training resumes after its last finished epoch.
"""

from __future__ import annotations

from typing import Annotated

import typer

from training.common.cli import Overrides, Recipes, Run, sentences
from training.common.run_directory import RunDirectory
from training.pipeline.runner import RUNS, adopt, run_recipe, select
from training.recipe.file import keys, load_recipe


def main(
    recipe: Recipes = "",
    run: Run = None,
    overrides: Overrides = [],  # noqa: B006 - typer wants a list
    stage: Annotated[str, typer.Option(help="Run this stage alone.")] = "",
    since: Annotated[str, typer.Option("--from", help="Start at this stage.")] = "",
    until: Annotated[str, typer.Option("--to", help="End with this stage.")] = "",
    again: Annotated[bool, typer.Option("--again", help="Run stages although they are complete.")] = False,
    take: Annotated[
        bool, typer.Option("--adopt", help="Take the weights in the run directory as trained.")
    ] = False,
    show_keys: Annotated[bool, typer.Option("--keys", help="List every key of a recipe and stop.")] = False,
) -> None:
    """Run the stages of a recipe: prepare, train, calibrate, export, evaluate, write the card, publish."""
    if show_keys or not recipe:
        for key, (description, default) in keys().items():
            print(f"{key:<26} {description} [{default!r}]" if default != "" else f"{key:<26} {description}")
        raise typer.Exit(0 if show_keys else 2)
    with sentences():
        choices = load_recipe(recipe, overrides)
        directory = RunDirectory(run or RUNS / choices.name)
        stages = select(stage, since, until)
        if take:
            run_recipe(choices, directory, ("prepare",))
            adopt(choices, directory)
            stages = tuple(name for name in stages if name not in ("prepare", "train"))
        run_recipe(choices, directory, stages, again=again)
        directory.say(f"done: {directory.folder}")


if __name__ == "__main__":
    typer.run(main)
