"""The order in which flags are worth a maintainer's time, and the reasons in words.

Usefulness is a weighted mean of five signals of what the model would learn from a decision. Flags beyond the
daily cap, and flags of people who were wrong too often, come after all others, however useful they look.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from smartbreed.i18n import gettext, mark, ngettext, translated
from smartbreed.review.tables import Signals
from smartbreed.review.trust import Standing

#: Weight of each signal; they sum to 1.
WEIGHTS = {
    "uncertainty": 0.30,
    "disagreement": 0.25,
    "label_issue": 0.20,
    "rarity": 0.15,
    "outlier_score": 0.10,
}
#: Number of accepted photos of a breed at which its rarity is one half.
_RARE = 5
#: ``held`` of a flag → its place; higher places come after all lower ones.
PLACES = {"": 0, "cap": 1, "trust": 2}


@dataclass(frozen=True)
class Evidence:
    """What the place of one flag depends on; the five signals lie in [0, 1].

    Attributes:
        held: ``""``; ``cap``: beyond its flagger's daily cap; ``trust``: its flagger was wrong too
            often.
    """

    flag_id: str
    flagged_at: dt.datetime
    uncertainty: float = 0.0
    disagreement: float = 0.0
    label_issue: float = 0.0
    rarity: float = 0.0
    outlier_score: float = 0.0
    held: str = ""


def usefulness(evidence: Evidence) -> float:
    """Return the usefulness, 0…1; a signal that is NaN counts 0."""
    return sum(weight * _held_in(getattr(evidence, name)) for name, weight in WEIGHTS.items())


def order(evidence: Evidence) -> tuple[int, int, dt.datetime, str]:
    """Return a sort key that no two flags share, so that the order is total and the same everywhere."""
    points = own_points(evidence) + rarity_points(evidence.rarity)
    return (PLACES[evidence.held], -points, evidence.flagged_at, evidence.flag_id)


def own_points(evidence: Evidence) -> int:
    """Return the usefulness without the rarity of the breed, in millionths.

    It is an integer, or the last bit of a sum would decide between equals. The rarity is left out because
    it changes for all flags of a breed with each decision.
    """
    own = (weight * _held_in(getattr(evidence, name)) for name, weight in WEIGHTS.items() if name != "rarity")
    return round(1e6 * sum(own))


def rarity_points(rarity: float) -> int:
    """Return what the rarity of its breed adds to a flag's usefulness, in millionths."""
    return round(1e6 * WEIGHTS["rarity"] * _held_in(rarity))


def rarity(accepted: int) -> float:
    """Return 1 if no photo of the breed is accepted yet, falling towards 0 with many."""
    return _RARE / (_RARE + max(accepted, 0))


def disagreement(counts: list[int]) -> float:
    """Return how much people disagree about one pet: 0 if all agree, 1 if no answer has a majority.

    Args:
        counts: number of people behind each answer.
    """
    total = sum(counts)
    if total < 2:
        return 0.0
    return min(1.0, 2.0 * (1.0 - max(counts) / total))


def _held_in(value: float) -> float:
    return 0.0 if math.isnan(value) else min(max(value, 0.0), 1.0)


#: Smallest contribution to the usefulness that is worth a sentence.
_WORTH = 0.03
#: Maximum number of sentences about signals.
_MOST = 3

_WRONG = mark("The answer may be wrong: the model gives %(breed)s %(share)s.")
_WRONG_ALONE = mark(
    "The answer may be wrong: the model gives %(breed)s %(share)s, and none of the most similar known photos "
    "is one."
)
_WRONG_NEARLY_ALONE = mark(
    "The answer may be wrong: the model gives %(breed)s %(share)s, and hardly any of the most similar known "
    "photos is one."
)

Name = Callable[[str | None], str]


