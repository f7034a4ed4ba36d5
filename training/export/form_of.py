"""Which number format a LiteRT file is in."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def form_of(path: Path) -> str:
    """Which of `training.export.litert.FORMS` a LiteRT file is, by the types of its tensors."""
    from ai_edge_litert.interpreter import Interpreter

    types = {np.dtype(detail["dtype"]) for detail in Interpreter(model_path=str(path)).get_tensor_details()}
    if np.dtype(np.int8) in types:
        return "int8"
    return "float16" if np.dtype(np.float16) in types else "float32"
