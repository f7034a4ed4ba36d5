"""What the tests of deeper explanations share; `fake_worker` stands in for the slow child."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from smartbreed.inference.deep_explanations import DeepExplainer

FAKE = Path(__file__).with_name("fake_worker.py")
ROOT = Path(__file__).parents[2]
OK, CRASH, HANG, GARBAGE, BAD_BUNDLE, SLOW = range(6)
Make = Callable[..., DeepExplainer]


def picture(order: int = OK, variant: int = 0) -> np.ndarray:
    pixels = np.full((64, 64, 3), variant, np.uint8)
    pixels[0, 0] = order
    return pixels


def gone(pid: int) -> bool:
    """No such process, or only its entry for a parent that has not looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def pid_of(explainer: DeepExplainer) -> int:
    assert explainer._child is not None
    return explainer._child.pid
