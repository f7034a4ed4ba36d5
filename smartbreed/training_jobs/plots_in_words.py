"""What the pictures of a report show, in words, for those who cannot see them.

From ``report.json``, which the trainer draws them from too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

#: Versions, and groups that changed, which are named; a longer list is not listened to.
_MOST = 12
#: What was found of a group → how that is said; what is not worse is counted.
_STATES = {
    "worse": "got worse",
    "open": "lost more than is allowed, which chance may explain",
    "allowed": "lost no more than is allowed",
}


def in_words(picture: str, values: dict[str, Any]) -> str:
    """What a picture shows.

    Args:
        picture: its file's name without the ending.
        values: ``report.json``.

    Returns:
        Sentences; empty for a picture that is not known, or where the report lacks what it was drawn from.
    """
    describe = _PICTURES.get(picture)
    if describe is None:
        return ""
    # A report of another version of the trainer may lack something; then the picture's title has to do.
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        return " ".join(describe(values))
    return ""


def _versions(values: dict[str, Any]) -> Iterator[str]:
    history = values["history"][-_MOST:]
    known = [
        f"{entry['version']} {entry['gate_top1']:.1%}"
        for entry in history
        if entry.get("gate_top1") is not None
    ]
    if known:
        yield f"Named right on the gate set, by version: {', '.join(known)}."
    flagged = [
        f"{entry['version']} {entry.get('flagged_top1_before') or 0:.1%} before and "
        f"{entry['flagged_top1']:.1%} after"
        for entry in history
        if entry.get("flagged_top1") is not None
    ]
    if flagged:
        yield f"Of newly accepted photos, unseen: {', '.join(flagged)}."


def _groups(values: dict[str, Any]) -> Iterator[str]:
    groups = list(values["figures"]["gate"]["groups"].values())
    for state, said in _STATES.items():
        mine = sorted((one for one in groups if one["state"] == state), key=lambda one: float(one["mean"]))
        if mine:
            named = ", ".join(f"{one['name']} by {-100 * one['mean']:.0f} points" for one in mine[:_MOST])
            more = f" and {len(mine) - _MOST} more" if len(mine) > _MOST else ""
            yield f"{len(mine)} {said}: {named}{more}."
    held = sum(one["state"] == "held" for one in groups)
    yield f"{held} of {len(groups)} are not worse."


def _before_and_after(values: dict[str, Any]) -> Iterator[str]:
    gate, flagged = values["figures"]["gate"], values["figures"]["flagged"]
    yield f"Gate set: {_both(gate['top1'])}."
    if "top1" in flagged:
        yield f"Flagged, unseen, {flagged['samples']} samples: {_both(flagged['top1'])}."


def _both(top1: dict[str, float]) -> str:
    return f"the champion names {top1['champion']:.1%} right, the challenger {top1['challenger']:.1%}"


_PICTURES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "accuracy_per_version": _versions,
    "breed_groups": _groups,
    "before_and_after": _before_and_after,
}
