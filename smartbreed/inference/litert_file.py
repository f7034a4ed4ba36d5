"""A LiteRT file packed again after a change."""

from __future__ import annotations

from typing import Any

#: Bytes that LiteRT's constants are aligned to, as its schema asks for (``force_align``).
_ALIGNED = 16


def pack(model: Any, size: int) -> bytes:
    """The bytes of a ``schema_py_generated.ModelT``.

    Python's flatbuffers packs arrays of bytes wherever they fall; kernels may count on aligned constants.

    Args:
        size: about how many bytes it will have.
    """
    import flatbuffers  # type: ignore[import-untyped]

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def StartVector(self, elem_size: int, count: int, alignment: int) -> Any:
            return super().StartVector(elem_size, count, _ALIGNED if elem_size == 1 else alignment)

    builder = Builder(size)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
