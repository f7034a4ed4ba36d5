"""Flags and decisions as the command line prints them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smartbreed.review.queue import Item
    from smartbreed.review.tables import Decision


def item_of(item: Item) -> dict[str, Any]:
    """A flag as JSON."""
    flag = item.flag
    return {
        "flag": flag.id, "state": item.state, "usefulness": round(item.usefulness, 4),
        "verdict": flag.verdict, "label": item.label, "label_text": flag.label_text,
        "predicted": flag.predicted, "model_says": [[breed, round(p, 4)] for breed, p in item.top],
        "why": list(item.why), "held": item.held, "near_duplicates": [i for i in item.group if i != flag.id],
        "flagger": flag.flagger, "flagged_at": flag.flagged_at.isoformat(), "sample_id": flag.sample_id,
        "box": list((item.decision.box if item.decision else None) or flag.box or ()),
        "species": flag.species,
        "found": [[*box, species] for box, species in flag.found_pets or ()], "note": flag.note,
    }  # fmt: skip


def row_of(row: Decision) -> dict[str, Any]:
    """A decision as JSON."""
    names = ("decision_id", "flag_id", "decision", "label", "name", "species", "group", "reviewer", "reason")
    return {
        **{name: getattr(row, name) for name in names},
        "box": list(row.box or ()), "decided_at": row.decided_at.isoformat(),
    }  # fmt: skip


def short(row: dict[str, Any]) -> str:
    """A decision in a line."""
    what = row["label"] or row["species"]
    label = f" {what}" if what else ""
    reason = f" ({row['reason']})" if row["reason"] else ""
    return f"{row['decided_at'][:16]} {row['decision']}{label} by {row['reviewer'][:9]}{reason}"


def print_flags(found: Sequence[Item]) -> None:
    """A table on stdout."""
    from smartbreed.cli.table import print_table
    from smartbreed.review.claims import said

    print_table(
        ("flag", "person said", "model says", "useful", "why"),
        [
            (
                item.id,
                said(item.flag, item.label_name),
                f"{item.top[0][0]} {item.top[0][1]:.0%}" if item.top else "",
                f"{item.usefulness:.2f}",
                " ".join(item.why[:2]),
            )
            for item in found
        ],
    )
