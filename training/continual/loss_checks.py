"""The gate's checks for losses: overall, against the baseline, per breed group and per breed.

A gate set of hundreds of pictures holds the challenger to the margins. A set of ten cannot, because one
picture is ten points there. On a small set a check refuses a loss only if the exact paired test rules out
chance, and reports what it could not decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from smartbreed.breeds.catalogue import GROUPS, get_breed
from smartbreed.dataset.needs import LEAST_SAMPLES
from training.continual.baseline import Baseline
from training.continual.significance import Difference, Pairs, pairs, smallest_loss


@dataclass(frozen=True)
class Margins:
    """How large a loss is tolerated; every value is a share, 0…1, unless stated otherwise.

    Attributes:
        overall: largest loss of mean accuracy on the frozen gate set.
        overall_low: largest loss there at the lower 95% bound of the bootstrap.
        baseline: largest loss of mean accuracy against the last version that was trained as a whole.
        group: largest loss of a breed group, unless chance explains it (exact paired test).
        breed: the same for a single breed.
        chance: significance level of the exact paired test. A loss that an equally good challenger shows with
            a larger probability is put down to chance. If ``overall_low`` (or ``baseline``) amounts to fewer
            pictures of the gate set than this level needs to prove any loss, the exact test replaces the
            margin.
        calibration: largest rise of the ECE, or the weight of one picture of the set if that is more, unless
            chance explains it (fewer than 95% of the resamples show a rise).
        likelihood: smallest share of resamples in which flagged samples are answered better.
        least: smallest number of flagged samples to compare on.
        stand_in: factor on ``overall`` and ``overall_low`` with a stand-in gate set. The champion was trained
            on those pictures, so any change costs accuracy there.
        floor: smallest probability that counts, so that no single sample decides.
    """

    overall: float = 0.006
    overall_low: float = 0.012
    baseline: float = 0.01
    group: float = 0.08
    breed: float = 0.2
    chance: float = 0.05
    calibration: float = 0.01
    likelihood: float = 0.9
    least: int = LEAST_SAMPLES
    stand_in: float = 2.5
    floor: float = 1e-3


MARGINS = Margins()
#: Most breeds or groups that a sentence names.
_MOST = 8


@dataclass(frozen=True)
class Check:
    """The result of one condition of the gate.

    Attributes:
        name: name of the condition.
        passed: whether it holds, as far as the pictures can show.
        sentence: what was found.
        undecided: what could not be decided for lack of pictures; "" if nothing.
        decided: False if there are too few pictures to decide anything about this condition.
    """

    name: str
    passed: bool
    sentence: str
    undecided: str = ""
    decided: bool = True


#: States of a part: not worse; worse within the margin; worse, but chance may explain it; worse.
HELD, ALLOWED, OPEN, WORSE = "held", "allowed", "open", "worse"


@dataclass(frozen=True)
class Part:
    """The result for one breed group or one breed.

    Attributes:
        key: id of the group or breed.
        name: display name.
        pairs: counts of its pictures.
        state: one of `HELD`, `ALLOWED`, `OPEN`, `WORSE`.
    """

    key: str
    name: str
    pairs: Pairs
    state: str

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for the report and its plots; ``mean`` is challenger minus champion, -1…1."""
        pairs = self.pairs
        found = {"name": self.name, "state": self.state, "mean": pairs.mean, "count": pairs.count}
        return {**found, **pairs.as_dict()}


def _holds(margin: float, count: int, margins: Margins) -> bool:
    """True when ``count`` pictures are enough to hold a challenger to a margin.

    They are if the margin amounts to at least the pictures that the exact test needs to see any loss.
    """
    return margin * count + 1e-9 >= smallest_loss(margins.chance)


def overall_check(found: Difference, changed: Pairs, before: float, margins: Margins, trained: bool) -> Check:
    """Check the accuracy on all pictures of the gate set.

    Args:
        found: challenger minus champion, by the bootstrap.
        changed: counts of the same pictures.
        before: share that the champion names correctly, 0…1.
        margins: allowed losses.
        trained: True if the gate set is a stand-in.
    """
    where = "replay memory standing in for a gate set" if trained else "the frozen gate set"
    wider = margins.stand_in if trained else 1.0
    mean, low = wider * margins.overall, wider * margins.overall_low
    named = (
        f"On {where} ({_pictures(found.count)}) it names {100 * (before + found.mean):.1f}% right "
        f"(champion: {100 * before:.1f}%"
    )
    if _holds(low, found.count, margins):
        return Check(
            "overall",
            found.mean >= -mean and found.low >= -low,
            f"{named}; 95% sure: not worse than {100 * found.low:+.2f} points; allowed: "
            f"{-100 * mean:.1f} on average, {-100 * low:.1f} at that certainty).",
        )
    return Check(
        "overall",
        not changed.worse(mean, margins.chance),
        f"{named}): {_lost(changed)}.",
        f"{_pictures(found.count)} cannot show a loss of {100 * low:.1f} points, so only a loss that chance "
        f"does not explain is refused there, from {smallest_loss(margins.chance)} pictures on.",
        decided=changed.worse(mean, margins.chance),
    )


