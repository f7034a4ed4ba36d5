"""Temperature, thresholds and box verification of a new head.

All are fitted on the gate set, just as the parent's were fitted on the same held-back pictures. If the new
head only scales or shifts the logits, each kind of answer stays as frequent as before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from smartbreed.inference.classifier import softmax
from smartbreed.inference.head import Head
from training.calibration.temperature import fit_temperature
from training.export.gate_set import GateSet


def calibrated(config: dict[str, Any], old: Head, new: Head, gate: GateSet) -> dict[str, Any]:
    """Return the changed parts of ``config.json``.

    These are the temperature, the thresholds and, with a detector, box verification.

    Args:
        config: the parent's ``config.json``.
        old, new: heads.
        gate: gate set; at least some of its labels must exist in both heads.
    """
    section = config["classifier"]
    logits = new.logits(gate.embeddings)
    before, after = old.logits(gate.embeddings), logits
    temperature = float(section["temperature"])
    # The parent's temperature was not fitted on exactly these pictures: scale it by the ratio of two fits.
    ratio = fit_temperature(logits, gate.labels) / fit_temperature(before, gate.labels)
    found: dict[str, Any] = {"temperature": round(temperature * ratio, 4)}
    said_before = softmax(before / temperature).max(1)
    said_after = softmax(after / found["temperature"]).max(1)
    thresholds = section["thresholds"]
    found["thresholds"] = {
        "breed": _same_share(said_before, said_after, thresholds["breed"]),
        "group": _same_share(
            _by_group(softmax(before / temperature), section["labels"]),
            _by_group(softmax(after / found["temperature"]), section["labels"]),
            thresholds["group"],
        ),
    }
    verification = (config.get("detector") or {}).get("confirm")
    if verification:
        every = (
            np.concatenate([gate.embeddings, gate.out_of_distribution])
            if len(gate.out_of_distribution)
            else gate.embeddings
        )
        found["confirm"] = shifted_verification(
            verification, old.logits(every).max(1), new.logits(every).max(1)
        )
    return found


def shifted_verification(
    verification: dict[str, float], before: np.ndarray, after: np.ndarray
) -> dict[str, float]:
    """Adapt the logistic regression of box verification to breed logits on another scale.

    ``before ≈ slope * after + shift`` is fitted by least squares, so confirmed boxes stay confirmed.

    Args:
        verification: the weights as in ``config.json``.
        before, after: largest breed logit of the same pictures with the old and the new head, ``(n,)``.
    """
    spread = float(((after - after.mean()) ** 2).sum())
    slope = float(((after - after.mean()) * (before - before.mean())).sum()) / spread if spread > 0 else 1.0
    slope = float(np.clip(slope, 0.2, 5.0))
    shift = float(before.mean() - slope * after.mean())
    weight = verification["classifier"]
    return {
        **verification,
        "classifier": round(weight * slope, 4),
        "bias": round(verification["bias"] + weight * shift, 4),
    }


def _same_share(before: np.ndarray, after: np.ndarray, threshold: float) -> float:
    """Move ``threshold`` so that ``after`` exceeds it as often as ``before`` did; within 0.05…0.99.

    It stays where it is if all or none of ``before`` reach it.
    """
    share = float((before >= threshold).mean())
    if share in (0.0, 1.0):
        return round(float(threshold), 4)
    # Shift by the quantile's change instead of using the quantile, which jumps from picture to picture.
    moved = float(np.quantile(after, 1 - share)) - float(np.quantile(before, 1 - share))
    return round(float(np.clip(threshold + moved, 0.05, 0.99)), 4)


def _by_group(probabilities: np.ndarray, labels: list[dict[str, Any]]) -> np.ndarray:
    """Return the largest summed probability of a group; a label without a group is a group of its own."""
    members = [label.get("group") or label["id"] for label in labels]
    members += [f"new {number}" for number in range(probabilities.shape[1] - len(members))]
    names = sorted(set(members))
    member = np.zeros((len(members), len(names)), np.float32)
    member[np.arange(len(members)), [names.index(name) for name in members]] = 1
    return np.asarray((probabilities @ member).max(1))
