"""Whether a flag can be decided now, and as what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smartbreed.core.errors import ReviewError
from smartbreed.feedback.tables import Flag
from smartbreed.review.claims import answer_of
from smartbreed.review.decision_store import outcome
from smartbreed.review.decisions import NewBreed, NewDecision, breed_name
from smartbreed.review.tables import AGREEMENT, GOLD, Decision

#: What can be done to many flags at once.
_MOST = 1000


def few(flag_ids: Sequence[str]) -> list[str]:
    """The flags an order is about, each once.

    Raises:
        ReviewError: none, or too many.
    """
    ids = list(dict.fromkeys(flag_ids))
    if not 1 <= len(ids) <= _MOST:
        raise ReviewError("bad_number", f"Choose from 1 to {_MOST} flags. Received: {len(ids)}.")
    return ids


def for_all(new_decision: NewDecision) -> NewDecision:
    """Accepting the first of several pictures of one pet, as it reads for all of them."""
    return (
        NewDecision("relabel", new_decision.label, reason=new_decision.reason)
        if new_decision.label
        else new_decision
    )


def at_odds(flag: Flag | None, first: Flag | None, new_decision: NewDecision, together: bool) -> str:
    """Why what goes for the first of several pictures does not go for this one; empty when it does."""
    if not together or flag is None or first is None or answer_of(flag) == answer_of(first):
        return ""
    no_pet = new_decision.decision == "accept" and new_decision.label is None
    if new_decision.decision == "reject" or no_pet:
        return f"Flag {flag.id} says something else, so it is left to be decided by itself."
    return ""


def not_open(flag: Flag | None, last: Decision | None, new: Mapping[str, NewBreed]) -> str:
    """Why a flag cannot be decided; empty when it can."""
    if flag is None:
        return unknown("").message
    if flag.state == "withdrawn":
        return f"The person took flag {flag.id} back meanwhile."
    if last is not None and last.decision != "undo":
        label = f" as {breed_name(last.label, new)}" if last.label else ""
        who = {AGREEMENT: "by agreement", GOLD: "by a known answer"}.get(last.reviewer, "by a maintainer")
        return (
            f"Flag {flag.id} was {outcome(last)}{label} {who} at {last.decided_at:%H:%M} UTC; "
            "undo that first to decide it anew."
        )
    return ""


def unknown(flag_id: str) -> ReviewError:
    """The error for a flag that is not there."""
    return ReviewError("unknown_flag", f"There is no such flag. Received: {flag_id!r:.40}", status=404)
