"""Write the bundle's README.md from what was measured."""

from __future__ import annotations

import os
from typing import Any

from smartbreed.durable import replace_durably
from smartbreed.vision.bundle import write_config
from training.errors import StageError
from training.stages import Context
from training.stages.export import bundle_config


def run(context: Context) -> dict[str, Any]:
    """Leave ``bundle/README.md``, and the figures in the bundle's ``config.json``."""
    from training.card import write_card

    folder = context.run / "bundle"
    config = bundle_config(folder) | {"metrics": context.run.read_json("scores.json")}
    half = folder / "README.md.tmp"
    try:
        write_card(config, [half, context.run / "model_card.md"])
        with half.open("rb") as file:
            os.fsync(file.fileno())
        # A kill between any two of these leaves a bundle that loads: the card is not listed while it changes.
        write_config(folder, config, without=("README.md",))
        replace_durably(half, folder / "README.md")
        write_config(folder, config)
    except KeyError as missing:
        raise StageError(
            "The card needs a figure that the evaluation did not produce; add photographs it can be measured "
            f"on, or stop before it with --to evaluate. Received: no {missing.args[0]}"
        ) from None
    finally:
        half.unlink(missing_ok=True)
    context.run.say(f"{folder / 'README.md'}")
    return {}
