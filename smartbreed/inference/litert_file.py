"""Pack a LiteRT model into a file again after a change."""

from __future__ import annotations

from typing import Any

#: Alignment of LiteRT's constants in bytes, as its schema requires (``force_align``).
_ALIGNED = 16


def pack(model: Any, size: int) -> bytes:
    """Return the bytes of a ``schema_py_generated.ModelT``, with aligned constants.

    Python's flatbuffers does not align arrays of bytes, but kernels may rely on aligned constants.

    Args:
        size: estimated size in bytes.
    """
    import flatbuffers  # type: ignore[import-untyped]

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, elem_size: int, count: int, alignment: int) -> Any:
            return super().StartVector(elem_size, count, _ALIGNED if elem_size == 1 else alignment)

    builder = Builder(size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
