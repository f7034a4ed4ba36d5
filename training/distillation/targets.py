"""Build the training targets of a network: true labels, softened by teachers or by label smoothing.

A teacher that predicts the plain crop, while its student sees a cropped, rotated or darkened view, answers a
different question. Its predictions of the same view stay valid however long the student trains ("a good
teacher is patient and consistent", Beyer et al. 2022, https://arxiv.org/abs/2106.05237). Each picture
therefore has a fixed number of views, and every teacher runs once per view, not once per epoch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.augment.crops import CropAugmentation, view
from training.common.errors import RecipeError
from training.data import Crops
from training.data.imagenet import CATS, imagenet_classes
from training.distillation.teachers import teacher_for
from training.models.initial_network import Start
from training.recipe.recipe import Recipe

#: The labels that a teacher knows, and its probabilities of them ``(count, len(labels))``.
Opinion = tuple[list[int], np.ndarray]
#: Maps pictures and their labels ``(count,)`` to soft targets ``(count, classes)``.
Targets = Callable[[np.ndarray, np.ndarray], np.ndarray]


def targets_by(
    recipe: Recipe, start: Start, crops: Crops, augment: CropAugmentation | None = None
) -> Targets:
    """Return a function that softens labels as the recipe says.

    Use it before ``start.model`` is trained, because that model may be a teacher.

    Args:
        recipe: gives the teachers, their weight, and the label smoothing for labels that no teacher knows.
        start: the network before training.
        crops: training pictures; ImageNet teachers recognise the labels by the names of their files.
        augment: augmentation of training pictures, for heads fitted on a teacher's features; None for none.

    Raises:
        RecipeError: a teacher cannot be used; the message names it.
    """
    teachers = [teacher_for(teacher, start, crops, augment) for teacher in recipe.distil.teachers]

    def targets(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        opinions = [(teacher.known, teacher.ask(images, labels)) for teacher in teachers]
        return soft_targets(
            labels, *mean_opinion(opinions, labels, len(crops.names)),
            weight=recipe.distil.weight, smoothing=recipe.train.label_smoothing,
        )  # fmt: skip

    return targets


def mean_opinion(opinions: list[Opinion], labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Average the predictions of the teachers that know a crop's label.

    Returns:
        Probabilities ``(count, classes)``, and whether any teacher knows the label, bool ``(count,)``. Rows
        of labels that no teacher knows are 0.
    """
    total = np.zeros((len(labels), classes), np.float32)
    asked = np.zeros(len(labels), np.int64)
    for known, chance in opinions:
        mine = np.isin(labels, known)
        total[np.ix_(np.flatnonzero(mine), np.array(known))] += chance[mine]
        asked += mine
    return total / np.maximum(asked, 1)[:, None], asked > 0


def soft_targets(
    labels: np.ndarray, teacher: np.ndarray, known: np.ndarray, *, weight: float, smoothing: float
) -> np.ndarray:
    """Mix the true label with the teachers' prediction, or with uniform smoothing if no teacher knows it.

    Args:
        labels: ``(count,)``.
        teacher: probabilities ``(count, classes)``.
        known: crops whose label some teacher knows, bool ``(count,)``.
        weight: share of the teachers for known labels, 0…1.
        smoothing: share spread over all labels for unknown ones, 0…1.

    Returns:
        Targets ``(count, classes)``; each row sums to 1.
    """
    classes = teacher.shape[1]
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    targets = (1 - smoothing) * one_hot + smoothing / classes
    targets[known] = (1 - weight) * one_hot[known] + weight * teacher[known]
    return targets


def start_rows(recipe: Recipe, start: Start, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel ``(d, labels)`` and bias ``(labels,)`` that the head starts from.

    Raises:
        RecipeError: the initial weights have no ImageNet head, but the recipe asks for its rows.
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
    """Take the rows of the labels that have one, and the mean of the rows ``others`` for the rest."""
    start_kernel = np.repeat(kernel[:, others].mean(1, keepdims=True), labels, 1)
    start_bias = np.full(labels, bias[others].mean(), np.float32)
    for label, number in rows.items():
        start_kernel[:, label], start_bias[label] = kernel[:, number], bias[number]
    return start_kernel, start_bias


#: Pictures augmented at a time, which bounds memory at 150 KB each.
CHUNK = 2048


def targets_of_views(
    targets: Targets,
    images: np.ndarray,
    labels: np.ndarray,
    views: int,
    augment: CropAugmentation | None,
    seed: int,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> np.ndarray:
    """Compute the soft targets of every view, float16 ``(views, count, classes)``.

    Args:
        targets: function from `training.distillation.targets.targets_by`.
        images: uint8 ``(count, size, size, 3)``.
        labels: ``(count,)``.
        views: number of views of each picture, at least 1.
        augment: augmentation of the views; None for plain pictures.
        seed: seed for `training.augment.crops.view`.
        progress: called after each chunk with the number of views done and of all views.
    """
    rows = []
    for which in range(views):
        parts = []
        for start in range(0, len(images), CHUNK):
            numbers = range(start, min(start + CHUNK, len(images)))
            seen = np.stack([view(images, n, which, augment, seed) for n in numbers])
            parts.append(targets(seen, labels[numbers.start : numbers.stop]).astype(np.float16))
            progress(which * len(images) + numbers.stop, views * len(images))
        rows.append(np.concatenate(parts))
    return np.stack(rows)
