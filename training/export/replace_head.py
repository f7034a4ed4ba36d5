"""Replace the head in a ``.weights.h5`` file without Keras."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.head import Head


def replace_weights(source: Path, target: Path, old: Head, new: Head) -> None:
    """Copy a Keras weights file and replace its class-map layer.

    Args:
        source: weights file of the parent version.
        target: the file to write.
        old: head in ``source``; its values identify the layer.
        new: head to write; it may have more labels.

    Raises:
        BundleError: the number of layers that hold ``old`` is not one.
    """
    with h5py.File(source, "r") as before, h5py.File(target, "w") as after:
        for name, value in before.attrs.items():
            after.attrs[name] = value
        found: list[str] = []

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                after.require_group(name).attrs.update(item.attrs)
                if _is_head(item, old):
                    found.append(name)
            else:
                after.create_dataset(name, data=item[()])

        before.visititems(copy)
        if len(found) != 1:
            raise BundleError(
                f"{source.name} of the model bundle holds its head in {len(found)} layers; it must be one."
            )
        kind = before[f"{found[0]}/0"].dtype
        for place, values in (("0", new.kernel[None, None]), ("1", new.bias)):
            del after[f"{found[0]}/{place}"]
            after.create_dataset(f"{found[0]}/{place}", data=values.astype(kind))


def _is_head(group: h5py.Group, head: Head) -> bool:
    if set(group.keys()) != {"0", "1"} or not all(isinstance(group[k], h5py.Dataset) for k in "01"):
        return False
    kernel, bias = group["0"], group["1"]
    if kernel.shape != (1, 1, *head.kernel.shape) or bias.shape != head.bias.shape:
        return False
    return bool(
        np.allclose(kernel[0, 0], head.kernel, atol=2e-3) and np.allclose(bias[()], head.bias, atol=2e-3)
    )
