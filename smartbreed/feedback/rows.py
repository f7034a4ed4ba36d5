"""The row that a checked flag becomes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from smartbreed.feedback.request import CheckedFlag
from smartbreed.feedback.tables import Flag


def new_row(checked: CheckedFlag, sample_id: str, flagger: str, key: str) -> Flag:
    """A pending flag; `key` is its `dedupe_key`."""
    x0, y0, x1, y1 = checked.box or (None, None, None, None)
    return Flag(
        sample_id=sample_id,
        photo_width=checked.photo_width,
        photo_height=checked.photo_height,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        found=None if checked.found is None else json.dumps([[*box, kind] for box, kind in checked.found]),
        pet_index=checked.pet_index,
        predicted=checked.predicted,
        probability=checked.probability,
        label=checked.label,
        label_text=checked.label_text,
        verdict=checked.verdict,
        species=checked.species,
        model_revision=checked.model_revision,
        flagged_at=utc_now(),
        consent=True,
        flagger=flagger,
        note=checked.note,
        dedupe_key=key,
    )


def dedupe_key(checked: CheckedFlag, sample_id: str, flagger: str) -> str:
    """sha256 over who said what about which pet, so that saying it twice is one row."""
    # JSON keeps neighbouring fields apart, which plain joining would not.
    said = [flagger, sample_id, checked.box, checked.verdict, checked.label, checked.label_text]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def utc_now() -> dt.datetime:
    """The time."""
    return dt.datetime.now(dt.UTC)
