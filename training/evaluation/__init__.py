"""Evaluation: every figure from the served files, on pictures no choice was made on."""

from training.evaluation.bundle_scores import evaluate_bundle

__all__ = ["evaluate_bundle"]
