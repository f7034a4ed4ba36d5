"""Evaluate bundles: every figure comes from the served files, on pictures that no choice was made on."""

from training.evaluation.bundle_scores import evaluate_bundle

__all__ = ["evaluate_bundle"]
