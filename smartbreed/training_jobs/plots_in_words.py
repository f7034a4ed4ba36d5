"""Text alternatives for the plots in a report, for people who cannot see them.

The text comes from ``report.json``, from which the trainer draws the plots. Labels inside a plot are always
English, because it is drawn once for all readers; the text is in the language of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from smartbreed.i18n import gettext, mark

#: Most versions, and most groups per state, that are named; a longer list is tedious to listen to.
_MOST = 12
#: State of a group → sentence; groups that did not get worse are only counted.
_STATES = {
    "worse": mark("%(number)s got worse: %(named)s."),
    "open": mark("%(number)s lost more than is allowed, which chance may explain: %(named)s."),
    "allowed": mark("%(number)s lost no more than is allowed: %(named)s."),
}


def in_words(picture: str, values: dict[str, Any]) -> str:
    """Describe a plot in sentences.

    Args:
        picture: name of its file without the suffix.
        values: content of ``report.json``.

    Returns:
        Sentences; empty if the plot is unknown or the report lacks its data.
    """
    describe = _PICTURES.get(picture)
    if describe is None:
        return ""
    # A report from another version of the trainer may lack something; then only the title is shown.
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
        yield gettext("Named right on the gate set, by version: %(versions)s.", versions=", ".join(known))
    flagged = [
        gettext(
            "%(version)s %(before)s before and %(after)s after",
            version=entry["version"],
            before=f"{entry.get('flagged_top1_before') or 0:.1%}",
            after=f"{entry['flagged_top1']:.1%}",
        )
        for entry in history
        if entry.get("flagged_top1") is not None
    ]
    if flagged:
        yield gettext("Of newly accepted photos, unseen: %(versions)s.", versions=", ".join(flagged))


def _groups(values: dict[str, Any]) -> Iterator[str]:
    groups = list(values["figures"]["gate"]["groups"].values())
    for state, said in _STATES.items():
        mine = sorted((one for one in groups if one["state"] == state), key=lambda one: float(one["mean"]))
        if mine:
            named = ", ".join(
                gettext(
                    "%(name)s by %(points)s points",
                    name=gettext(one["name"]),
                    points=f"{-100 * one['mean']:.0f}",
                )
                for one in mine[:_MOST]
            )
            if len(mine) > _MOST:
                named = gettext("%(named)s and %(number)s more", named=named, number=len(mine) - _MOST)
            yield gettext(said, number=len(mine), named=named)
    held = sum(one["state"] == "held" for one in groups)
    yield gettext("%(held)s of %(all)s are not worse.", held=held, all=len(groups))


def _before_and_after(values: dict[str, Any]) -> Iterator[str]:
    gate, flagged = values["figures"]["gate"], values["figures"]["flagged"]
    yield gettext("Gate set: %(both)s.", both=_both(gate["top1"]))
    if "top1" in flagged:
        yield gettext(
            "Flagged, unseen, %(samples)s samples: %(both)s.",
            samples=flagged["samples"],
            both=_both(flagged["top1"]),
        )


def _both(top1: dict[str, float]) -> str:
    return gettext(
        "the champion names %(champion)s right, the challenger %(challenger)s",
        champion=f"{top1['champion']:.1%}",
        challenger=f"{top1['challenger']:.1%}",
    )


_PICTURES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "accuracy_per_version": _versions,
    "breed_groups": _groups,
    "before_and_after": _before_and_after,
}
