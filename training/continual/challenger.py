"""A bundle with the new head, verified like any other before it is trusted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.bundle import CONFIG, FORMAT, Bundle, load_bundle, write_config
from smartbreed.inference.head import Head, UnknownLayout, read_head, replace_head
from smartbreed.inference.network_metadata import describe_networks
from smartbreed.inference.pipeline import Identifier, self_test_picture
from training.export.licence import licence_of
from training.export.replace_head import replace_weights


def head_of(bundle: Bundle) -> Head:
    """The head of a bundle's classifier.

    Raises:
        BundleError: its classifier is none of ours.
    """
    try:
        return read_head(bundle.path(bundle.config.classifier.file).read_bytes())
    except UnknownLayout as error:
        weights = bundle.config.classifier.weights
        if not weights:
            raise BundleError(
                f"The head of {bundle.config.classifier.file} cannot be read, and the bundle has no Keras "
                f"weights. {error}"
            ) from None
    # An integer network keeps its head rounded; the Keras weights have it as it was trained.
    from training.models.from_bundle import rebuild_classifier

    kernel, bias = rebuild_classifier(bundle).get_layer("class_maps").get_weights()
    return Head(kernel[0, 0], bias)


def raw_config(bundle: Bundle) -> dict[str, Any]:
    """``config.json`` as it is, also what the app does not read; without the list of files."""
    values: dict[str, Any] = json.loads((bundle.folder / CONFIG).read_text())
    values.pop("files", None)
    return {**values, "format": FORMAT}


def halved(head: Head) -> Head:
    """As it will be stored: float16."""
    return Head(
        head.kernel.astype(np.float16).astype(np.float32), head.bias.astype(np.float16).astype(np.float32)
    )


def write_networks(parent: Bundle, head: Head, folder: Path) -> None:
    """The parent's files with the classifier's head replaced.

    Args:
        parent: whose files are copied.
        head: may have more labels.
        folder: empty.
    """
    section = parent.config.classifier
    for name in parent.config.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(parent.path(name), folder / name)
    try:
        (folder / section.file).write_bytes(replace_head(parent.path(section.file).read_bytes(), head))
        if section.weights:
            replace_weights(parent.path(section.weights), folder / section.weights, head_of(parent), head)
    except (UnknownLayout, BundleError):
        export_anew(parent, head, folder)


def export_anew(parent: Bundle, head: Head, folder: Path) -> None:
    """The same by way of Keras, for files whose layout is not known; imports tensorflow."""
    from training.export.litert import round_to_half, save_half_weights, to_litert
    from training.models.backbones import BACKBONES
    from training.models.from_bundle import rebuild_classifier

    section = parent.config.classifier
    old = rebuild_classifier(parent)
    build = BACKBONES[section.architecture]
    model = build(len(head), input_size=section.input_size, alpha=section.alpha)
    for layer in model.layers:
        if layer.name != "class_maps" and layer.weights:
            layer.set_weights(old.get_layer(layer.name).get_weights())
    model.get_layer("class_maps").set_weights([head.kernel[None, None], head.bias])
    round_to_half(model)
    to_litert(model, folder / section.file)
    save_half_weights(model, folder / section.weights)


def finish(folder: Path, config: dict[str, Any], head: Head) -> Bundle:
    """Write ``config.json`` with the self-test of the new network, then load it as the app will.

    Raises:
        BundleError: the file does not compute what the head says it should.
    """
    describe_networks(folder, config, licence_of(config))
    write_config(folder, {**config, "self_test": {}})
    outputs = Identifier.load(folder, threads=1).classifier.run(
        self_test_picture(config["classifier"]["input_size"])
    )
    wanted = head.logits(outputs.embedding)
    if outputs.logits.shape != wanted.shape or not np.allclose(outputs.logits, wanted, rtol=0.02, atol=0.02):
        raise BundleError("The new classifier does not compute what was learnt; nothing was published.")
    # What the parent stores of its Keras body stays true: only the head is another.
    config["self_test"] = {
        **config.get("self_test", {}),
        "logits": [round(float(value), 4) for value in outputs.logits],
    }
    write_config(folder, config)
    return load_bundle(folder)
