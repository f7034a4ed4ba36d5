"""Decisions from the log of past epochs: the learning rate, whether to stop, which epoch was best.

Keras' own ReduceLROnPlateau and EarlyStopping lose their state when a process is killed. These functions
read it from the log, so a resumed run continues as if it had not been interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Log = Sequence[Mapping[str, Any]]

#: Figures that are better when smaller.
LOWER_IS_BETTER = ("loss", "val_loss")


def gain(value: float, monitor: str) -> float:
    """Return the figure with its sign changed where smaller is better, so that more is always better."""
    return -value if monitor in LOWER_IS_BETTER else value


def best_epoch(log: Log, monitor: str) -> int:
    """Return the position of the best epoch, the first among equals; -1 for an empty log.

    Raises:
        KeyError: the log has no such figure.
    """
    if not log:
        return -1
    return max(range(len(log)), key=lambda i: (gain(float(log[i][monitor]), monitor), -i))


def should_stop(log: Log, monitor: str, patience: int) -> bool:
    """True when the last ``patience`` epochs brought no gain; never with a patience of 0."""
    return bool(patience and len(log) - 1 - best_epoch(log, monitor) >= patience and log)


def plateau_rate(log: Log, monitor: str, rate: float, patience: int, factor: float) -> float:
    """Return the learning rate after the epochs in ``log``.

    It is multiplied by ``factor`` each time ``patience`` epochs in a row brought no gain of ``monitor``.
    """
    best, waited = float("-inf"), 0
    for entry in log:
        value = gain(float(entry[monitor]), monitor)
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited >= patience:
            rate, waited = rate * factor, 0
    return rate