def baseline_check(baseline: Baseline, now: np.ndarray, margins: Margins) -> Check:
    """Check the challenger against the last version that was trained as a whole.

    Args:
        baseline: that version.
        now: bool ``(n,)``, which pictures of the gate set the challenger names correctly.
        margins: allowed losses.
    """
    moved = 100 * (float(now.mean()) - baseline.top1)
    against = (
        f"Against version {baseline.version}, the last one that was trained as a whole, that is {moved:+.1f}"
    )
    if _holds(margins.baseline, baseline.pictures, margins):
        return Check(
            "root",
            -moved <= 100 * margins.baseline + 1e-7,
            f"{against} points (allowed: {-100 * margins.baseline:.1f}, however many versions lie between).",
        )
    before = baseline.right_answers()
    if before is None:  # only its score is known: count its lead as lost and nothing as gained
        changed = Pairs(baseline.pictures, max(0, round(-moved / 100 * baseline.pictures)), 0)
    else:
        changed = pairs(before, now)
    worse = changed.worse(margins.baseline, margins.chance)
    return Check(
        "root",
        not worse,
        f"{against} points, however many versions lie between: {_lost(changed)}.",
        f"{_pictures(baseline.pictures)} cannot show that small losses of many versions stay under "
        f"{100 * margins.baseline:.1f} points together; they are refused once chance does not explain them.",
        decided=worse,
    )


def check_parts(
    found: dict[str, Pairs], margin: float, margins: Margins, names: Mapping[str, str] = MappingProxyType({})
) -> list[Part]:
    """Return the result for every breed group, or for every breed, worst first.

    Sentence, report and plot all use this result, so they cannot disagree.

    Args:
        found: counts of the pictures of each part.
        margin: largest loss of a part, 0…1.
        margins: allowed losses.
        names: display names by key; missing ones are taken from the catalogue.
    """
    parts = []
    for key, one in found.items():
        if one.mean >= 0:
            state = HELD
        elif one.mean >= -margin - 1e-9:
            state = ALLOWED
        else:
            state = WORSE if one.worse(margin, margins.chance) else OPEN
        parts.append(Part(key, names.get(key) or _name(key), one, state))
    return sorted(parts, key=lambda part: part.pairs.mean)


def parts_check(name: str, what: str, parts: list[Part], margin: float, margins: Margins) -> Check:
    """Check every breed group, or every breed, by itself.

    Args:
        name: name of the check.
        what: wording for one part.
        parts: from `check_parts`.
        margin: largest loss of a part, 0…1.
        margins: allowed losses.
    """
    worse, open_, allowed = ([one for one in parts if one.state == state] for state in (WORSE, OPEN, ALLOWED))
    few = [one for one in parts if one.pairs.count < smallest_loss(margins.chance)]
    rule = f"more than {100 * margin:.0f} points is not allowed, unless chance explains it"
    if worse:
        said = [f"Got worse ({rule}): {_losses(worse)}."]
    elif open_ or allowed:
        said = [f"No {what} got worse by more than is allowed ({rule})."]
    else:
        said = [f"No {what} got worse ({rule})."]
    if allowed:
        said.append(f"Less often right, within what is allowed: {_losses(allowed)}.")
    undecided = []
    if open_:
        undecided.append(f"Chance may explain what these lost: {_losses(open_)}.")
    if few:
        undecided.append(
            f"Of {len(parts)} {what}s {len(few)} have fewer than {smallest_loss(margins.chance)} pictures in "
            f"the gate set, too few to tell a loss from chance{_listed(few)}."
        )
    decided = bool(worse) or len(few) < len(parts)
    return Check(name, not worse, " ".join(said), " ".join(undecided), decided=decided)


def _losses(parts: list[Part]) -> str:
    shown = [
        f"{part.name} by {-100 * part.pairs.mean:.0f} points of {_pictures(part.pairs.count)} "
        f"({part.pairs.lost} lost, {part.pairs.gained} gained)"
        for part in parts[:_MOST]
    ]
    return ", ".join([*shown, f"and {len(parts) - _MOST} more"] if len(parts) > _MOST else shown)


def _listed(parts: list[Part]) -> str:
    return f": {', '.join(sorted(part.name for part in parts))}" if len(parts) <= _MOST else ""


def _name(part: str) -> str:
    return GROUPS[part].name if part in GROUPS else get_breed(part).name


def _lost(changed: Pairs) -> str:
    return (
        f"{changed.lost} lost and {changed.gained} gained, as many as an equally good model loses with a "
        f"probability of {changed.chance:.0%}"
        if changed.lost > changed.gained
        else f"{changed.lost} lost and {changed.gained} gained"
    )


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"
