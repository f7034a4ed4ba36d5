"""What the log of past epochs says about the next: the learning rate, whether to stop, which was best.

Keras' own ReduceLROnPlateau and EarlyStopping forget what they have seen when a process is killed; these
read it from the log, so a resumed run goes on as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Log = Sequence[Mapping[str, Any]]

#: Figures that are better when smaller.
LOWER_IS_BETTER = ("loss", "val_loss")


def gain(value: float, monitor: str) -> float:
    """The figure so that more is better."""
    return -value if monitor in LOWER_IS_BETTER else value


def best_epoch(log: Log, monitor: str) -> int:
    """Position of the best epoch; of equals the first; -1 for an empty log.

    Raises:
        KeyError: no such figure in the log.
    """
    if not log:
        return -1
    return max(range(len(log)), key=lambda i: (gain(float(log[i][monitor]), monitor), -i))


def should_stop(log: Log, monitor: str, patience: int) -> bool:
    """Whether the last ``patience`` epochs brought no gain; a patience of 0 never stops."""
    return bool(patience and len(log) - 1 - best_epoch(log, monitor) >= patience and log)


def plateau_rate(log: Log, monitor: str, rate: float, patience: int, factor: float) -> float:
    """The rate after ``log``: times ``factor`` whenever ``patience`` epochs brought no gain, then again."""
    best, waited = float("-inf"), 0
    for entry in log:
        value = gain(float(entry[monitor]), monitor)
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited >= patience:
            rate, waited = rate * factor, 0
    return rate
