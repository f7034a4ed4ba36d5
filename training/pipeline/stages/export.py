"""Write the bundle that the app serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.files import disk_errors
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.stored_embeddings import GATE, REPLAY
from training.data import load_scenes, split_scenes
from training.data.outliers import outlier_crops
from training.data.prepared import Prepared, load_prepared
from training.data.splits import TRAIN, VALIDATION
from training.evaluation.answers import run as run_crops
from training.export.activation_ranges import range_pictures
from training.export.bundle import (
    UNFINISHED,
    classifier_section,
    copy_network,
    detector_section,
    finish,
    replace_folder,
    section_of,
    trained_network,
    write_network,
)
from training.export.gate_set import build_gate
from training.export.replay import choose, origins_of, save_replay
from training.models.from_bundle import other_bundle
from training.pipeline.stage import Context
from training.pipeline.stages.calibrate import CONVERTED
from training.recipe.recipe import Recipe


def run(context: Context) -> dict[str, Any]:
    """Write ``bundle/`` after loading it once as the app would.

    Raises:
        StorageError: the disk refused.
        RecipeError: a bundle that the recipe names cannot be used.
    """
    folder, target = context.run / "bundle.tmp", context.run / "bundle"
    with disk_errors("The bundle was not written"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        networks = _detect(context, folder) if context.recipe.task == "detect" else _classify(context, folder)
        about = head_of(context.recipe, context.run.read_json("training.json"))
        finish(folder, {**about, **networks}, final=True)
    replace_folder(folder, target)
    size = sum(path.stat().st_size for path in target.iterdir()) / 1e6
    context.run.say(f"{target}: {size:.1f} MB; serve it with SMARTBREED_MODEL={target}")
    return {"megabytes": round(size, 1)}


def head_of(recipe: Recipe, log: dict[str, Any] | None) -> dict[str, Any]:
    """Return what ``config.json`` says besides the networks."""
    task = "detector" if recipe.task == "detect" else "classifier"
    return {
        "name": recipe.export.name or recipe.name,
        "version": recipe.export.version,
        "parents": _parents(recipe),
        "recipe": recipe.model_dump(mode="json"),
        "training": {task: log} if log else {},
    }


def _parents(recipe: Recipe) -> list[dict[str, str]]:
    """Return the model whose weights the training started from; empty if it did not start from a bundle."""
    if not recipe.model.start.startswith("bundle:"):
        return []
    name = recipe.model.start.removeprefix("bundle:")
    version = other_bundle(name, "model.start").version
    repo = name if name == "embedded" else version.repo
    return [{"repo": repo, "revision": version.revision, "version": version.version}]


def _classify(context: Context, folder: Path) -> dict[str, Any]:
    recipe, prepared = context.recipe, load_prepared(context.prepared)
    calibration = context.run.read_json("calibration.json")
    model = trained_network(recipe, context.run, len(prepared.labels))
    kept = min(recipe.export.replay * len(prepared.labels), len(prepared.crops))
    context.run.expect(CONVERTED + kept + len(prepared.part(VALIDATION)))
    context.run.advance(0, "Converting the network")
    write_network(model, folder, "classifier", range_pictures(context.recipe, context.prepared))
    context.run.advance(CONVERTED, "Converting the network")
    classifier = classifier_section(recipe, prepared.labels, model, calibration)
    if recipe.export.replay:
        _memories(context, prepared, finish(folder, {**UNFINISHED, "classifier": classifier}), folder)
    if not recipe.export.detector:
        return {"classifier": classifier, "detector": None}
    bundle = other_bundle(recipe.export.detector, "export.detector")
    detector = {**section_of(bundle, "detector"), **calibration["detector"]}
    copy_network(bundle, detector, folder)
    return {"classifier": classifier, "detector": detector}


def _memories(context: Context, prepared: Prepared, served: Identifier, folder: Path) -> None:
    """Write the embeddings for retraining the head: the replay memory and the gate set."""
    recipe, crops = context.recipe, prepared.crops
    train = np.flatnonzero(prepared.places == TRAIN)
    some = choose(np.zeros((len(train), 0)), crops.labels[train], recipe.export.replay)
    kept = crops.take(train[some])
    save_replay(
        folder / REPLAY,
        _embeddings(served, kept.images, context),
        kept.labels,
        crops.names,
        origins_of(kept.sources),
    )
    held_back = prepared.part(VALIDATION)
    if not len(held_back):
        return
    out_of_distribution = None
    if recipe.data.scenes:
        away = split_scenes(load_scenes(recipe.data.source, "train", recipe.data.scenes, dropped=[]))[1]
        empty = [scene.image for scene in away if not len(scene.boxes)]
        if empty:
            shown = outlier_crops(empty, 0, cuts=0, size=recipe.model.input_size)
            out_of_distribution = _embeddings(served, shown)
    build_gate(
        folder / GATE,
        _embeddings(served, held_back.images, context),
        held_back.labels,
        crops.names,
        out_of_distribution=out_of_distribution,
        origins=origins_of(held_back.sources),
    )


def _embeddings(served: Identifier, images: np.ndarray, context: Context | None = None) -> np.ndarray:
    def advance(count: int) -> None:
        if context is not None:
            context.run.advance(count, "Remembering pictures for later retrainings")

    return np.stack([outputs.embedding for outputs in run_crops(served, images, advance)])


def _detect(context: Context, folder: Path) -> dict[str, Any]:
    calibration = context.run.read_json("calibration.json")
    model = trained_network(context.recipe, context.run, 2)
    write_network(model, folder, "detector", range_pictures(context.recipe, context.prepared))
    bundle = other_bundle(context.recipe.export.classifier, "export.classifier")
    classifier = section_of(bundle, "classifier")
    copy_network(bundle, classifier, folder)
    for memory in (bundle.folder / REPLAY, bundle.folder / GATE):
        if memory.is_file():
            shutil.copyfile(memory, folder / memory.name)
    return {"classifier": classifier, "detector": {**detector_section(), **calibration["detector"]}}


def bundle_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a bundle."""
    return dict(json.loads((folder / "config.json").read_text()))
