"""Write the bundle's README.md from the measured figures."""

from __future__ import annotations

from typing import Any

from smartbreed.inference.evaluation import FILE
from training.common.errors import StageError
from training.pipeline.stage import Context
from training.pipeline.stages.export import bundle_config


def run(context: Context) -> dict[str, Any]:
    """Write ``bundle/README.md``, and put the figures into the bundle's config.json and evaluation.json.

    Raises:
        StageError: the card needs a figure that was not measured.
    """
    from training.reporting.model_card import put_card, write_card

    folder = context.run / "bundle"
    config = bundle_config(folder) | {"metrics": context.run.read_json("scores.json")}
    try:
        write_card(config, [context.run / "model_card.md"])
        put_card(folder, config, context.run / FILE)
    except KeyError as missing:
        raise StageError(
            "The card needs a figure that the evaluation did not produce; add photographs it can be measured "
            f"on, or stop before it with --to evaluate. Received: no {missing.args[0]}"
        ) from None
    context.run.say(f"{folder / 'README.md'}")
    return {}
