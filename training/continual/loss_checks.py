"""The checks of the gate that ask for losses: of all pictures, since the baseline, of a group, of a breed.

A gate set of hundreds of pictures holds the challenger to the margins. One of ten cannot: a single picture
is ten points there. So a check refuses a small set's loss only where the exact paired test says that it is
more than chance, and says what could not be decided.
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
    """How much worse is not worse; every value is a share, 0…1.

    Attributes:
        overall: the mean may be this much lower on the frozen gate set...
        overall_low: ...and what 95% of the resamples exceed, this much.
        baseline: the mean may be this much lower than that of the last version trained as a whole.
        group: a breed group may be this much lower, unless chance explains it (exact paired test).
        breed: the same for a single breed.
        chance: a loss that an equally good challenger has with a larger probability proves nothing. A gate
            set where ``overall_low`` (``baseline``) is fewer pictures than this level needs to tell any loss
            from chance is held to the exact paired test instead of the margins.
        calibration: ECE may be this much higher, or by what one picture of the set weighs if that is more,
            unless chance explains it (under 95% of resamples).
        likelihood: smallest share of resamples in which flagged samples are answered better.
        least: fewer flagged samples say nothing.
        stand_in: both of the first are this much wider where a stand-in is the gate set: the champion was
            trained on it, so that any change costs something there.
        floor: probabilities below count as this, so that no single sample decides.
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
#: Breeds or groups that a sentence names.
_MOST = 8


@dataclass(frozen=True)
class Check:
    """One condition.

    Attributes:
        name: of the condition.
        passed: whether it holds, as far as the pictures tell.
        sentence: what was found.
        undecided: sentence about what could not be decided for lack of pictures; may be empty.
        decided: False where the pictures are too few to decide anything of this condition.
    """

    name: str
    passed: bool
    sentence: str
    undecided: str = ""
    decided: bool = True


#: What is found of a part: not worse; worse by no more than is allowed; worse, but chance may explain it;
#: worse.
HELD, ALLOWED, OPEN, WORSE = "held", "allowed", "open", "worse"


@dataclass(frozen=True)
class Part:
    """What is found of one breed group, or of one breed.

    Attributes:
        key: id of the group or breed.
        name: what people call it.
        pairs: its pictures, counted.
        state: one of `HELD`, `ALLOWED`, `OPEN`, `WORSE`.
    """

    key: str
    name: str
    pairs: Pairs
    state: str

    def as_dict(self) -> dict[str, Any]:
        """For the report and its plots; ``mean`` is challenger minus champion, -1…1."""
        pairs = self.pairs
        found = {"name": self.name, "state": self.state, "mean": pairs.mean, "count": pairs.count}
        return {**found, **pairs.as_dict()}


def _holds(margin: float, count: int, margins: Margins) -> bool:
    """Whether so many pictures can hold a challenger to a margin.

    They can when the margin is at least as many pictures as the exact test needs to see any loss.
    """
    return margin * count + 1e-9 >= smallest_loss(margins.chance)


def overall_check(found: Difference, changed: Pairs, before: float, margins: Margins, trained: bool) -> Check:
    """All pictures of the gate set.

    Args:
        found: challenger minus champion, by the bootstrap.
        changed: the same pictures, counted.
        before: share that the champion names right, 0…1.
        margins: see there.
        trained: a stand-in is the gate set.
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
    """The challenger against the last version that was trained as a whole.

    Args:
        baseline: that version.
        now: bool ``(n,)``, which pictures of the gate set the challenger names right.
        margins: see there.
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
    if before is None:  # only its score is known: whatever it had more counts as lost, nothing as gained
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
    """What is found of every breed group, or of every breed; the worst first.

    Sentence, report and plot are all made of this, so that they cannot disagree.

    Args:
        found: the pictures of each, counted.
        margin: how much lower each may be, 0…1.
        margins: see there.
        names: what people call parts, by key; those left out have the catalogue's names.
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
    """A check of every breed group, or of every breed, by itself.

    Args:
        name: of the check.
        what: one part in words.
        parts: from `check_parts`.
        margin: as there.
        margins: see there.
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
