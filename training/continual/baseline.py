"""The baseline of a series of head-mode releases, so that small losses cannot add up unnoticed.

Each release may be slightly worse than its parent, by chance alone. So every challenger is also compared
with the baseline: the last version that was trained as a whole, on the same gate set.
``config.json`` carries the baseline's score along as ``root``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.export.gate_set import GateSet


@dataclass(frozen=True)
class Baseline:
    """The score of the baseline on the gate set.

    Attributes:
        version: version of the baseline.
        top1: share of the gate set that it names correctly, 0…1.
        pictures: size of the gate set, without samples learnt since. Another number means another gate set.
        right: which pictures it names correctly, one bit each, as hexadecimal digits; "" if an older version
            did not record it. With it, a small gate set is compared picture by picture.
    """

    version: str
    top1: float
    pictures: int
    right: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "top1": round(self.top1, 6)}

    def right_answers(self) -> np.ndarray | None:
        """Return `right` as bool ``(pictures,)``; None if it is unknown or does not match `top1`."""
        try:
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(self.right), np.uint8))
        except ValueError:
            return None
        found = bits[: self.pictures].astype(bool)
        fits = len(found) == self.pictures and abs(float(found.mean()) - self.top1) < 1e-5
        return found if fits else None


def baseline_from(version: str, right: np.ndarray) -> Baseline:
    """Make a version the baseline of its successors.

    Args:
        version: the version.
        right: bool ``(n,)``, which pictures of the gate set it names correctly.
    """
    return Baseline(version, float(right.mean()), len(right), np.packbits(right).tobytes().hex())


def baseline_of(config: dict[str, Any], champion: np.ndarray, gate: GateSet) -> Baseline | None:
    """Return the baseline stored in a champion's ``config.json``, else the champion itself.

    Args:
        config: the champion's ``config.json``.
        champion: the champion's logits of the gate set ``(n, labels)``.
        gate: the gate set.

    Returns:
        None for a stand-in gate set, whose pictures change with every release.
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
