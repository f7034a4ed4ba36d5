"""The checks of the gate that ask for losses: of all pictures, since the root, of a group, of a breed.

A gate set of hundreds of pictures holds the challenger to the margins. One of ten cannot: a single picture
is ten points there. So a check refuses a small set's loss only where the exact paired test says that it is
more than chance, and says what could not be decided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smartbreed.breeds import BREEDS, GROUPS
from training.retraining.bootstrap import Difference
from training.retraining.paired_test import Pairs, pairs, smallest_loss
from training.retraining.root import Root


@dataclass(frozen=True)
class Margins:
    """How much worse is not worse; every value is a share, 0…1.

    Attributes:
        overall: the mean may be this much lower on the frozen gate set...
        overall_low: ...and what 95% of the resamples exceed, this much.
        root: the mean may be this much lower than that of the last version trained as a whole.
        group: a breed group may be this much lower, unless chance explains it (exact paired test).
        breed: the same for a single breed.
        chance: a loss that an equally good challenger has with a larger probability proves nothing. A gate
            set where ``overall_low`` (``root``) is fewer pictures than this level needs to tell any loss
            from chance is held to the exact paired test instead of the margins.
        calibration: ECE may be this much higher, or by what one picture of the set weighs if that is more,
            unless chance explains it (under 95% of resamples).
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
    breed: float = 0.2
    chance: float = 0.05
    calibration: float = 0.01
    likelihood: float = 0.9
    least: int = 5
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
        trained: a stand-in judges.
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


def root_check(root: Root, now: np.ndarray, margins: Margins) -> Check:
    """The challenger against the last version that was trained as a whole.

    Args:
        root: that version.
        now: bool ``(n,)``, which pictures of the gate set the challenger names right.
        margins: see there.
    """
    moved = 100 * (float(now.mean()) - root.top1)
    against = (
        f"Against version {root.version}, the last one that was trained as a whole, that is {moved:+.1f}"
    )
    if _holds(margins.root, root.pictures, margins):
        return Check(
            "root",
            -moved <= 100 * margins.root + 1e-7,
            f"{against} points (allowed: {-100 * margins.root:.1f}, however many versions lie between).",
        )
    before = root.right_answers()
    if before is None:  # only its score is known: whatever it had more counts as lost, nothing as gained
        changed = Pairs(root.pictures, max(0, round(-moved / 100 * root.pictures)), 0)
    else:
        changed = pairs(before, now)
    worse = changed.worse(margins.root, margins.chance)
    return Check(
        "root",
        not worse,
        f"{against} points, however many versions lie between: {_lost(changed)}.",
        f"{_pictures(root.pictures)} cannot show that small losses of many versions stay under "
        f"{100 * margins.root:.1f} points together; they are refused once chance does not explain them.",
        decided=worse,
    )


def parts_check(name: str, what: str, found: dict[str, Pairs], margin: float, margins: Margins) -> Check:
    """A check of every breed group, or of every breed, by itself."""
    worse = {part: one for part, one in found.items() if one.worse(margin, margins.chance)}
    open_ = {part: one for part, one in found.items() if one.mean < -margin - 1e-9 and part not in worse}
    few = [part for part, one in found.items() if one.count < smallest_loss(margins.chance)]
    allowed = f"more than {100 * margin:.0f} points is not allowed, unless chance explains it"
    most = min(found.items(), key=lambda item: item[1].mean, default=None)
    if worse:
        sentence = f"Got worse: {_losses(worse)} ({allowed})."
    elif most is None or most[1].mean >= 0:
        sentence = f"No {what} got worse ({allowed})."
    else:
        sentence = f"No {what} got worse by more than is allowed; most: {_losses(dict([most]))} ({allowed})."
    undecided = []
    if open_:
        undecided.append(f"Chance may explain what these lost: {_losses(open_)}.")
    if few:
        undecided.append(
            f"Of {len(found)} {what}s {len(few)} have fewer than {smallest_loss(margins.chance)} pictures in "
            f"the gate set, too few to tell a loss from chance{_listed(few)}."
        )
    return Check(name, not worse, sentence, " ".join(undecided), decided=bool(worse) or len(few) < len(found))


def _losses(found: dict[str, Pairs]) -> str:
    ordered = sorted(found.items(), key=lambda item: item[1].mean)
    shown = [
        f"{_name(part)} by {-100 * one.mean:.0f} points of {_pictures(one.count)} "
        f"({one.lost} lost, {one.gained} gained)"
        for part, one in ordered[:_MOST]
    ]
    return ", ".join(shown) + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")


def _listed(parts: list[str]) -> str:
    return f": {', '.join(_name(part) for part in parts)}" if len(parts) <= _MOST else ""


def _name(part: str) -> str:
    if part in GROUPS:
        return GROUPS[part].name
    return BREEDS[part].name if part in BREEDS else part


def _lost(changed: Pairs) -> str:
    return (
        f"{changed.lost} lost and {changed.gained} gained, as many as an equally good model loses with a "
        f"probability of {changed.chance:.0%}"
        if changed.lost > changed.gained
        else f"{changed.lost} lost and {changed.gained} gained"
    )


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"
