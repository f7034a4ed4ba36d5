"""Keras networks → LiteRT files and float16 Keras weights."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np


def to_litert(model: keras.Model, path: Path, *, half: bool = True) -> None:
    """Write ``model`` as LiteRT with one signature: ``image`` in, the model's output names out.

    Args:
        model: one input; a dictionary of outputs.
        path: the ``.tflite`` file to write.
        half: store weights as float16 (half the size; computed in float32 all the same).
    """
    import tensorflow as tf

    size = model.input.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda image: model(image, training=False),
            input_signature=[tf.TensorSpec((1, *size, 3), tf.float32, name="image")],
        )
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serve"])
        path.write_bytes(_convert(converter, half))


def _convert(converter: Any, half: bool) -> bytes:
    import tensorflow as tf

    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def round_to_half(model: keras.Model) -> None:
    """Round every weight to float16, so that the Keras and LiteRT files hold the same network."""
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])


def save_half_weights(model: keras.Model, path: Path) -> None:
    """``.weights.h5`` in Keras' own layout with float16 values; `keras.Model.load_weights` reads it."""
    full = path.with_name(f"full-{path.name}")
    model.save_weights(full)
    try:
        with h5py.File(full, "r") as source, h5py.File(path, "w") as target:
            _copy_half(source, target)
    finally:
        full.unlink()


def _copy_half(source: h5py.Group, target: h5py.Group) -> None:
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy_half(item, target.create_group(name))
        else:
            target.create_dataset(name, data=np.asarray(item).astype(np.float16))
