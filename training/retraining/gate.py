"""Challenger against champion: may it be released? Every check says in words what it found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from smartbreed.breeds import GROUPS
from smartbreed.vision.classifier import softmax
from training.calibration import expected_calibration_error
from training.retraining.bootstrap import Difference, paired, paired_calibration
from training.retraining.flagged import Answers
from training.retraining.gate_set import GateSet
from training.retraining.root import Root


@dataclass(frozen=True)
class Margins:
    """How much worse is not worse; every value is a share, 0…1.

    Attributes:
        overall: the mean may be this much lower on the frozen gate set...
        overall_low: ...and what 95% of the resamples exceed, this much.
        root: the mean may be this much lower than that of the last version trained as a whole.
        group: a breed group may be this much lower, unless chance explains it (under 95% of resamples).
        calibration: ECE may be this much higher, unless chance explains it (under 95% of resamples).
        likelihood: smallest share of resamples in which flagged samples are answered better.
        least: fewer flagged samples say nothing.
        stand_in: both of the first are this much wider where a stand-in judges: the champion was trained
            on it, so that any change costs something there.
        floor: probabilities below count as this, so that no single sample decides.
    """

    overall: float = 0.006
    overall_low: float = 0.012
    root: float = 0.01
    group: float = 0.08
    calibration: float = 0.01
    likelihood: float = 0.9
    least: int = 5
    stand_in: float = 2.5
    floor: float = 1e-3


MARGINS = Margins()


@dataclass(frozen=True)
class Check:
    """One condition: ``name``, whether it ``passed``, and the sentence about it."""

    name: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Judged:
    """A model's ``logits`` of the gate set's pictures ``(n, labels)``, and its temperature."""

    logits: np.ndarray
    temperature: float

    def right(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray(self.logits.argmax(1) == labels)

    def confidence(self) -> np.ndarray:
        """Probability of the first guess ``(n,)``."""
        return np.asarray(softmax(self.logits / self.temperature).max(1))


@dataclass(frozen=True)
class Verdict:
    """All checks, and the figures behind them."""

    checks: list[Check]
    figures: dict[str, Any]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """What failed; if nothing did, everything that was looked at."""
        failed = [check.sentence for check in self.checks if not check.passed]
        return failed or [check.sentence for check in self.checks]


def judge(
    champion: Judged,
    challenger: Judged,
    gate: GateSet,
    groups: list[str],
    answers: Answers,
    margins: Margins = MARGINS,
    root: Root | None = None,
) -> Verdict:
    """Compare on the frozen gate set and on what was flagged.

    Args:
        champion, challenger: of the same pictures; the challenger has the champion's labels first.
        gate: the gate set.
        groups: group of each label of the champion, or its id where it has none.
        answers: to flagged samples neither has seen.
        margins: see there.
        root: what the challenger must not have drifted away from; None: nothing is known of one.
    """
    base = gate.base & (gate.labels < champion.logits.shape[1])
    right = [model.right(gate.labels) for model in (champion, challenger)]
    overall = paired(right[0][base], right[1][base])
    calibration, errors = _calibration(champion, challenger, gate.labels, base, margins)
    by_group = {
        group: paired(right[0][mine], right[1][mine])
        for group in sorted(set(groups))
        if (mine := base & np.isin(gate.labels, [i for i, g in enumerate(groups) if g == group])).any()
    }
    checks = [
        _overall(overall, float(right[0][base].mean()), margins, gate.trained),
        _groups(by_group, margins),
        calibration,
    ]
    if root is not None:
        checks.insert(1, _root(root, float(right[1][base].mean()), margins))
    flagged, figures = _flagged(champion, challenger, answers, margins)
    learnt = ~gate.base
    return Verdict(
        [*checks, flagged],
        {
            "gate": {
                "pictures": int(base.sum()),
                "stand_in": gate.trained,
                "top1": _both(right[0][base], right[1][base]),
                "difference": asdict(overall),
                "root": root.as_dict() if root else None,
                "ece": errors,
                "groups": {group: asdict(found) for group, found in by_group.items()},
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


def _overall(found: Difference, before: float, margins: Margins, trained: bool) -> Check:
    where = "replay memory standing in for a gate set" if trained else "the frozen gate set"
    wider = margins.stand_in if trained else 1.0
    mean, low = wider * margins.overall, wider * margins.overall_low
    return Check(
        "overall",
        found.mean >= -mean and found.low >= -low,
        f"On {where} ({found.count} pictures) it names {100 * (before + found.mean):.1f}% right "
        f"(champion: {100 * before:.1f}%; 95% sure: not worse than {100 * found.low:+.2f} points; allowed: "
        f"{-100 * mean:.1f} on average, {-100 * low:.1f} at that certainty).",
    )


def _root(root: Root, now: float, margins: Margins) -> Check:
    moved = 100 * (now - root.top1)
    return Check(
        "root",
        root.top1 - now <= margins.root + 1e-9,
        f"Against version {root.version}, the last one that was trained as a whole, that is {moved:+.1f} "
        f"points (allowed: {-100 * margins.root:.1f}, however many versions lie between).",
    )


def _groups(by_group: dict[str, Difference], margins: Margins) -> Check:
    worse = [
        f"{GROUPS[group].name if group in GROUPS else group} by {-100 * found.mean:.0f} points of "
        f"{found.count} pictures"
        for group, found in by_group.items()
        if found.mean < -margins.group and found.high < 0
    ]
    allowed = f"more than {100 * margins.group:.0f} points is not allowed"
    sentence = (
        f"Got worse: {', '.join(worse)} ({allowed})." if worse else f"No breed group got worse ({allowed})."
    )
    return Check("groups", not worse, sentence)


def _calibration(
    champion: Judged, challenger: Judged, labels: np.ndarray, base: np.ndarray, margins: Margins
) -> tuple[Check, dict[str, float]]:
    told, after = [(model.confidence()[base], model.right(labels)[base]) for model in (champion, challenger)]
    found = paired_calibration(told, after)
    errors = {"champion": expected_calibration_error(*told), "challenger": expected_calibration_error(*after)}
    sentence = (
        f"Its probabilities are off by {errors['challenger']:.3f} on average (champion: "
        f"{errors['champion']:.3f}; more by over {margins.calibration:.3f} is not allowed, unless chance "
        "explains it)."
    )
    return Check("calibration", found.mean <= margins.calibration or found.low <= 0, sentence), errors


def _flagged(
    champion: Judged, challenger: Judged, answers: Answers, margins: Margins
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
    """log p(label), a label the model lacks having none."""
    chance = np.zeros(len(labels))
    known = labels < logits.shape[1]
    chance[known] = softmax(logits[known])[np.arange(int(known.sum())), labels[known]]
    return np.asarray(np.log(np.maximum(chance, floor)))
