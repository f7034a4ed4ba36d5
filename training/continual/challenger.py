"""Write a bundle with the new head and verify it like any other bundle."""

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
    """Read the head of a bundle's classifier.

    Raises:
        BundleError: the classifier's layout is unknown and the bundle has no Keras weights.
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
    # An int8 network stores its head rounded; the Keras weights hold the trained values.
    from training.models.from_bundle import rebuild_classifier

    kernel, bias = rebuild_classifier(bundle).get_layer("class_maps").get_weights()
    return Head(kernel[0, 0], bias)


def raw_config(bundle: Bundle) -> dict[str, Any]:
    """Return all of ``config.json``, including what the app does not read, but without the list of files."""
    values: dict[str, Any] = json.loads((bundle.folder / CONFIG).read_text())
    values.pop("files", None)
    return {**values, "format": FORMAT}


def halved(head: Head) -> Head:
    """Round a head to float16, as it will be stored."""
    return Head(
        head.kernel.astype(np.float16).astype(np.float32), head.bias.astype(np.float16).astype(np.float32)
    )


def write_networks(parent: Bundle, head: Head, folder: Path) -> None:
    """Copy the parent's files and replace the classifier's head.

    Args:
        parent: bundle whose files are copied.
        head: the new head; may have more labels.
        folder: output folder, empty.
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
    """Replace the head by way of Keras, for files whose layout is unknown; imports tensorflow."""
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
    """Write ``config.json`` with the self-test of the new network, then load the bundle as the app will.

    Raises:
        BundleError: the written network does not compute the logits of ``head``.
    """
    describe_networks(folder, config, licence_of(config))
    write_config(folder, {**config, "self_test": {}})
    outputs = Identifier.load(folder, threads=1).classifier.run(
        self_test_picture(config["classifier"]["input_size"])
    )
    wanted = head.logits(outputs.embedding)
    if outputs.logits.shape != wanted.shape or not np.allclose(outputs.logits, wanted, rtol=0.02, atol=0.02):
        raise BundleError("The new classifier does not compute what was learnt; nothing was published.")
    # The parent's self-test of the Keras weights stays valid: only the head has changed.
    config["self_test"] = {
        **config.get("self_test", {}),
        "logits": [round(float(value), 4) for value in outputs.logits],
    }
    write_config(folder, config)
    return load_bundle(folder)
