"""Teachers: networks whose predictions are distilled.

A network soon memorises a hundred pictures per breed. The mean prediction of two teachers (.892 on the test
crops, against .863 for one alone) still shows which breeds look alike (distillation, Hinton et al. 2015,
https://arxiv.org/abs/1503.02531). A quantised LiteRT ImageNet classifier contributes its scores, and those of
a head that is fitted on its features.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import keras
import numpy as np
from PIL import Image

from smartbreed.core.errors import BundleError
from smartbreed.core.files import expanded
from smartbreed.inference.classifier import softmax
from smartbreed.inference.runtime import default_threads
from training.augment.crops import CropAugmentation, view
from training.common.errors import RecipeError
from training.data import Crops
from training.data.imagenet import imagenet_classes
from training.data.reading import bundle_folder
from training.models.embeddings import embed
from training.models.initial_network import Start
from training.recipe.recipe import Teacher

#: Side of a LiteRT teacher's input in pixels.
SIDE = 224
#: Augmented views of each picture that a head is fitted on, in addition to the plain one.
VIEWS = 2
#: Inverse strength of the head's L2 penalty, chosen on held-back cats (.954 from .01 to .03, .943 at .1).
INVERSE_PENALTY = 0.02


class ImageNetLiteRT:
    """A uint8 LiteRT classifier of 1001 ImageNet classes (background first) that ends in average pooling.

    Args:
        path: the ``.tflite`` file, with an input of 224 pixels.

    Raises:
        RecipeError: the file is not such a network.
    """

    def __init__(self, path: Path) -> None:
        self._idle: SimpleQueue[Any] = SimpleQueue()
        try:
            built = [self._build(path) for _ in range(default_threads())]
            self._look(built[0])
        except (ValueError, RuntimeError, IndexError):
            raise RecipeError(
                "distil.teachers: a tflite teacher is a uint8 ImageNet classifier of 1001 classes that ends "
                f"in an average pooling. Received: {path}"
            ) from None
        for interpreter in built:
            self._idle.put(interpreter)

    @staticmethod
    def _build(path: Path) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # LiteRT warns that keeping tensors is for debugging
            interpreter = Interpreter(
                model_path=str(path), num_threads=1, experimental_preserve_all_tensors=True
            )
        interpreter.allocate_tensors()
        return interpreter

    def _look(self, interpreter: Any) -> None:
        pooling = [op for op in interpreter._get_ops_details() if op["op_name"] == "AVERAGE_POOL_2D"][-1]
        tensors = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        self._maps, self._scale = pooling["inputs"][0], tensors[pooling["inputs"][0]]["quantization"][0]
        self._source = interpreter.get_input_details()[0]["index"]
        target = interpreter.get_output_details()[0]
        self._target = target["index"]
        if tuple(target["shape"]) != (1, 1001):
            raise ValueError

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scores ``(n, 1000)`` and features ``(n, d)`` of uint8 pictures ``(n, side, side, 3)``."""
        with ThreadPoolExecutor(default_threads()) as pool:
            rows = list(pool.map(self._one, images))
        return np.stack([scores for scores, _ in rows]), np.stack([features for _, features in rows])

    def _one(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        interpreter = self._idle.get()
        try:
            if image.shape[:2] != (SIDE, SIDE):
                image = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
            interpreter.set_tensor(self._source, image[None])
            interpreter.invoke()
            # The pooled features are rounded to 8 bits again, so the mean of the maps is more precise.
            features = interpreter.get_tensor(self._maps)[0].mean((0, 1), dtype=np.float32) * self._scale
            scores = interpreter.get_tensor(self._target)[0, 1:].astype(np.float32)
        finally:
            self._idle.put(interpreter)
        return scores + 0.5, features  # a score of 0 only means a probability under 1/256


def fit_features(
    network: ImageNetLiteRT, crops: Crops, augment: CropAugmentation | None
) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a head on the network's features for the labels in ``crops``.

    Returns:
        A function from features ``(n, d)`` to probabilities ``(n, k)`` of these labels in ascending order.
    """
    from sklearn.linear_model import LogisticRegression

    numbers, seen = np.arange(len(crops)), [network(crops.images)[1]]
    for which in range(VIEWS if augment else 0):
        changed = np.stack([view(crops.images, int(n), which, augment, seed=0) for n in numbers])
        seen.append(network(changed)[1])
    features = np.concatenate(seen)
    centre, spread = features.mean(0), features.std()
    head = LogisticRegression(C=INVERSE_PENALTY, max_iter=500)
    head.fit((features - centre) / spread, np.tile(crops.labels, len(seen)))
    return lambda rows: np.asarray(head.predict_proba((rows - centre) / spread), np.float32)


@dataclass(frozen=True)
class Asked:
    """A teacher that is ready to predict.

    Attributes:
        known: the ``k`` labels that the teacher knows.
        ask: takes uint8 pictures ``(n, size, size, 3)`` and their true labels ``(n,)``, and returns the
            teacher's probabilities of the labels it knows, ``(n, k)``. The true label only selects which of
            the teacher's heads predicts.
    """

    known: list[int]
    ask: Callable[[np.ndarray, np.ndarray], np.ndarray]


def teacher_for(
    teacher: Teacher, start: Start, crops: Crops, augment: CropAugmentation | None = None
) -> Asked:
    """Load a teacher that a recipe names.

    Ask it before ``start.model`` is trained, because that model may be the teacher.

    Args:
        teacher: section of the recipe.
        start: the network before training.
        crops: the training pictures.
        augment: augmentation for a head that is fitted on the teacher's features; None for none.

    Raises:
        RecipeError: the teacher cannot be used; the message says why.
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
    path = expanded(teacher.file)
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
