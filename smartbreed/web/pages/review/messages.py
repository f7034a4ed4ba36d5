"""What the review page says after something was done; everything from outside escaped."""

from __future__ import annotations

from collections.abc import Mapping

from smartbreed.review.decisions import NewBreed, breed_name
from smartbreed.review.service import Outcome
from smartbreed.web.components.templates import escaped as escape


def outcome_text(outcome: Outcome, new: Mapping[str, NewBreed]) -> str:
    """What was just decided, and what was not."""
    rows = outcome.decisions
    row = rows[0]
    verb = {"accept": "Accepted", "relabel": "Relabelled", "reject": "Rejected", "new_breed": "New breed"}
    label = f" as {breed_name(row.label, new)}" if row.label else ""
    if len({other.label for other in rows}) > 1:
        text = f"{len(rows)} flags decided."
    elif len({other.decision for other in rows}) > 1:
        text = f"{len(rows)} flags decided{label}."
    else:
        many = f" {len(rows)} flags" if len(rows) > 1 else ""
        text = f"{verb[row.decision]}{many}{label}."
    left = "".join(f"<br>{escape(why)}" for why in list(outcome.skipped.values())[:5])
    hint = '<span class="sb-hint"> <kbd>U</kbd> takes it back.</span>'
    return f'<p class="sb-thanks">{escape(text)}{hint}{left}</p>'


def undone(count: int) -> str:
    """What was just taken back."""
    text = (
        "Taken back; it is open again."
        if count == 1
        else f"{count} decisions taken back; they are open again."
    )
    return f'<p class="sb-thanks">{text}</p>'


def gold(now: bool) -> str:
    """Whether a flag's answer is a known one from now on."""
    text = (
        "A known answer now: whoever flags this pet is judged by it."
        if now
        else "No known answer any more; what was judged by it stays judged."
    )
    return f'<p class="sb-thanks">{text}</p>'


def note(text: str) -> str:
    return f'<p class="sb-note">{escape(text)}</p>'
