"""Pictures of how good a model is; every function writes one PNG."""

from training.plots.calibration import coverage, reliability
from training.plots.confusion import confused_labels, confusion
from training.plots.curves import robustness, roc, sweep
from training.plots.detector import detector
from training.plots.labels import per_breed, per_group
from training.plots.sizes import forms

__all__ = [
    "confused_labels",
    "confusion",
    "coverage",
    "detector",
    "forms",
    "per_breed",
    "per_group",
    "reliability",
    "robustness",
    "roc",
    "sweep",
]
