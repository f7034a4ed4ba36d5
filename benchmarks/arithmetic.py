"""Count the multiply-adds of a network, and measure how many this machine's cores can do per second."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

_CONV_2D, _DEPTHWISE_CONV_2D, _FULLY_CONNECTED, _RESHAPE = 3, 4, 9, 22
_NAMES = {
    _CONV_2D: "convolutions",
    _DEPTHWISE_CONV_2D: "depthwise convolutions",
    _FULLY_CONNECTED: "dense layers",
}
_FLOAT32, _INT8 = 0, 9
#: Rows, columns and depth of the matrices that are multiplied; large enough to make overhead negligible.
_SIDE = 1024


def macs(content: bytes) -> dict[str, dict[str, int]]:
    """Count the multiply-adds for one picture, by type (``int8``, ``float32``) and then by kind of layer.

    Args:
        content: bytes of a ``.tflite`` file with fixed shapes.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, found = model.subgraphs[0], defaultdict[str, Counter[str]](Counter)
    for operator in graph.operators:
        kind = _code(model, operator)
        if kind not in _NAMES:
            continue
        weights = graph.tensors[operator.inputs[1]]
        kernel = [int(side) for side in weights.shape]
        outputs = int(np.prod(graph.tensors[operator.outputs[0]].shape))
        # Kernels are (out, h, w, in), for depthwise convolutions (1, h, w, out), for dense layers (out, in).
        each = kernel[1] * kernel[2] if kind == _DEPTHWISE_CONV_2D else int(np.prod(kernel[1:]))
        found["int8" if weights.type == _INT8 else "float32"][_NAMES[kind]] += outputs * each
    return {kind: dict(parts) for kind, parts in found.items()}


def with_batch(content: bytes, batch: int) -> bytes:
    """Rewrite a ``.tflite`` file for one picture as one for batches.

    `resize_tensor_input` is not enough, because reshape operators in the file hard-code a batch of one.
    """
    from ai_edge_litert import schema_py_generated as schema

    from smartbreed.inference.litert_file import pack

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    pictures, shapes = {int(index) for index in graph.inputs}, set()
    for operator in graph.operators:
        if pictures & {int(index) for index in operator.inputs}:
            pictures |= {int(index) for index in operator.outputs}
            if _code(model, operator) == _RESHAPE:
                shapes.add(graph.tensors[operator.inputs[1]].buffer)
                operator.builtinOptions = None  # it repeats the constant shape, or is empty
    for index in pictures:
        tensor = graph.tensors[index]
        tensor.shape, tensor.shapeSignature = _first(tensor.shape, batch), None
    for buffer in shapes:
        shape = np.asarray(model.buffers[buffer].data, np.uint8).view(np.int32)
        model.buffers[buffer].data = _first(shape, batch).view(np.uint8)
    return pack(model, len(content) + 10_000)


def _first(shape: Any, batch: int) -> np.ndarray:
    """Return a shape with the batch as its first dimension."""
    return np.array([batch, *shape[1:]], np.int32)


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def float32_rate(seconds: float) -> float:
    """Measure float32 multiply-adds per second on one core: the better of numpy's BLAS and LiteRT.

    The environment must limit BLAS to one thread before numpy is imported.
    """
    left = np.random.default_rng(0).normal(size=(_SIDE, _SIDE)).astype(np.float32)
    right, out = left.T.copy(), np.empty_like(left)
    return max(_rate(lambda: np.matmul(left, right, out=out), seconds), _rate(_product("float32"), seconds))


def int8_rate(seconds: float) -> float:
    """Measure int8 multiply-adds (with 32-bit sums) per second on one core, by LiteRT, as numpy has none."""
    return _rate(_product("int8"), seconds)


def _rate(multiply: Callable[[], object], seconds: float) -> float:
    """Return the rate of the fastest product by CPU time, which other work on the core does not lower."""
    multiply()
    best, end = float("inf"), time.perf_counter() + seconds
    while not np.isfinite(best) or time.perf_counter() < end:
        used = time.process_time()
        multiply()
        best = min(best, time.process_time() - used)
    return float(_SIDE**3) / best


def _product(kind: str) -> Callable[[], object]:
    """Build a LiteRT network of one matrix product, and return a function that runs it on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=product_file(kind, _SIDE), num_threads=1)
    interpreter.allocate_tensors()
    [given] = interpreter.get_input_details()
    values = np.random.default_rng(0).integers(-9, 9, given["shape"]).astype(given["dtype"])
    interpreter.set_tensor(given["index"], values)
    return lambda: interpreter.invoke()


def product_file(kind: str, side: int) -> bytes:
    """Build a ``.tflite`` file that multiplies its input ``(side, side)`` by a constant matrix.

    Args:
        kind: ``float32`` or ``int8``.
        side: rows and columns of both matrices.
    """
    from ai_edge_litert import schema_py_generated as schema

    from smartbreed.inference.litert_file import pack

    model = schema.ModelT()
    model.version, model.description = 3, "product"
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = _FULLY_CONNECTED
    code.version = 4 if kind == "int8" else 1
    model.operatorCodes = [code]
    weights = np.random.default_rng(1).integers(-9, 9, (side, side)).astype(kind)
    empty, constant = schema.BufferT(), schema.BufferT()
    constant.data = weights.reshape(-1).view(np.uint8)
    model.buffers = [empty, constant]

    def tensor(name: str, buffer: int, scale: float) -> Any:
        one = schema.TensorT()
        one.name, one.buffer, one.shape = name, buffer, np.array([side, side], np.int32)
        one.type = _INT8 if kind == "int8" else _FLOAT32
        if kind == "int8":
            one.quantization = schema.QuantizationParametersT()
            one.quantization.scale = np.array([scale], np.float32)
            one.quantization.zeroPoint = np.array([0], np.int64)
        return one

    graph, operator = schema.SubGraphT(), schema.OperatorT()
    graph.tensors = [tensor("left", 0, 0.1), tensor("right", 1, 0.1), tensor("product", 0, 10.0)]
    graph.inputs, graph.outputs = np.array([0], np.int32), np.array([2], np.int32)
    operator.inputs, operator.outputs = np.array([0, 1, -1], np.int32), np.array([2], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators = [operator]
    model.subgraphs = [graph]
    return pack(model, weights.nbytes + 10_000)
