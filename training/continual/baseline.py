"""The baseline of a line of head-mode releases, so that small losses cannot add up for ever.

Each release may be a little worse than its parent, which chance alone can make of it. So every one is
also held against the baseline: the last version that was trained as a whole, on the same gate set.
``config.json`` carries its score along as ``baseline``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.export.gate_set import GateSet


@dataclass(frozen=True)
class Baseline:
    """The baseline's score.

    Attributes:
        version: of the baseline.
        top1: share of the gate set that it names right, 0…1.
        pictures: of the gate set, without what was learnt since; another number is another set.
        right: which of them it names right, a bit a picture, as hexadecimal digits; empty where an older
            version does not say. A small gate set is compared picture by picture.
    """

    version: str
    top1: float
    pictures: int
    right: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "top1": round(self.top1, 6)}

    def right_answers(self) -> np.ndarray | None:
        """`right` as bool ``(pictures,)``; None where it is not known."""
        try:
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(self.right), np.uint8))
        except ValueError:
            return None
        found = bits[: self.pictures].astype(bool)
        fits = len(found) == self.pictures and abs(float(found.mean()) - self.top1) < 1e-5
        return found if fits else None


def baseline_from(version: str, right: np.ndarray) -> Baseline:
    """A version as the baseline of those after it.

    Args:
        version: its own.
        right: bool ``(n,)``, which pictures of the gate set it names right.
    """
    return Baseline(version, float(right.mean()), len(right), np.packbits(right).tobytes().hex())


def baseline_of(config: dict[str, Any], champion: np.ndarray, gate: GateSet) -> Baseline | None:
    """The baseline of a champion: what its ``config.json`` says, else the champion itself.

    Args:
        config: the champion's.
        champion: its logits of the gate set ``(n, labels)``.
        gate: the gate set.

    Returns:
        None for a stand-in, whose pictures are others after every release.
    """
    base = gate.base & (gate.labels < champion.shape[1])
    if gate.trained or not base.any():
        return None
    carried = config.get("root")
    if isinstance(carried, dict) and carried.get("pictures") == int(base.sum()):
        right_before = carried.get("right")
        return Baseline(
            str(carried["version"]), float(carried["top1"]), int(carried["pictures"]),
            right_before if isinstance(right_before, str) else "",
        )  # fmt: skip
    right = champion.argmax(1) == gate.labels
    return baseline_from(str(config["version"]), np.asarray(right[base]))