def reasons(
    evidence: Evidence,
    *,
    signals: Signals | None,
    top: Sequence[tuple[str, float]],
    label: str | None,
    answers: dict[str, int],
    accepted: int,
    standing: Standing,
    cap: int,
    name: Name,
) -> tuple[str, ...]:
    """Explain a flag's place in sentences in the language of the page, most important first; never empty.

    Args:
        top: the model's likeliest breeds.
        label: breed id that the person gives.
        answers: claim about the pet → number of people.
        accepted: number of photos of that breed accepted so far.
        name: returns a breed's name.
    """
    said: dict[str, Callable[[], str]] = {
        "uncertainty": lambda: _torn(top, name),
        "disagreement": lambda: gettext("People disagree: %(answers)s.", answers=_counts(answers, name)),
        "label_issue": lambda: _label_issue(signals, label, name),
        "rarity": lambda: _rare(accepted, name(label)),
        "outlier_score": lambda: gettext("It looks unlike every photo the model knows."),
    }
    parts = {key: WEIGHTS[key] * getattr(evidence, key) for key in WEIGHTS}
    found = [_held(evidence.held, standing, cap)] if evidence.held else []
    weighty = sorted((key for key in WEIGHTS if parts[key] >= _WORTH), key=lambda key: -parts[key])
    sentences = [said[key]() for key in weighty]
    found += [sentence for sentence in sentences if sentence][:_MOST]
    if signals is not None and signals.problem:
        found.append(translated(signals.problem))
    elif signals is None:
        found.append(gettext("The model has not looked at it yet, so its place is a first guess."))
    return tuple(found) or (gettext("Nothing stands out: the model was sure, and the answer fits."),)


def _torn(top: Sequence[tuple[str, float]], name: Name) -> str:
    if len(top) < 2:
        return ""
    (first, p), (second, q) = top[:2]
    if p < 0.25:
        return gettext(
            "The model has no idea: even %(breed)s, its best guess, gets only %(share)s.",
            breed=name(first), share=_percent(p),
        )  # fmt: skip
    if p - q < 0.25:
        return gettext(
            "The model is torn between %(first)s (%(share)s) and %(second)s (%(rest)s).",
            first=name(first), share=_percent(p), second=name(second), rest=_percent(q),
        )  # fmt: skip
    if p < 0.8:
        return gettext(
            "The model is not sure of %(breed)s (%(share)s).", breed=name(first), share=_percent(p)
        )
    return ""


def _label_issue(signals: Signals | None, label: str | None, name: Name) -> str:
    if signals is None or signals.given is None or label is None:
        return ""
    sentence = _WRONG
    if signals.support is not None and signals.support < 0.3:
        sentence = _WRONG_ALONE if signals.support == 0 else _WRONG_NEARLY_ALONE
    return gettext(sentence, breed=name(label), share=_percent(signals.given))


def _rare(accepted: int, breed: str) -> str:
    if not breed:
        return ""
    if not accepted:
        return gettext("No photo of %(breed)s has been accepted yet.", breed=breed)
    return ngettext(
        "Only %(number)s photo of %(breed)s accepted so far.",
        "Only %(number)s photos of %(breed)s accepted so far.", accepted, breed=breed,
    )  # fmt: skip


def _held(held: str, standing: Standing, cap: int) -> str:
    if held == "cap":
        return gettext(
            "Beyond this person's first %(cap)s flags of that day: kept, but it does not count by itself.",
            cap=cap,
        )
    return gettext(
        "This person was right in only %(right)s of %(known)s answers that could be checked: put last, and "
        "it does not count by itself.",
        right=standing.right, known=standing.right + standing.wrong,
    )  # fmt: skip


def _counts(answers: dict[str, int], name: Name) -> str:
    ranked = sorted(answers.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name(answer)} ({count})" for answer, count in ranked)


def _percent(probability: float) -> str:
    if 0 < probability < 0.01:
        return gettext("less than 1 %")
    return f"{probability:.0%}".replace("%", " %")
