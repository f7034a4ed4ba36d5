"""Build the network of a recipe and load its initial weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.core.files import expanded
from smartbreed.inference.bundle import load_bundle
from training.common.errors import InitialWeightsError
from training.data.reading import bundle_folder
from training.models.applications import EXPECTS, application
from training.models.backbones import backbone_layers, build_backbone
from training.models.efficientnet_lite import (
    SCALINGS,
    imagenet_head,
    load_published,
    published_arrays,
)
from training.models.from_bundle import channels_of, rebuild_classifier
from training.models.initial_weights import imagenet_mobilenet_v2, load_mobilenet_v2, read_npz
from training.recipe.recipe import Model


@dataclass(frozen=True)
class Start:
    """A network ready to train.

    Attributes:
        model: the network; its head is random, its backbone has the initial weights.
        imagenet: ``kernel (d, 1000)`` and ``bias (1000,)`` of the ImageNet head; None if the initial weights
            have none.
        bundle: label ids, ``kernel (d, labels)`` and ``bias`` of the head of the initial bundle; None if the
            weights are not from a bundle.
    """

    model: keras.Model
    imagenet: tuple[np.ndarray, np.ndarray] | None = None
    bundle: tuple[list[str], np.ndarray, np.ndarray] | None = None


def build_start(choice: Model, classes: int) -> Start:
    """Build the network and load its initial weights.

    Raises:
        RecipeError: the backbone does not exist or does not support this size or width.
        InitialWeightsError: the weights do not exist, cannot be downloaded or do not fit.
    """
    model = build_backbone(choice.backbone, classes, input_size=choice.input_size, alpha=choice.alpha)
    if choice.start == "none":
        return Start(model)
    if choice.start.startswith("bundle:"):
        return _from_bundle(model, choice)
    if choice.start == "pypi" or (choice.start == "imagenet" and choice.backbone in SCALINGS):
        return _from_package(model, choice)
    if choice.start == "imagenet":
        return _from_imagenet(model, choice)
    return _from_file(model, choice)


def _from_bundle(model: keras.Model, choice: Model) -> Start:
    name = choice.start.removeprefix("bundle:")
    try:
        source = load_bundle(bundle_folder(name))
        config = source.config.classifier
        if config.architecture != choice.backbone or config.alpha != choice.alpha:
            raise InitialWeightsError(
                f"The bundle holds another backbone, {config.architecture} of width {config.alpha}. "
                f"Received: model.backbone={choice.backbone}, model.alpha={choice.alpha}"
            )
        other = rebuild_classifier(source)
    except BundleError as error:
        raise InitialWeightsError(f"{error.message} Received: model.start={choice.start}") from None
    _copy_layers(other, model, choice)
    kernel, bias = other.get_layer("class_maps").get_weights()
    return Start(model, bundle=([label.id for label in config.labels], kernel[0, 0], bias))


def _copy_layers(source: keras.Model, target: keras.Model, choice: Model) -> None:
    """Copy every backbone layer of ``source`` to ``target`` by position, as some layer names are numbered."""
    theirs, ours = backbone_layers(source), backbone_layers(target)
    shapes = [[tuple(w.shape) for w in layer.weights] for layer in theirs]
    if shapes != [[tuple(w.shape) for w in layer.weights] for layer in ours]:
        raise InitialWeightsError(
            f"The start weights have other shapes than {choice.backbone}. Received: "
            f"model.start={choice.start}"
        )
    for layer, origin in zip(ours, theirs, strict=True):
        layer.set_weights(origin.get_weights())


def _from_package(model: keras.Model, choice: Model) -> Start:
    """Load ImageNet weights from a PyPI package."""
    if choice.backbone not in SCALINGS or choice.alpha != 1:
        raise InitialWeightsError(
            f"PyPI has ImageNet weights of {', '.join(SCALINGS)} with model.alpha=1. "
            f"Received: model.backbone={choice.backbone}, model.alpha={choice.alpha}"
        )
    try:
        arrays = published_arrays(choice.backbone)
        load_published(model, choice.backbone, arrays)
    except ModuleNotFoundError as error:
        name = str(error.name).replace("_", "-")
        raise InitialWeightsError(
            f"The package with these weights is not installed: pip install {name}==0.1.0. "
            f"Received: model.start={choice.start}"
        ) from None
    except (KeyError, ValueError, OSError) as error:
        raise InitialWeightsError(
            f"The package's weights do not fit {choice.backbone} ({error}). "
            f"Received: model.start={choice.start}"
        ) from None
    return Start(model, imagenet=imagenet_head(arrays))


def _from_imagenet(model: keras.Model, choice: Model) -> Start:
    if choice.backbone == "small_cnn":
        raise InitialWeightsError(
            "There are no ImageNet weights for small_cnn; use model.start=none. Received: "
            "model.start=imagenet"
        )
    try:
        if choice.backbone == "mobilenet_v2":
            return _folded(model, imagenet_mobilenet_v2(), choice)
        published = application(choice.backbone, choice.input_size, choice.alpha, weights="imagenet")
    except InitialWeightsError:
        raise
    except ValueError as error:
        raise InitialWeightsError(
            f"There are no ImageNet weights for it so: {' '.join(str(error).split())} Received: "
            f"model.backbone={choice.backbone}, model.input_size={choice.input_size}, "
            f"model.alpha={choice.alpha}"
        ) from None
    except Exception:  # keras raises plain Exception when it cannot download
        raise InitialWeightsError(
            f"The ImageNet weights of {choice.backbone} could not be downloaded; give a file (.npz, "
            ".weights.h5 "
            "or .h5), bundle:embedded or none. Received: model.start=imagenet"
        ) from None
    _copy_layers(published, model, choice)
    return Start(model)


def _from_file(model: keras.Model, choice: Model) -> Start:
    path = expanded(choice.start)
    if not path.is_file():
        raise InitialWeightsError(
            "model.start is neither imagenet, pypi, none, bundle:… nor a file that is there. "
            f"Received: model.start={choice.start}"
        )
    try:
        if path.suffix == ".npz":
            arrays = read_npz(path)
            return (
                _folded(model, arrays, choice)
                if choice.backbone == "mobilenet_v2"
                else _named(model, arrays, choice)
            )
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns if a layer is missing
            if path.name.endswith(".weights.h5"):
                _load_h5(model, path, choice)
            elif choice.backbone in EXPECTS:
                _copy_layers(application(choice.backbone, choice.input_size, choice.alpha, weights=str(path)),
                             model, choice)  # fmt: skip
            else:
                raise ValueError
    except InitialWeightsError:
        raise
    except (ValueError, KeyError, OSError, UserWarning):
        raise InitialWeightsError(
            f"The file does not hold weights of {choice.backbone} of width {choice.alpha}. "
            f"Received: model.start={choice.start}"
        ) from None
    return Start(model)


def _load_h5(model: keras.Model, path: Path, choice: Model) -> None:
    """Load the weights of one of these networks, with any number of labels, or of the bare backbone."""
    found = channels_of(path, "class_maps")
    if found is not None or choice.backbone not in EXPECTS:
        classes = model.output["logits"].shape[-1] if found is None else found
        other = build_backbone(choice.backbone, classes, input_size=choice.input_size, alpha=choice.alpha)
    else:
        other = application(choice.backbone, choice.input_size, choice.alpha)
    other.load_weights(path)
    _copy_layers(other, model, choice)


def _folded(model: keras.Model, arrays: dict[str, np.ndarray], choice: Model) -> Start:
    try:
        load_mobilenet_v2(model, arrays)
    except (KeyError, ValueError) as error:
        raise InitialWeightsError(
            f"The start weights do not fit mobilenet_v2 of width {choice.alpha} ({error}). "
            f"Received: model.start={choice.start}"
        ) from None
    if "predictions/kernel" not in arrays:
        return Start(model)
    return Start(model, imagenet=(arrays["predictions/kernel"], arrays["predictions/bias"]))


def _named(model: keras.Model, arrays: dict[str, np.ndarray], choice: Model) -> Start:
    for layer in backbone_layers(model):
        layer.set_weights([arrays[f"{layer.name}/{variable.name}"] for variable in layer.weights])
    return Start(model)
