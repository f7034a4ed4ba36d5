"""The network a run has trained."""

from __future__ import annotations

import keras

from training.common.errors import StageError
from training.common.run_directory import RunDirectory
from training.export.litert import round_to_half
from training.models.backbones import build_backbone
from training.models.ssd_mobilenet_v1 import build_detector
from training.recipe.recipe import Recipe


def trained_network(recipe: Recipe, run: RunDirectory, classes: int) -> keras.Model:
    """Rebuilt with the run's final weights, rounded to float16 as they are shipped.

    Raises:
        StageError: the weights are not there or belong to another network.
    """
    name = "detector" if recipe.task == "detect" else "classifier"
    if recipe.task == "detect":
        model = build_detector(alpha=recipe.model.alpha)
    else:
        model = build_backbone(
            recipe.model.backbone, classes, input_size=recipe.model.input_size, alpha=recipe.model.alpha
        )
    try:
        model.load_weights(run / f"{name}.weights.h5")
    except (OSError, ValueError, KeyError):
        raise StageError(
            f"{name}.weights.h5 of the run is missing or fits another network; run the stage train again "
            f"(--from train --again). Received: {run.folder}"
        ) from None
    round_to_half(model)
    return model
