"""What a line of head-mode releases began with, so that small losses cannot add up for ever.

Each release may be a little worse than its parent, which chance alone can make of it. So every one is
also held against the root: the last version that was trained as a whole, on the same gate set.
``config.json`` carries its score along as ``root``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.retraining.gate_set import GateSet


@dataclass(frozen=True)
class Root:
    """The root's score.

    Attributes:
        version: of the root.
        top1: share of the gate set that it names right, 0…1.
        pictures: of the gate set, without what was learnt since; another number is another set.
    """

    version: str
    top1: float
    pictures: int

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "top1": round(self.top1, 6)}


def root_of(config: dict[str, Any], champion: np.ndarray, gate: GateSet) -> Root | None:
    """The root of a champion: what its ``config.json`` says, else the champion itself.

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
    told = config.get("root")
    if isinstance(told, dict) and told.get("pictures") == int(base.sum()):
        return Root(str(told["version"]), float(told["top1"]), int(told["pictures"]))
    right = champion.argmax(1) == gate.labels
    return Root(str(config["version"]), float(right[base].mean()), int(base.sum()))
