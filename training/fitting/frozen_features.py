"""Train the layers that are not frozen on stored features, so that a step costs only those layers.

The frozen layers compute the same for a picture in every epoch. Here they run once, as an int8 network like
the one that is served, on a fixed number of augmented views of each picture. Their features are stored with
8 bits. With all but the last third of EfficientNet-Lite2 frozen, a step on a CPU takes a seventh of the time.

Two kinds of layers compute the same result faster in training: the gradients of depthwise convolutions are
depthwise convolutions too (tensorflow's own take ten times as long), and 1 x 1 convolutions multiply in
bfloat16, for which newer CPUs have an instruction.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from smartbreed.core.files import disk_errors
from smartbreed.inference.pixels import to_input
from smartbreed.inference.runtime import Network
from training.augment.crops import CropAugmentation, Mixing, view
from training.export.litert import to_int8_litert
from training.fitting.batches import CropBatches, Draw

#: Largest feature stored, in standard deviations; larger ones are clipped.
WIDEST = 8.0


class FrozenFeatures:
    """The output of the frozen layers for each view of each picture.

    Args:
        model: the whole classifier.
        cut: name of the last frozen layer; all later layers depend on its output alone.
        folder: where the int8 network and the features are written.
        images: uint8 ``(count, size, size, 3)``.
        views: views of each picture; the first is the unchanged picture.
        augment: random change of the other views.
        seed: seed of the changes.
        advance: called with the number of views done since the last call.
    """

    def __init__(
        self,
        model: keras.Model,
        cut: str,
        folder: Path,
        images: np.ndarray,
        views: int,
        augment: CropAugmentation | None,
        seed: int,
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        with disk_errors("The features were not written"):
            folder.mkdir(parents=True, exist_ok=True)
            bottom = keras.Model(model.input, {"features": model.get_layer(cut).output})
            some = images[:: max(1, len(images) // 100)]
            to_int8_litert(bottom, folder / "frozen.tflite", some)
            network = Network(folder / "frozen.tflite", 1)
            first = np.concatenate([_features(network, image) for image in some[:20]])
            self.scale = float(WIDEST * first.std() / 127)
            self.values = np.lib.format.open_memmap(
                folder / "features.npy", "w+", np.int8, (views, len(images), *first.shape[1:])
            )
            _reserve(folder / "features.npy")
            for which in range(views):
                for number in range(len(images)):
                    shown = images[number] if not which else view(images, number, which, augment, seed)
                    self.values[which, number] = self._rounded(_features(network, shown))[0]
                    advance(1)

    def _rounded(self, features: np.ndarray) -> np.ndarray:
        return np.clip(np.round(features / self.scale), -127, 127).astype(np.int8)

    def of(self, which: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the float32 features of views ``which`` of pictures ``numbers``."""
        return self.values[which, numbers].astype(np.float32) * self.scale


def _reserve(path: Path) -> None:
    """Reserve disk space for the whole of a file.

    A new array is a file with holes. Writing to a hole for which the disk has no space kills the process
    (SIGBUS); reserving the space first raises an OSError.
    """
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _features(network: Network, image: np.ndarray) -> np.ndarray:
    return network(to_input(image, 1 / 127.5, -1.0))["features"]


class FeatureBatches(CropBatches):
    """Batches of features instead of pictures; each draw takes a random one of the stored views.

    Args:
        features: features of every picture.
        targets: ``(count, classes)``.
        batch, seed, draw, mixing: as for `CropBatches`.
    """

    def __init__(
        self,
        features: FrozenFeatures,
        targets: np.ndarray,
        batch: int,
        seed: int,
        *,
        draw: Draw | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        self.features = features
        super().__init__(targets, targets, batch, seed, draw=draw, mixing=mixing)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch : (index + 1) * self.batch]
        which = rng.integers(len(self.features.values), size=len(chosen))
        shown, targets = self.features.of(which, chosen), self.targets[chosen]
        return self.mixing(shown, targets, rng) if self.mixing else (shown, targets)


def top_of(model: keras.Model, cut: str) -> keras.Model:
    """Return the layers after ``cut`` as a network from features to the outputs of ``model``; weights copied.

    Raises:
        ValueError: a later layer reads another layer's output than ``cut``'s.
    """
    names = [layer.name for layer in model.layers]
    place = names.index(cut)
    entry = model.get_layer(cut).output
    inputs = keras.Input(entry.shape[1:], name="features")
    made: dict[int, Any] = {id(entry): inputs}
    for layer in model.layers[place + 1 :]:
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        if missing := [tensor.name for tensor in given if id(tensor) not in made]:
            raise ValueError(f"{layer.name} reads more than {cut} gives. Received: {missing[0]}")
        arguments = [made[id(tensor)] for tensor in given]
        copy = _quick(layer)
        made[id(layer.output)] = copy(arguments if len(arguments) > 1 else arguments[0])
    top = keras.Model(inputs, {name: made[id(tensor)] for name, tensor in model.output.items()})
    copy_weights(model, top)
    return top


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of layers in ``source`` to the layers of the same name in ``target``."""
    names = {layer.name for layer in source.layers}
    for layer in target.layers:
        if layer.weights and layer.name in names:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _quick(layer: Any) -> Any:
    config = layer.get_config()
    if keras.backend.backend() == "tensorflow":
        from training.fitting.quick_layers import QuickDepthwise, QuickPointwise

        if isinstance(layer, keras.layers.DepthwiseConv2D) and layer.strides == (1, 1):
            return QuickDepthwise.from_config(config)
        # The head stays in float32, because it computes the logits.
        if type(layer) is keras.layers.Conv2D and layer.kernel_size == (1, 1) and layer.name != "class_maps":
            return QuickPointwise.from_config(config)
    return type(layer).from_config(config)
