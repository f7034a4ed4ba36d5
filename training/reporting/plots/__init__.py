"""Plots of a model's figures; every function writes one PNG."""

from training.reporting.plots.calibration import coverage, reliability
from training.reporting.plots.confusion import confused_labels, confusion
from training.reporting.plots.curves import robustness, roc, sweep
from training.reporting.plots.detector import detector
from training.reporting.plots.labels import per_breed, per_group
from training.reporting.plots.sizes import forms

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
