"""Read the head of a LiteRT classifier as two arrays, or replace it in the file, without a converter.

In a LiteRT file, the head is two constants and the shapes of the tensors behind them. Converting the model
again takes TensorFlow (12 s to import, 600 MB) and gives the same bytes everywhere else. A file whose head is
not float, or has an unknown layout, is refused; the trainer then exports with `training.export.litert`. Run a
file to check it after writing: see `training.continual.challenger` and `smartbreed.teach.bundle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from smartbreed.inference.litert_file import pack
from smartbreed.inference.network_metadata import drop_metadata

_FLOAT32, _FLOAT16 = 0, 1
_CONV_2D, _DEQUANTIZE, _MEAN = 3, 6, 40


@dataclass(frozen=True)
class Head:
    """A linear head: ``kernel (d, labels)`` and ``bias (labels,)``, float32."""

    kernel: np.ndarray
    bias: np.ndarray

    def __len__(self) -> int:
        return len(self.bias)

    def logits(self, embeddings: np.ndarray) -> np.ndarray:
        """Compute the logits ``(n, labels)`` of embeddings ``(n, d)``."""
        return np.asarray(embeddings @ self.kernel + self.bias)

    def with_row(self, kernel: np.ndarray, bias: float) -> Head:
        """Return a copy with one more label at the end."""
        return Head(
            np.concatenate([self.kernel, kernel[:, None].astype(np.float32)], axis=1),
            np.append(self.bias, np.float32(bias)).astype(np.float32),
        )

    def replaced(self, rows: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> Head:
        """Return a copy with new weights for the labels at ``rows``."""
        whole, shift = self.kernel.copy(), self.bias.copy()
        whole[:, rows], shift[rows] = kernel, bias
        return Head(whole, shift)

    def without(self, row: int) -> Head:
        """Return a copy without the label at ``row``."""
        return Head(np.delete(self.kernel, row, axis=1), np.delete(self.bias, row))


class UnknownLayout(Exception):
    """The file's head cannot be read or replaced here; the message says why."""


def replace_head(content: bytes, head: Head) -> bytes:
    """Return a LiteRT classifier with another head.

    Args:
        content: bytes of a file that `training.export.litert.to_litert` wrote (float32 or float16).
        head: the new head; it may have another number of labels than the file's.

    Raises:
        UnknownLayout: the file's head is not float, or has an unknown layout.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    if len(model.subgraphs) != 1:
        raise UnknownLayout(f"It has {len(model.subgraphs)} graphs.")
    drop_metadata(model)  # its labels are no longer right
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    convolution = _class_maps(graph, codes)
    kernel, bias = (_constant(model, graph, codes, convolution.inputs[i]) for i in (1, 2))
    shape = [int(side) for side in graph.tensors[kernel].shape]
    old, d = shape[0], head.kernel.shape[0]
    if shape != [old, 1, 1, d] or [int(side) for side in graph.tensors[bias].shape] != [old]:
        raise UnknownLayout(f"Its head has the shape {shape}.")
    _fill(model, graph, kernel, head.kernel.T.reshape(len(head), 1, 1, d))
    _fill(model, graph, bias, head.bias)
    changed = {int(i) for i in (kernel, bias, *convolution.inputs[1:3], *convolution.outputs)}
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == _MEAN and int(operator.inputs[0]) == int(convolution.outputs[0]):
            changed |= {int(i) for i in operator.outputs}
    for index in changed:
        _relabel(graph.tensors[index], old, len(head), first=index in (kernel, int(convolution.inputs[1])))
    return pack(model, len(content) + 4 * head.kernel.size)


def read_head(content: bytes) -> Head:
    """Read the head of a LiteRT classifier, as float32.

    Raises:
        UnknownLayout: the head is not float, or has an unknown layout.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    convolution = _class_maps(graph, codes)
    kernel, bias = (_constant(model, graph, codes, convolution.inputs[i]) for i in (1, 2))
    labels, *_, d = (int(side) for side in graph.tensors[kernel].shape)
    return Head(
        np.ascontiguousarray(_values(model, graph, kernel).reshape(labels, d).T.astype(np.float32)),
        _values(model, graph, bias).astype(np.float32),
    )


def _class_maps(graph: Any, codes: list[int]) -> Any:
    """Find the convolution whose output is an output of the graph."""
    outputs = {int(index) for index in graph.outputs}
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == _CONV_2D and int(operator.outputs[0]) in outputs:
            return operator
    raise UnknownLayout("No convolution of it is an output.")


def _constant(model: Any, graph: Any, codes: list[int], index: int) -> int:
    """Return the index of the tensor with the constant: this one, or the one that it is dequantised from."""
    for operator in graph.operators:
        if codes[operator.opcodeIndex] == _DEQUANTIZE and int(operator.outputs[0]) == int(index):
            index = operator.inputs[0]
    tensor = graph.tensors[int(index)]
    if tensor.type not in (_FLOAT32, _FLOAT16):
        raise UnknownLayout("Its head is not float.")
    if model.buffers[tensor.buffer].data is None:
        raise UnknownLayout("Its head is no constant.")
    return int(index)


def _values(model: Any, graph: Any, index: int) -> np.ndarray:
    tensor = graph.tensors[index]
    kind = np.float16 if tensor.type == _FLOAT16 else np.float32
    return np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(kind)


def _fill(model: Any, graph: Any, index: int, values: np.ndarray) -> None:
    tensor = graph.tensors[index]
    shared = [t for t in graph.tensors if t.buffer == tensor.buffer]
    if len(shared) > 1:
        raise UnknownLayout("Its head shares its numbers with another layer.")
    kind = np.float16 if tensor.type == _FLOAT16 else np.float32
    data = np.ascontiguousarray(values.astype(kind)).reshape(-1).view(np.uint8)
    model.buffers[tensor.buffer].data = data


def _relabel(tensor: Any, old: int, new: int, *, first: bool) -> None:
    """Update the number of labels in a tensor's shape: the first axis of a kernel, the last of others."""
    place = 0 if first else -1
    for name in ("shape", "shapeSignature"):
        shape = getattr(tensor, name)
        if shape is not None and len(shape):
            if int(shape[place]) != old:
                raise UnknownLayout(f"A tensor behind its head has the shape {list(shape)}.")
            shape = np.array(shape, np.int32)
            shape[place] = new
            setattr(tensor, name, shape)
