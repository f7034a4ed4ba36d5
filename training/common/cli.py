"""Arguments of every command of the trainer, and how each ends when something is wrong."""

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

Recipes = Annotated[
    str, typer.Argument(help="Name of a recipe, or the path of a YAML file.", show_default=False)
]
Run = Annotated[Path | None, typer.Option("--run", help="Run directory; default runs/NAME.")]
Overrides = Annotated[list[str], typer.Option("--set", help="Change one choice, such as train.epochs=3.")]


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
