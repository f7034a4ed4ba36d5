"""Recalibrate a bundle without retraining its networks: ``python -m training.recalibrate --data …``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import CONFIG, write_config
from smartbreed.inference.pipeline import Identifier
from training.augment.crops import MILD
from training.common.cli import sentences
from training.data import HELD_BACK, held_back, load_crops
from training.data.others import load_others
from training.evaluation.answers import run
from training.pipeline.stages.calibrate import degraded_faults, other_animals
from training.recipe.file import load_recipe


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder like the default one.")],
    version: Annotated[str, typer.Option(help="Version the bundle gets.")],
    bundle: Annotated[Path, typer.Option(help="The bundle.")] = EMBEDDED_BUNDLE,
    recipe: Annotated[str, typer.Option(help="Recipe that says by what.")] = "breeds",
) -> None:
    """Refit how far faults of a crop raise the temperature, and what is taken for another animal."""
    with sentences():
        chosen, served = load_recipe(recipe), Identifier.load(bundle)
        config = json.loads((bundle / CONFIG).read_text())
        section, crops = config["classifier"], load_crops(data, "train")
        kept = held_back(crops.hashes, HELD_BACK)
        train, validation = (crops.take(np.flatnonzero(some)) for some in (~kept, kept))
        rng = np.random.default_rng(chosen.seed)
        shown = [*validation.images, *(MILD(image, rng) for image in validation.images)]
        clear = np.stack([outputs.logits for outputs in run(served, np.stack(shown))])
        section["faults"] = degraded_faults(
            served, validation, clear, np.tile(validation.labels, 2), section["temperature"],
            copies=chosen.calibrate.degraded, caution=chosen.calibrate.caution, seed=chosen.seed,
        )  # fmt: skip
        others = load_others(data, chosen.data.others, section["input_size"], chosen.data.held_classes)
        section["other"] = other_animals(served, train, validation, others)
        past = config.get("recipe", {}).get("data", {})
        config["recipe"] = {
            **config.get("recipe", {}),
            "data": {**past, "others": chosen.data.others, "held_classes": list(chosen.data.held_classes)},
        }
        write_config(bundle, {**config, "version": version})
        Identifier.load(bundle)
        print(section["faults"], section["other"]["threshold"])


if __name__ == "__main__":
    typer.run(main)
