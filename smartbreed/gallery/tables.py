"""The table of the gallery: photographs whose breed is known, and what a model makes of each."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base
from smartbreed.feedback.tables import new_id

#: ``kept``: it can be shown. The others are remembered, so that a build that goes on does not look again.
STATES = ("kept", "duplicate", "bad")


class GalleryPhoto(Base):
    """One photograph of a source; the picture itself is a blob under ``gallery/pictures``."""

    __tablename__ = "gallery_photos"
    __table_args__ = (sa.CheckConstraint(sa.column("state").in_(STATES), "state"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: sha256 of the photo as it came, 64 hex digits.
    origin: Mapped[str] = mapped_column(sa.String(64), unique=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    #: Why it is not kept, in a sentence.
    problem: Mapped[str | None] = mapped_column(sa.String(300))
    #: Name of the blob; None: not kept.
    picture: Mapped[str | None] = mapped_column(sa.String(64))
    #: Breed id.
    label: Mapped[str | None] = mapped_column(sa.String(80))
    #: Pets that the model found, and the box of the first in pixels of the picture.
    pets: Mapped[int] = mapped_column(default=0)
    x0: Mapped[float | None]
    y0: Mapped[float | None]
    x1: Mapped[float | None]
    y1: Mapped[float | None]
    #: 64-bit difference hash of the crop, 16 hex digits.
    phash: Mapped[str | None] = mapped_column(sa.String(16))
    #: Revision of the model that the embedding and the first guess are of.
    model: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    #: float16, of unit length.
    embedding: Mapped[bytes | None]

    #: What that model's first guess was, a breed id, and how likely it found that, 0…1.
    said: Mapped[str | None] = mapped_column(sa.String(80))
    probability: Mapped[float | None]
    #: Which split of its source it is of: ``train`` or ``test``; None: the source does not say.
    part: Mapped[str | None] = mapped_column(sa.String(16))

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """``(x0, y0, x1, y1)`` in pixels; None: the whole picture."""
        if self.x0 is None or self.y0 is None or self.x1 is None or self.y1 is None:
            return None
        return (self.x0, self.y0, self.x1, self.y1)
