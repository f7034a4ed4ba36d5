"""Networks whose opinions are distilled, each ready to be asked about pictures.

A hundred pictures a breed are quickly learnt by heart; the mean of two teachers
(.892 on the test crops where one alone has .863) still says which breeds look
alike (distillation, Hinton et al. 2015, https://arxiv.org/abs/1503.02531).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.classifier import softmax
from training.augment.crops import CropAugmentation
from training.common.errors import RecipeError
from training.data import Crops
from training.data.imagenet import imagenet_classes
from training.data.reading import bundle_folder
from training.distillation.litert_teacher import ImageNetLiteRT, fit_features
from training.models.embeddings import embed
from training.models.initial_network import Start
from training.recipe.recipe import Teacher


@dataclass(frozen=True)
class Asked:
    """A teacher.

    Attributes:
        known: the labels it has an opinion about, ``k`` of them.
        ask: uint8 pictures ``(n, size, size, 3)`` and their true labels ``(n,)`` → its probabilities of the
            labels it knows, ``(n, k)``. The true label says which of a teacher's heads is asked, no more.
    """

    known: list[int]
    ask: Callable[[np.ndarray, np.ndarray], np.ndarray]


def teacher_for(
    teacher: Teacher, start: Start, crops: Crops, augment: CropAugmentation | None = None
) -> Asked:
    """The teacher a recipe names. Ask it before ``start.model`` is trained: that may be the teacher.

    Args:
        teacher: the recipe's.
        start: the network before training.
        crops: the training pictures.
        augment: the random change, for a head that is fitted on the teacher's features.

    Raises:
        RecipeError: it cannot be asked; the message says why.
    """
    if teacher.kind == "bundle":
        return _bundle(teacher.file, crops)
    known = imagenet_classes(crops)
    classes = np.array(list(known.values()))
    if not known:
        raise RecipeError(
            f"distil.teachers: {teacher.kind} knows ImageNet's dogs by Stanford's file names, and none of "
            f"data.origin's has that form. Received: {crops.sources[0]}"
        )
    if teacher.kind == "tflite":
        return _litert(teacher, crops, list(known), classes, augment)
    if start.imagenet is None:
        raise RecipeError(
            "distil.teachers: imagenet_head needs start weights with the ImageNet head (imagenet, "
            "or an .npz with "
            "predictions/kernel). Received: none"
        )
    kernel, bias = start.imagenet
    return Asked(list(known), _linear(start.model, kernel[:, classes], bias[classes]))


def _linear(
    model: keras.Model, kernel: np.ndarray, bias: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda images, labels: softmax(embed(model, images) @ kernel + bias).astype(np.float32)


def _litert(
    teacher: Teacher, crops: Crops, known: list[int], classes: np.ndarray, augment: CropAugmentation | None
) -> Asked:
    path = Path(teacher.file).expanduser()
    if not path.is_file():
        raise RecipeError(f"distil.teachers: there is no such file. Received: {teacher.file}")
    network = ImageNetLiteRT(path)
    rest = sorted({int(label) for label in np.unique(crops.labels)} - set(known))
    if not teacher.head or len(rest) < 2:
        return Asked(known, lambda images, labels: _shares(network(images)[0][:, classes]))
    mine = crops.take(np.flatnonzero(np.isin(crops.labels, rest)))
    fitted = fit_features(network, mine, augment)

    def ask(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        scores, features = network(images)
        own = np.isin(labels, known)[:, None]
        return np.concatenate([_shares(scores[:, classes]) * own, fitted(features) * ~own], 1)

    return Asked([*known, *rest], ask)


def _shares(scores: np.ndarray) -> np.ndarray:
    return np.asarray(scores / scores.sum(1, keepdims=True))


def _bundle(name: str, crops: Crops) -> Asked:
    from smartbreed.inference.pipeline import Identifier
    from training.evaluation.answers import run

    try:
        identifier = Identifier.load(bundle_folder(name))
    except BundleError as error:
        raise RecipeError(f"distil.teachers: {error.message} Received: {name}") from None
    known = [label for label, i in enumerate(crops.names) if i in identifier.labels]
    if len(known) < 2:
        raise RecipeError(f"distil.teachers: the bundle knows fewer than two of the labels. Received: {name}")
    columns = [identifier.labels.index(crops.names[label]) for label in known]
    temperature = identifier.classifier.config.temperature

    def ask(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        logits = np.stack([outputs.logits for outputs in run(identifier, images)])
        return softmax(logits[:, columns] / temperature).astype(np.float32)

    return Asked(known, ask)
