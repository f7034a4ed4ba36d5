"""Evaluate the exported bundle on pictures that no choice was made on; write scores and plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.data import Crops, Scene, load_scenes, split_scenes
from training.data.others import Others, load_others, unseen_scenes
from training.data.prepared import load_prepared
from training.data.scenes import scenes_of_test
from training.data.splits import TEST, TRAIN, VALIDATION
from training.evaluation import evaluate_bundle
from training.evaluation.bundle_scores import rounded, write_scores
from training.export.activation_ranges import photographs, spread
from training.pipeline.stage import Context
from training.recipe.recipe import Recipe


def run(context: Context) -> dict[str, Any]:
    """Write ``scores.json`` with the ``split``, ``evaluation.json``, ``plots/`` and ``mistakes/``.

    Raises:
        DataError: there is nothing to evaluate on.
    """
    recipe, run = context.recipe, context.run
    scenes, empty = _photographs(recipe)
    crops = scored_crops(context)
    trained = None
    if crops is not None:
        prepared = load_prepared(context.prepared)
        trained = [prepared.crops.sources[i] for i in np.flatnonzero(prepared.places == TRAIN)]
    scores = evaluate_bundle(
        run / "bundle", crops, run.folder, scenes=scenes, empty=empty, trained=trained,
        robustness=recipe.evaluate.robustness, others=_others(recipe), other_scenes=_other_scenes(recipe),
        split=scored_split(context),
    )  # fmt: skip
    scores = {"split": scored_split(context), **scores}
    if recipe.evaluate.forms and crops is not None:
        scores["forms"] = rounded(_forms(context, crops, scenes))
    write_scores(run.folder, scores)
    for line in _sentences(scores):
        run.say(line)
    return {"top1": scores.get("classifier", {}).get("top1"), "map": scores.get("detector", {}).get("map")}


def _others(recipe: Recipe) -> Others | None:
    data = recipe.data
    if recipe.task == "detect" or not data.others:
        return None
    return load_others(data.source, data.others, recipe.model.input_size, data.held_classes, data.margin)


def _other_scenes(recipe: Recipe) -> list[Scene]:
    data = recipe.data
    return unseen_scenes(data.source, data.others, data.held_classes) if data.others else []


def scored_split(context: Context) -> str:
    """Return ``test``, or ``validation`` if a classifier's data has no test pictures.

    Whole photographs are always those of the source's test split.
    """
    if context.recipe.task == "detect":
        return TEST
    return TEST if (load_prepared(context.prepared).places == TEST).any() else VALIDATION


def scored_crops(context: Context) -> Crops | None:
    """Return the test pictures, or the held-back ones if there are none; None for a detector."""
    if context.recipe.task == "detect":
        return None
    place = scored_split(context)
    if place == VALIDATION:
        context.run.say("there are no test pictures: the held-back ones are used, which flatters")
    return load_prepared(context.prepared).part(place)


def _photographs(recipe: Recipe) -> tuple[list[Scene], list[Scene]]:
    """Load whole test photographs with pets and held-back ones without."""
    if not recipe.data.scenes:
        return [], []
    source, config = recipe.data.source, recipe.data.scenes
    pets = [scene for scene in scenes_of_test(source, config) if len(scene.boxes)]
    known = load_scenes(source, "train", config, dropped=[])
    empty = [scene for scene in split_scenes(known)[1] if not len(scene.boxes)]
    return pets, empty


def _forms(context: Context, crops: Crops, scenes: list[Scene]) -> dict[str, Any]:
    """Measure and plot every exported form of the networks."""
    from training.evaluation.forms import Calibration, exported_forms, form_scores
    from training.reporting.plots import forms

    recipe, bundle = context.recipe, context.run / "bundle"
    train = load_prepared(context.prepared).part(TRAIN)
    whole: Sequence[np.ndarray] | np.ndarray = []
    if recipe.data.scenes:
        whole = photographs(recipe.data.source, recipe.data.scenes)
    with exported_forms(bundle, Calibration(train.images[spread(np.arange(len(train)))], whole)) as paths:
        scores = form_scores(bundle, paths, crops, scenes)
    tables: dict[str, Any] = {name: scores[name] for name in ("classifier", "detector") if name in scores}
    forms(tables, context.run / "plots/forms.png")
    return dict(scores)


def _sentences(scores: dict[str, Any]) -> list[str]:
    found = []
    if "classifier" in scores:
        some = scores["classifier"]
        kind = "test" if scores["split"] == TEST else "held-back"
        found.append(f"{some['pictures']} {kind} pictures: top-1 {some['top1']:.1%}, ECE {some['ece']:.3f}")
    if "recall" in scores.get("detector", {}):  # there may be no photographs with a pet
        some = scores["detector"]
        found.append(f"whole photographs: recall {some['recall']:.1%}, AP50 {some['ap50']:.3f}")
    return found
