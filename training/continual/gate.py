"""The gate: checks whether a challenger may replace the champion. Every check reports a sentence.

The checks for losses are in `loss_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from smartbreed.inference.classifier import softmax
from training.calibration.temperature import expected_calibration_error
from training.continual.baseline import Baseline
from training.continual.flagged import Answers
from training.continual.loss_checks import (
    MARGINS,
    Check,
    Margins,
    baseline_check,
    check_parts,
    overall_check,
    parts_check,
)
from training.continual.significance import paired, paired_calibration, pairs
from training.export.gate_set import GateSet
from training.reporting.wording import PETS, Wording


@dataclass(frozen=True)
class ModelLogits:
    """A model's ``logits`` for the pictures of the gate set ``(n, labels)``, and its temperature."""

    logits: np.ndarray
    temperature: float

    def right(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(self.logits.argmax(1) == labels)

    def confidence(self) -> np.ndarray:
        """Return the probability of the first guess ``(n,)``."""
        return np.asarray(softmax(self.logits / self.temperature).max(1))


@dataclass(frozen=True)
class GateResult:
    """The results of all checks and the figures behind them."""

    checks: list[Check]
    figures: dict[str, Any]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """The sentences of failed checks; those of all checks if none failed."""
        failed = [check.sentence for check in self.checks if not check.passed]
        return failed or [check.sentence for check in self.checks]

    @property
    def undecided(self) -> list[str]:
        """Sentences about what too few pictures left undecided."""
        return [check.undecided for check in self.checks if check.undecided]


def compare(
    champion: ModelLogits,
    challenger: ModelLogits,
    gate: GateSet,
    groups: list[str],
    answers: Answers,
    margins: Margins = MARGINS,
    baseline: Baseline | None = None,
    words: Wording = PETS,
    names: Mapping[str, str] = MappingProxyType({}),
) -> GateResult:
    """Compare champion and challenger on the frozen gate set and on flagged samples.

    Args:
        champion, challenger: logits for the same pictures; the challenger's first labels are the champion's.
        gate: the gate set.
        groups: group of each of the champion's labels; the label's id if it has no group.
        answers: answers to flagged samples that neither model has seen.
        margins: allowed losses.
        baseline: version that the challenger must not drift away from; None if unknown.
        words: wording for the labels.
        names: display names by label id; missing ones are taken from the catalogue.
    """
    base = gate.base & (gate.labels < champion.logits.shape[1])
    right = [model.right(gate.labels) for model in (champion, challenger)]
    overall, changed = paired(right[0][base], right[1][base]), pairs(right[0][base], right[1][base])
    calibration, errors = _calibration(champion, challenger, gate.labels, base, margins)
    parts: dict[str, np.ndarray] = {
        group: mine
        for group in sorted(set(groups))
        if (mine := base & np.isin(gate.labels, [i for i, g in enumerate(groups) if g == group])).any()
    }
    breeds = {
        gate.names[label]: pairs(right[0][mine], right[1][mine])
        for label in range(champion.logits.shape[1])
        for mine in [base & (gate.labels == label)]
    }
    by_group = {group: pairs(right[0][mine], right[1][mine]) for group, mine in parts.items()}
    found = check_parts(by_group, margins.group, margins, names)
    each = check_parts(breeds, margins.breed, margins, names)
    # A label without a group is a group of its own.
    group = words.group if set(groups) - set(gate.names) else words.label
    checks = [
        overall_check(overall, changed, float(right[0][base].mean()), margins, gate.trained),
        parts_check("groups", group, found, margins.group, margins),
        parts_check("breeds", words.label, each, margins.breed, margins),
        calibration,
    ]
    if baseline is not None:
        checks.insert(1, baseline_check(baseline, right[1][base], margins))
    flagged, figures = _flagged(champion, challenger, answers, margins)
    learnt = ~gate.base
    return GateResult(
        [*checks, flagged],
        {
            "gate": {
                "pictures": int(base.sum()),
                "stand_in": gate.trained,
                "top1": _both(right[0][base], right[1][base]),
                "difference": {**asdict(overall), **changed.as_dict()},
                "root": baseline.as_dict() if baseline else None,
                "ece": errors,
                "groups": {part.key: part.as_dict() for part in found},
                "group_margin": margins.group,
                "words": {"label": words.label, "group": group},
                "learnt": {
                    "pictures": int(learnt.sum()),
                    "champion": float(right[0][learnt].mean()) if learnt.any() else None,
                    "challenger": float(right[1][learnt].mean()) if learnt.any() else None,
                },
            },
            "flagged": figures,
        },
    )


def _both(champion: np.ndarray, challenger: np.ndarray) -> dict[str, float]:
    return {"champion": float(champion.mean()), "challenger": float(challenger.mean())}


def _calibration(
    champion: ModelLogits, challenger: ModelLogits, labels: np.ndarray, base: np.ndarray, margins: Margins
) -> tuple[Check, dict[str, float]]:
    before, after = [
        (model.confidence()[base], model.right(labels)[base]) for model in (champion, challenger)
    ]
    found = paired_calibration(before, after)
    margin = max(margins.calibration, 1 / max(1, int(base.sum())))
    errors = {
        "champion": expected_calibration_error(*before),
        "challenger": expected_calibration_error(*after),
    }
    sentence = (
        f"Its probabilities are off by {errors['challenger']:.3f} on average (champion: "
        f"{errors['champion']:.3f}; more by over {margin:.3f} is not allowed, unless chance "
        "explains it)."
    )
    return Check("calibration", found.mean <= margin or found.low <= 0, sentence), errors


def _flagged(
    champion: ModelLogits, challenger: ModelLogits, answers: Answers, margins: Margins
) -> tuple[Check, dict[str, Any]]:
    count = len(answers)
    if count < margins.least:
        sentence = (
            f"Only {count} newly accepted samples: at least {margins.least} are needed to tell whether "
            "it is better on what was flagged."
        )
        return Check("flagged", False, sentence), {"samples": count}
    right = [logits.argmax(1) == answers.labels for logits in (answers.champion, answers.challenger)]
    named = paired(right[0], right[1])
    surer = paired(
        _log_chance(answers.champion / champion.temperature, answers.labels, margins.floor),
        _log_chance(answers.challenger / challenger.temperature, answers.labels, margins.floor),
    )
    better = named.mean >= 0 and max(named.better, surer.better) >= margins.likelihood
    sentence = (
        f"Of {count} newly accepted samples, all unseen, {100 * right[1].mean():.0f}% are right "
        f"(champion: {100 * right[0].mean():.0f}%); better in {100 * named.better:.0f}% of resamples by "
        f"name, {100 * surer.better:.0f}% by probability (one must reach {100 * margins.likelihood:.0f}%)."
    )
    return Check("flagged", better, sentence), {
        "samples": count,
        "top1": _both(*right),
        "named": asdict(named),
        "surer": asdict(surer),
    }


def _log_chance(logits: np.ndarray, labels: np.ndarray, floor: float) -> np.ndarray:
    """Return log p(label), at least log ``floor``; p is 0 for a label that the model lacks."""
    chance = np.zeros(len(labels))
    known = labels < logits.shape[1]
    chance[known] = softmax(logits[known])[np.arange(int(known.sum())), labels[known]]
    return np.asarray(np.log(np.maximum(chance, floor)))
