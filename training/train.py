"""Run a recipe: ``python -m training.train RECIPE [--run DIR] [--set train.epochs=3]``.

RECIPE is the name of a file in ``training/recipes`` or the path of one. Run the same command again after a
kill: complete stages are skipped and training goes on from its last epoch.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from smartbreed.core.errors import SmartBreedError, StorageError
from smartbreed.core.extras import require
from training.common.disk_faults import disk_faults, exit_before_hdf5, silence_disk_faults
from training.pipeline.run_directory import RunDirectory
from training.pipeline.runner import RUNS, adopt, run_recipe, select
from training.recipe.file import keys, load_recipe

Recipes = Annotated[
    str, typer.Argument(help="Name of a recipe, or the path of a YAML file.", show_default=False)
]
Run = Annotated[Path | None, typer.Option("--run", help="Run directory; default runs/NAME.")]
Overrides = Annotated[list[str], typer.Option("--set", help="Change one choice, such as train.epochs=3.")]


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
    """Train, calibrate, export, evaluate and describe a model, as a recipe says."""
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


@contextmanager
def sentences() -> Iterator[None]:
    """Whatever a person can put right ends the program with one sentence and status 1."""
    _silence_native_code()
    silence_disk_faults()
    try:
        with disk_faults("The run stopped"):
            require("train", "Training needs")
            yield
    except SmartBreedError as error:
        print(error.message, file=sys.stderr)
        if isinstance(error, StorageError):
            exit_before_hdf5(1)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print("Stopped; run the same command to go on.", file=sys.stderr)
        raise typer.Exit(130) from None


def _silence_native_code() -> None:
    """Keep tensorflow's native log lines off the terminal; set TF_CPP_MIN_LOG_LEVEL to see them."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Some lines come whatever the level: Python goes on writing to the terminal, native code does not.
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    typer.run(main)
