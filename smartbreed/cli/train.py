"""``smartbreed train``: the trainer's command, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import typer

from smartbreed.cli.common import ends_well
from smartbreed.core.extras import require


def train(context: typer.Context) -> None:
    """Train a model as a recipe says, as python -m training.train does: all options are passed on to it."""
    with ends_well():
        require("train", "Training needs")
    process = subprocess.Popen([sys.executable, "-m", "training.train", *context.args])
    while True:
        try:
            raise typer.Exit(process.wait())
        except KeyboardInterrupt:  # the trainer got it too, and ends in its own time
            continue
