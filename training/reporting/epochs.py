"""Plot how a run went, epoch by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.reporting.plots.style import ACCENT, BLUE, GREEN, INK, figure


def plot_epochs(epochs: list[dict[str, Any]], path: Path, *, shown: tuple[str, ...]) -> None:
    """Plot the loss on the left and held-back figures on the right as PNG.

    Args:
        epochs: entries of the training log, at least one.
        path: file to write.
        shown: held-back figures, 0…1, to draw if the log has them.
    """
    with figure(path, 9, 4) as drawn:
        left, right = drawn.subplots(1, 2)
        numbers = [entry["epoch"] for entry in epochs]
        left.plot(numbers, [entry["loss"] for entry in epochs], "o-", color=BLUE, label="training")
        if "val_loss" in epochs[0]:
            left.plot(numbers, [entry["val_loss"] for entry in epochs], "o-", color=ACCENT, label="held back")
        left.set(title="Loss", xlabel="epoch")
        left.legend()
        for name, colour in zip(shown, (ACCENT, GREEN, BLUE, INK), strict=False):
            if name in epochs[0]:
                right.plot(numbers, [100 * entry[name] for entry in epochs], "o-", color=colour, label=name)
        right.set(title="Held-back figures, %", xlabel="epoch")
        right.legend()
