"""Why a flag stands where it stands in the queue, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from smartbreed.review.ordering import WEIGHTS, Evidence
from smartbreed.review.tables import Signals
from smartbreed.review.trust import Standing

#: Smallest share of the usefulness worth a sentence.
_WORTH = 0.03
#: Most sentences about signals.
_MOST = 3

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
    """Sentences, the weightiest first; never empty.

    Args:
        top: the model's likeliest breeds.
        label: breed id the person gives.
        answers: what people said of the pet → how many of them.
        accepted: photos of that breed accepted so far.
        name: a breed's name.
    """
    said: dict[str, Callable[[], str]] = {
        "uncertainty": lambda: _torn(top, name),
        "disagreement": lambda: f"People disagree: {_counts(answers, name)}.",
        "label_issue": lambda: _label_issue(signals, label, name),
        "rarity": lambda: _rare(accepted, name(label)),
        "outlier_score": lambda: "It looks unlike every photo the model knows.",
    }
    parts = {key: WEIGHTS[key] * getattr(evidence, key) for key in WEIGHTS}
    found = [_held(evidence.held, standing, cap)] if evidence.held else []
    weighty = sorted((key for key in WEIGHTS if parts[key] >= _WORTH), key=lambda key: -parts[key])
    sentences = [said[key]() for key in weighty]
    found += [sentence for sentence in sentences if sentence][:_MOST]
    if signals is not None and signals.problem:
        found.append(signals.problem)
    elif signals is None:
        found.append("The model has not looked at it yet, so its place is a first guess.")
    return tuple(found) or ("Nothing stands out: the model was sure, and the answer fits.",)


def _torn(top: Sequence[tuple[str, float]], name: Name) -> str:
    if len(top) < 2:
        return ""
    (first, p), (second, q) = top[:2]
    if p < 0.25:
        return f"The model has no idea: even {name(first)}, its best guess, gets only {_percent(p)}."
    if p - q < 0.25:
        return f"The model is torn between {name(first)} ({_percent(p)}) and {name(second)} ({_percent(q)})."
    return f"The model is not sure of {name(first)} ({_percent(p)})." if p < 0.8 else ""


def _label_issue(signals: Signals | None, label: str | None, name: Name) -> str:
    if signals is None or signals.given is None or label is None:
        return ""
    near = ""
    if signals.support is not None and signals.support < 0.3:
        near = (
            ", and "
            + ("none" if signals.support == 0 else "hardly any")
            + " of the most similar known photos is one"
        )
    return f"The answer may be wrong: the model gives {name(label)} {_percent(signals.given)}{near}."


def _rare(accepted: int, breed: str) -> str:
    if not breed:
        return ""
    if not accepted:
        return f"No photo of {breed} has been accepted yet."
    return f"Only {accepted} photo{'' if accepted == 1 else 's'} of {breed} accepted so far."


def _held(held: str, standing: Standing, cap: int) -> str:
    if held == "cap":
        return f"Beyond this person's first {cap} flags of that day: kept, but it does not count by itself."
    known = standing.right + standing.wrong
    return (
        f"This person was right in only {standing.right} of {known} answers that could be checked: "
        "put last, and it does not count by itself."
    )


def _counts(answers: dict[str, int], name: Name) -> str:
    ranked = sorted(answers.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name(answer)} ({count})" for answer, count in ranked)


def _percent(probability: float) -> str:
    if 0 < probability < 0.01:
        return "less than 1 %"
    return f"{probability:.0%}".replace("%", " %")
