"""What the network is asked to answer: true labels, softened by teachers or by label smoothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smartbreed.errors import BundleError
from smartbreed.vision.classifier import softmax
from training.data import Crops
from training.data.reading import bundle_folder
from training.errors import RecipeError
from training.imagenet import CATS, imagenet_classes
from training.recipe import Recipe, Teacher
from training.start import Start
from training.teachers import edgetpu_probabilities, restricted_softmax, soft_targets

#: Labels a teacher knows, and its probabilities of them ``(count, len(labels))``.
Opinion = tuple[list[int], np.ndarray]


def targets_for(recipe: Recipe, start: Start, crops: Crops, embeddings: np.ndarray) -> np.ndarray:
    """Soft targets ``(count, labels)`` of the training crops.

    Args:
        recipe: teachers, their weight, and the smoothing where there is none.
        start: the network before training, itself a teacher.
        crops: training pictures.
        embeddings: of those by the start network, ``(count, d)``.

    Raises:
        RecipeError: a teacher cannot be asked; the message names it.
    """
    opinions = [_ask(teacher, start, crops, embeddings) for teacher in recipe.distil.teachers]
    return soft_targets(
        crops.labels, *mean_opinion(opinions, crops.labels, len(crops.names)),
        weight=recipe.distil.weight, smoothing=recipe.train.label_smoothing,
    )  # fmt: skip


def mean_opinion(opinions: list[Opinion], labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What the teachers that know a crop's label think of it in the mean.

    Returns:
        Probabilities ``(count, classes)``, and whether any teacher knows the label ``(count,)``; where none
        does, the row is 0.
    """
    total = np.zeros((len(labels), classes), np.float32)
    asked = np.zeros(len(labels), np.int64)
    for known, chance in opinions:
        mine = np.isin(labels, known)
        total[np.ix_(np.flatnonzero(mine), np.array(known))] += chance[mine]
        asked += mine
    return total / np.maximum(asked, 1)[:, None], asked > 0


def _ask(teacher: Teacher, start: Start, crops: Crops, embeddings: np.ndarray) -> Opinion:
    if teacher.kind == "bundle":
        return _ask_bundle(teacher.file, crops)
    known = imagenet_classes(crops)
    classes = np.array(list(known.values()))
    if not known:
        raise RecipeError(
            f"distil.teachers: {teacher.kind} knows ImageNet's dogs by Stanford's file names, and none of "
            f"data.origin's has that form. Received: {crops.sources[0]}"
        )
    if teacher.kind == "tflite":
        path = Path(teacher.file).expanduser()
        if not path.is_file():
            raise RecipeError(f"distil.teachers: there is no such file. Received: {teacher.file}")
        return list(known), edgetpu_probabilities(path, crops.images, classes)
    if start.imagenet is None:
        raise RecipeError(
            "distil.teachers: imagenet_head needs start weights with the ImageNet head (imagenet, "
            "or an .npz with "
            "predictions/kernel). Received: none"
        )
    return list(known), restricted_softmax(embeddings, *start.imagenet, classes)


def _ask_bundle(name: str, crops: Crops) -> Opinion:
    from smartbreed.vision.identify import Identifier
    from training.evaluation.answers import run

    try:
        identifier = Identifier.load(bundle_folder(name))
    except BundleError as error:
        raise RecipeError(f"distil.teachers: {error.message} Received: {name}") from None
    columns = [
        (label, identifier.labels.index(i)) for label, i in enumerate(crops.names) if i in identifier.labels
    ]
    if len(columns) < 2:
        raise RecipeError(f"distil.teachers: the bundle knows fewer than two of the labels. Received: {name}")
    logits = np.stack([outputs.logits for outputs in run(identifier, crops.images)])
    chosen = logits[:, [column for _, column in columns]]
    chance = softmax(chosen / identifier.classifier.config.temperature).astype(np.float32)
    return [label for label, _ in columns], chance


def start_rows(recipe: Recipe, start: Start, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Kernel ``(d, labels)`` and bias ``(labels,)`` that the head starts from.

    Raises:
        RecipeError: the start has no such rows.
    """
    width, labels = start.model.get_layer("class_maps").kernel.shape[2:]
    if recipe.head.rows == "zeros":
        return np.zeros((width, labels), np.float32), np.zeros(labels, np.float32)
    if recipe.head.rows == "imagenet":
        if start.imagenet is None:
            raise RecipeError(
                "head.rows is imagenet, but the start weights have no ImageNet head. "
                f"Received: model.start={recipe.model.start}"
            )
        known = imagenet_classes(crops)
        rows = known | {crops.names.index(cat): n for cat, n in CATS.items() if cat in crops.names}
        return _rows(*start.imagenet, rows, list(known.values()) or [0], labels)
    assert start.bundle is not None
    ids, kernel, bias = start.bundle
    rows = {label: ids.index(name) for label, name in enumerate(crops.names) if name in ids}
    return _rows(kernel, bias, rows, list(range(len(ids))), labels)


def _rows(
    kernel: np.ndarray, bias: np.ndarray, rows: dict[int, int], others: list[int], labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """The rows of the labels that have one; the mean of ``others`` for the rest."""
    start_kernel = np.repeat(kernel[:, others].mean(1, keepdims=True), labels, 1)
    start_bias = np.full(labels, bias[others].mean(), np.float32)
    for label, number in rows.items():
        start_kernel[:, label], start_bias[label] = kernel[:, number], bias[number]
    return start_kernel, start_bias
