"""A quantised LiteRT ImageNet classifier as a teacher: its scores, and a head of our own on its features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from smartbreed.inference.runtime import default_threads
from training.augment.crops import CropAugmentation, view
from training.common.errors import RecipeError
from training.data import Crops

#: Views of each picture that a head is fitted on, beside the plain one.
VIEWS = 2
#: Inverse strength of its L2 penalty, chosen on held-back cats (.954 from .01 to .03, .943 at .1).
INVERSE_PENALTY = 0.02


class ImageNetLiteRT:
    """A uint8 network of 1001 ImageNet classes, background first, ending in an average pooling.

    Args:
        path: the ``.tflite`` file, 224 pixels.

    Raises:
        RecipeError: it is no such network.
    """

    def __init__(self, path: Path) -> None:
        self._idle: SimpleQueue[Any] = SimpleQueue()
        try:
            for _ in range(default_threads()):
                self._idle.put(self._build(path))
            self._look(self._idle.get())
        except (ValueError, RuntimeError, IndexError):
            raise RecipeError(
                "distil.teachers: a tflite teacher is a uint8 ImageNet classifier of 1001 classes that ends "
                f"in an average pooling. Received: {path}"
            ) from None
        self._idle.put(self._build(path))

    @staticmethod
    def _build(path: Path) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # keeping every tensor is "for debugging"
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
        """uint8 ``(n, 224, 224, 3)`` → scores of the 1000 classes ``(n, 1000)`` and features ``(n, d)``."""
        with ThreadPoolExecutor(default_threads()) as pool:
            rows = list(pool.map(self._one, images))
        return np.stack([scores for scores, _ in rows]), np.stack([features for _, features in rows])

    def _one(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        interpreter = self._idle.get()
        try:
            interpreter.set_tensor(self._source, image[None])
            interpreter.invoke()
            # The pooled features have 8 bits again; the mean of the maps is finer.
            features = interpreter.get_tensor(self._maps)[0].mean((0, 1), dtype=np.float32) * self._scale
            scores = interpreter.get_tensor(self._target)[0, 1:].astype(np.float32)
        finally:
            self._idle.put(interpreter)
        return scores + 0.5, features  # a score of 0 only means "under 1/256"


def fit_features(
    network: ImageNetLiteRT, crops: Crops, augment: CropAugmentation | None
) -> Callable[[np.ndarray], np.ndarray]:
    """A head on the network's features for the labels that ``crops`` show.

    Returns:
        Features ``(n, d)`` → probabilities of those labels, in their order, ``(n, k)``.
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
