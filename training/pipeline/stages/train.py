"""Train the network, or resume training it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from smartbreed.inference.boxes import with_margin
from smartbreed.inference.pixels import resample
from training.common.errors import RecipeError
from training.data import load_scenes, split_scenes
from training.data.others import load_others
from training.data.outliers import Unnamed, outlier_crops, unnamed_of
from training.data.prepared import Prepared, load_prepared
from training.data.splits import TRAIN, VALIDATION
from training.fitting.classifier import crop_augmentation, train_classifier
from training.fitting.tracking import log_head
from training.pipeline.stage import Context
from training.recipe.recipe import Recipe, monitors_epochs
from training.reporting.crop_report import augmentation_sheet
from training.reporting.epochs import plot_epochs


def check(context: Context) -> None:
    """Refuse choices that the prepared pictures rule out, before an earlier training is removed.

    Raises:
        RecipeError: ``train.monitor`` is a figure that the held-back pictures do not give, or ``tune.space``
            is invalid.
    """
    recipe = context.recipe
    if recipe.task == "detect":
        return
    if recipe.train.monitor in ("cats", "top5") and monitors_epochs(recipe):
        prepared = load_prepared(context.prepared)
        if recipe.train.monitor == "top5" and len(prepared.labels) <= 5:
            raise RecipeError(
                f"train.monitor is top5, always right with {len(prepared.labels)} labels; choose top1. "
                "Received: train.monitor=top5"
            )
        if (
            recipe.train.monitor == "cats"
            and not (prepared.crops.species[prepared.places == VALIDATION] == 0).any()
        ):
            raise RecipeError(
                "train.monitor is cats, but no held-back picture is of a cat, as far as data.species or "
                "data.labels say. Received: train.monitor=cats"
            )
    if recipe.tune.trials:
        from training.pipeline.tuning import hyperparameters

        hyperparameters(recipe)


def run(context: Context) -> dict[str, Any]:
    """Write the weights and ``training.json``.

    Raises:
        TrainingError: the network cannot be trained with these choices.
    """
    recipe, run = context.recipe, context.run
    if recipe.task == "detect":
        from training.fitting.detector import train_detector

        log = train_detector(recipe, run)
        _plot(context, log["epochs"])
        return {"held_back": log["epochs"][-1]}
    if recipe.tune.trials:
        from training.pipeline.tuning import search

        recipe = search(recipe, run, context.prepared)
    log = fit_classifier(Context(recipe, run, context.prepared))
    log_head(run.folder, log["head"])
    _plot(context, log["epochs"])
    return {"held_back": log["held_back"]}


def _plot(context: Context, epochs: list[dict[str, Any]]) -> None:
    if epochs:
        (context.run / "plots").mkdir(exist_ok=True)
        plot_epochs(epochs, context.run / "plots/epochs.png", shown=("top1", "top5", "map", "ap50", "ap75"))


def fit_classifier(context: Context) -> dict[str, Any]:
    """Train on the prepared pictures; return the training log."""
    prepared = load_prepared(context.prepared)
    if context.prepared is context.run:
        _show_augmentation(context, prepared)
    return train_classifier(
        context.recipe,
        context.run,
        prepared.part(TRAIN),
        prepared.part(VALIDATION),
        unnamed(context.recipe, prepared.labels),
    )


def _show_augmentation(context: Context, prepared: Prepared) -> None:
    """Update the report's picture of the augmentation to the recipe."""
    augment = crop_augmentation(context.recipe.augment)
    if augment is not None:
        some = np.flatnonzero(prepared.places == TRAIN)[
            :: max(1, int((prepared.places == TRAIN).sum() // 6))
        ][:6]
        augmentation_sheet(
            prepared.crops.images[some], augment, context.run / "report/augmentation.png", context.recipe.seed
        )


def unnamed(recipe: Recipe, labels: list[dict[str, str]]) -> Unnamed | None:
    """Return pet-less photographs, other animals and pets of no breed; None if the recipe shows none."""
    if not recipe.train.outliers:
        return None
    size, source = recipe.model.input_size, recipe.data.source
    scenes = split_scenes(load_scenes(source, "train", recipe.data.scenes, dropped=[]))[0]
    images = list(outlier_crops([s.image for s in scenes if not len(s.boxes)], recipe.seed, size=size))
    species = [-1] * len(images)
    if recipe.data.others:
        for scene in (one for one in scenes if not one.breed):
            whole = Image.fromarray(scene.image)
            for box, kind in zip(scene.boxes, scene.species, strict=True):
                cut = with_margin(box, recipe.data.margin, whole.width, whole.height)
                images.append(resample(whole, cut, (size, size)))
                species.append(int(kind))
        others = load_others(source, recipe.data.others, size, recipe.data.held_classes, recipe.data.margin)
        images += list(others.images[~others.held])
        species += others.species[~others.held].tolist()
    of_labels = np.array([{"cat": 0, "dog": 1}.get(label["species"], -1) for label in labels])
    return unnamed_of(images, np.array(species), of_labels) if images else None
