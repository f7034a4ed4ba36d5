"""Arguments and error handling shared by every command of the trainer."""

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
    """Turn expected errors inside the block into one sentence on stderr and exit status 1 (Ctrl-C: 130)."""
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
    # Native code logs some lines at any level. Python's stderr moves to a copy of descriptor 2, and
    # descriptor 2 itself, which native code writes to, goes to /dev/null.
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
