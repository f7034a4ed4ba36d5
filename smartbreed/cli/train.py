"""``smartbreed train``: run the trainer's command in a separate process."""

from __future__ import annotations

import subprocess
import sys

import typer

from smartbreed.cli.common import ends_well
from smartbreed.core.extras import require


def train(context: typer.Context) -> None:
    """Train a model from a recipe with python -m training.train. All options are passed on to it."""
    with ends_well():
        require("train", "Training needs")
    process = subprocess.Popen([sys.executable, "-m", "training.train", *context.args])
    while True:
        try:
            raise typer.Exit(process.wait())
        except KeyboardInterrupt:  # the trainer got it too: wait until it ends
            continue
