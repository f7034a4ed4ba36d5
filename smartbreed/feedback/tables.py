"""The table of flags: what people say about the model's answers."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import time

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime

#: What a person can say: the model was right, was wrong, saw a pet where there is none, or
#: missed one; ``unsure``: the person cannot tell either.
VERDICTS = ("correct", "wrong", "not_a_pet", "missed", "unsure")
#: State of a flag on its way into the dataset.
STATES = ("pending", "published", "withdrawn")

#: Replaces the name of an erased photo.
ERASED = ""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID = re.compile(r"[0-9A-Z]{26}")


def new_id() -> str:
    """Return a ULID: 26 characters that sort by the millisecond of their creation."""
    number = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_id(text: str) -> bool:
    """True for a text of the form that `new_id` returns."""
    return _ID.fullmatch(text) is not None


class Flag(Base):
    """What one person says about one pet in one photo; boxes are in pixels of the stored upright photo."""

    __tablename__ = "flags"
    __table_args__ = (
        sa.CheckConstraint(sa.column("verdict").in_(VERDICTS), "verdict"),
        sa.CheckConstraint(sa.column("state").in_(STATES), "state"),
        # Without its owner's consent, a photo must not get into this table at all.
        sa.CheckConstraint("consent", "consent"),
        sa.CheckConstraint("probability >= 0 AND probability <= 1", "probability"),
        sa.CheckConstraint("photo_width > 0 AND photo_height > 0", "photo"),
        sa.CheckConstraint(
            "(x0 IS NULL AND y0 IS NULL AND x1 IS NULL AND y1 IS NULL) OR "
            "(x0 IS NOT NULL AND y0 IS NOT NULL AND x1 IS NOT NULL AND y1 IS NOT NULL AND "
            "x0 >= 0 AND y0 >= 0 AND x1 > x0 AND y1 > y0 AND x1 <= photo_width AND y1 <= photo_height)",
            "box",
        ),
        sa.Index(None, "state", "flagged_at"),
        # Finds a person's flags of a day, in order.
        sa.Index(None, "flagger", "flagged_at", "id"),
    )

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: sha256 of the photo's canonical encoding, which is also the name of its blob.
    sample_id: Mapped[str] = mapped_column(sa.String(64), index=True)
    photo_width: Mapped[int]
    photo_height: Mapped[int]
    x0: Mapped[float | None]
    y0: Mapped[float | None]
    x1: Mapped[float | None]
    y1: Mapped[float | None]
    #: For a missed pet: JSON ``[[x0, y0, x1, y1, species], …]`` of the pets that the model did find.
    found: Mapped[str | None] = mapped_column(sa.Text)
    #: Number of the pet in the identification's list, from 1.
    pet_index: Mapped[int | None]
    #: Breed id that the model gave, and its probability in [0, 1].
    predicted: Mapped[str | None] = mapped_column(sa.String(80))
    probability: Mapped[float | None]
    #: Breed id that the person gives, or their own words for a breed that the catalogue lacks.
    label: Mapped[str | None] = mapped_column(sa.String(80))
    label_text: Mapped[str | None] = mapped_column(sa.String(80))
    verdict: Mapped[str] = mapped_column(sa.String(16))
    species: Mapped[str | None] = mapped_column(sa.String(8))
    model_revision: Mapped[str] = mapped_column(sa.String(200))
    flagged_at: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    consent: Mapped[bool]
    #: Salted hash of the person who flagged, 64 hex digits; never a name or address.
    flagger: Mapped[str] = mapped_column(sa.String(64))
    #: A remark to the maintainers; not part of the dataset.
    note: Mapped[str | None] = mapped_column(sa.String(500))
    state: Mapped[str] = mapped_column(sa.String(16), default="pending")
    #: When it entered the dataset; stays set when a published flag is withdrawn.
    published_at: Mapped[dt.datetime | None] = mapped_column(UtcDateTime)
    #: sha256 over who said what about which pet, so that saying it twice makes one row.
    dedupe_key: Mapped[str] = mapped_column(sa.String(64), unique=True)

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """``(x0, y0, x1, y1)`` in pixels; None for the whole photo, or a missed pet without a box."""
        if self.x0 is None or self.y0 is None or self.x1 is None or self.y1 is None:
            return None
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def found_pets(self) -> list[tuple[tuple[float, float, float, float], str]] | None:
        """``(box, species)`` of each pet that the model found beside a missed one; None if not recorded."""
        if self.found is None:
            return None
        return [((x0, y0, x1, y1), species) for x0, y0, x1, y1, species in json.loads(self.found)]
