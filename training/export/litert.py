"""Export Keras networks as LiteRT files of several number formats, and as float16 Keras weights."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from training.export.quantisation import correct_biases, output_layers

#: Number formats a network can be exported in, the most exact first.
FORMS = ("float32", "float16", "int8")
#: Number of pictures that calibrate int8 activations; more make no measurable difference.
CALIBRATION_PICTURES = 160


def to_litert(model: keras.Model, path: Path, *, half: bool = True) -> None:
    """Write ``model`` as LiteRT with one signature: input ``image``, and the model's output names.

    Args:
        model: a model with one input and a dictionary of outputs.
        path: the ``.tflite`` file to write.
        half: store weights as float16, at half the size; computation stays in float32.
    """
    with _converter(model) as converter:
        path.write_bytes(_convert(converter, half))


def to_int8_litert(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """Write ``model`` as LiteRT with int8 kernels (one scale per channel) and activations, but float I/O.

    The layers that compute the outputs stay in float. Class maps range over some 60 logits, so 8 bits would
    be coarser than the difference between two breeds, and these layers are only a thirtieth of the work.
    ``model`` is not modified.

    Args:
        model: see `to_litert`.
        path: the ``.tflite`` file to write.
        images: pictures like those the model will see, but not test pictures, uint8 ``(n, height, width, 3)``
            of its input size; `CALIBRATION_PICTURES` of them at most are used, evenly spaced.
    """
    import tensorflow as tf

    chosen = np.linspace(0, len(images) - 1, min(len(images), CALIBRATION_PICTURES)).round().astype(int)
    images = images[chosen].astype(np.float32) / 127.5 - 1.0

    def pictures() -> Iterator[dict[str, np.ndarray]]:
        for image in images:
            yield {"image": image[None]}

    weights = model.get_weights()
    try:
        correct_biases(model, images)
        with _converter(model) as converter, warnings.catch_warnings():
            # TensorFlow warns that its interpreter is deprecated in favour of LiteRT's, yet uses it itself.
            warnings.simplefilter("ignore", UserWarning)
            in_float = _tensors_of(converter.convert(), output_layers(model))
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = pictures
            options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=in_float)
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=pictures, debug_options=options
            )
            path.write_bytes(bytes(debugger.get_nondebug_quantized_model()))
    finally:
        model.set_weights(weights)


def export_forms(
    model: keras.Model, folder: Path, calibration_images: np.ndarray, *, name: str = "classifier"
) -> dict[str, Path]:
    """Write ``NAME.FORM.tflite`` for every form in `FORMS`.

    Args:
        model: see `to_litert`; not modified.
        folder: target folder; must exist.
        calibration_images: see ``images`` of `to_int8_litert`.
        name: first part of the file names.

    Returns:
        The path of each form.

    Raises:
        ValueError: there are no pictures, or their size differs from the model's input.
    """
    size = tuple(model.input.shape[1:])
    if not len(calibration_images) or calibration_images.shape[1:] != size:
        raise ValueError(
            f"calibration_images must be pictures of the model's input size {size}. "
            f"Received: an array of shape {calibration_images.shape}"
        )
    paths = {form: folder / f"{name}.{form}.tflite" for form in FORMS}
    to_litert(model, paths["float32"], half=False)
    to_litert(model, paths["float16"])
    to_int8_litert(model, paths["int8"], calibration_images)
    return paths


@contextmanager
def _converter(model: keras.Model) -> Iterator[Any]:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            "serve",
            lambda image: model(image, training=False),
            input_signature=[tf.TensorSpec((1, *model.input.shape[1:3], 3), tf.float32, name="image")],
        )
        archive.write_out(folder, verbose=False)
        yield tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["serve"])


def _convert(converter: Any, half: bool) -> bytes:
    import tensorflow as tf

    if half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def _tensors_of(content: bytes, layers: list[str]) -> list[str]:
    """Return the names of the tensors in a LiteRT file that these Keras layers compute, including outputs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content)
    outputs = {detail["name"] for detail in interpreter.get_output_details()}
    names = [detail["name"] for detail in interpreter.get_tensor_details()]
    # Keras names the operations of layer `box_0` either `box_0` or `box_0_1`.
    of_layers = [n for n in names if any(f"/{x}/" in f"/{n}" or f"/{x}_1/" in f"/{n}" for x in layers)]
    return sorted({*outputs, *of_layers} - {""})


def round_to_half(model: keras.Model) -> None:
    """Round every weight to float16, so that the Keras and the LiteRT file hold the same network."""
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])


def save_half_weights(model: keras.Model, path: Path) -> None:
    """Write ``.weights.h5`` in Keras' own layout with float16 values, for `keras.Model.load_weights`."""
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


def form_of(path: Path) -> str:
    """Return the form (see `FORMS`) of a LiteRT file by the types of its tensors."""
    from ai_edge_litert.interpreter import Interpreter

    types = {np.dtype(detail["dtype"]) for detail in Interpreter(model_path=str(path)).get_tensor_details()}
    if np.dtype(np.int8) in types:
        return "int8"
    return "float16" if np.dtype(np.float16) in types else "float32"
