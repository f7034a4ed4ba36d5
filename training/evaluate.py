"""Judge a bundle on the public test split and write its card: ``python -m training.evaluate --data …``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from smartbreed.breeds import get_breed
from smartbreed.config import EMBEDDED_BUNDLE
from smartbreed.vision.bundle import CONFIG, load_bundle, write_config
from smartbreed.vision.identify import Identifier
from training.card import write_card
from training.data import load_crops, load_scenes, split_scenes
from training.metrics import classifier_logits, classifier_metrics, detector_metrics, pipeline_metrics
from training.plots import per_breed, reliability

PLOTS = Path("docs/plots")


def rounded(value: Any) -> Any:
    """Every float of a nested value to four places."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def main(
    data: Annotated[str, typer.Option(help="Dataset repo or folder.")],
    bundle: Annotated[Path, typer.Option(help="The bundle to judge.")] = EMBEDDED_BUNDLE,
    card: Annotated[Path, typer.Option(help="The model card to write.")] = Path("model_card.md"),
    write: Annotated[bool, typer.Option(help="Write card, plots and the bundle's metrics.")] = True,
) -> None:
    """Print every figure as JSON; with --write also the card, its plots and the bundle's metrics."""
    identifier = Identifier(load_bundle(bundle))
    crops = load_crops(data, "test")
    scenes = [scene for scene in load_scenes(data, "test") if len(scene.boxes)]
    empty = [scene for scene in split_scenes(load_scenes(data, "train"))[1] if not len(scene.boxes)]
    logits = classifier_logits(identifier, crops.images)
    metrics = rounded(
        {
            "classifier": classifier_metrics(identifier, crops, logits),
            "detector": detector_metrics(identifier, scenes, empty),
            "pipeline": pipeline_metrics(identifier, scenes),
        }
    )
    print(json.dumps(metrics, indent=1))
    if not write:
        return
    PLOTS.mkdir(parents=True, exist_ok=True)
    probabilities = identifier.classifier.probabilities(logits)
    reliability(probabilities.max(1), probabilities.argmax(1) == crops.labels, PLOTS / "reliability.png")
    named = {get_breed(name).name: value for name, value in metrics["classifier"]["per_breed"].items()}
    per_breed(named, PLOTS / "hardest_breeds.png")
    config = json.loads((bundle / CONFIG).read_text())
    config["metrics"] = metrics
    write_card(config, [card, bundle / "README.md"])
    write_config(bundle, config)


if __name__ == "__main__":
    typer.run(main)
