"""Make a model without one breed, so that an example can show how the breed is learnt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from smartbreed.inference.bundle import CONFIG, load_bundle, write_config
from smartbreed.inference.head import read_head, replace_head
from training.export.replace_head import replace_weights


def hold_out(source: Path, target: Path, breed: str) -> None:
    """Copy a bundle without one breed: remove it from head, labels, replay memory and gate pictures.

    Args:
        source: a bundle whose head is float.
        target: a folder to create.
        breed: id of one of its labels.
    """
    bundle = load_bundle(source)
    labels = [label.id for label in bundle.config.classifier.labels]
    gone = labels.index(breed)
    shutil.copytree(source, target)
    config = json.loads((target / CONFIG).read_bytes())
    classifier = config["classifier"]

    old = read_head(bundle.path(classifier["file"]).read_bytes())
    head = old.without(gone)
    (target / classifier["file"]).write_bytes(
        replace_head(bundle.path(classifier["file"]).read_bytes(), head)
    )
    if classifier.get("weights"):
        replace_weights(bundle.path(classifier["weights"]), target / classifier["weights"], old, head)

    del classifier["labels"][gone]
    for values in (classifier.get("bias"), config["self_test"].get("logits")):
        if values:
            del values[gone]
    config["metrics"] = {}  # they were measured with the breed
    for name in ("replay.npz", "gate.npz"):
        if (target / name).exists():
            _forget(target / name, breed)
    write_config(target, config)
    load_bundle(target)


def _forget(path: Path, breed: str) -> None:
    """Remove a breed's rows from a file of embeddings."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = [str(name) for name in arrays["names"]]
    gone = names.index(breed)
    kept = arrays["labels"] != gone
    count = len(kept)
    for name, values in arrays.items():
        if name != "names" and values.ndim and len(values) == count:
            arrays[name] = values[kept]
    arrays["labels"] = np.where(arrays["labels"] > gone, arrays["labels"] - 1, arrays["labels"])
    arrays["names"] = np.array(names[:gone] + names[gone + 1 :])
    np.savez_compressed(path, **arrays)
