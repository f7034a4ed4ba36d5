"""Database table of the gallery: photos of known breeds, and a model's embedding and guess for each."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base
from smartbreed.feedback.tables import new_id

#: ``kept``: can be shown. The other states are stored so that a resumed build skips these photos.
STATES = ("kept", "duplicate", "bad")


class GalleryPhoto(Base):
    """A photo from a source; the picture itself is a blob under ``gallery/pictures``."""

    __tablename__ = "gallery_photos"
    __table_args__ = (sa.CheckConstraint(sa.column("state").in_(STATES), "state"),)

    id: Mapped[str] = mapped_column(sa.String(26), primary_key=True, default=new_id)
    #: sha256 of the original file, 64 hex digits.
    origin: Mapped[str] = mapped_column(sa.String(64), unique=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    #: Why it is unusable, in a sentence; None if it is usable.
    problem: Mapped[str | None] = mapped_column(sa.String(300))
    #: Name of the blob; None if no picture was kept.
    picture: Mapped[str | None] = mapped_column(sa.String(64))
    #: Id of its breed, according to the source.
    label: Mapped[str | None] = mapped_column(sa.String(80))
    #: Number of pets that the model found, and the box of the first in pixels of the kept picture.
    pets: Mapped[int] = mapped_column(default=0)
    x0: Mapped[float | None]
    y0: Mapped[float | None]
    x1: Mapped[float | None]
    y1: Mapped[float | None]
    #: 64-bit difference hash of the first pet's crop, 16 hex digits.
    phash: Mapped[str | None] = mapped_column(sa.String(16))
    #: Revision of the model that computed the embedding and the guess.
    model: Mapped[str | None] = mapped_column(sa.String(200), index=True)
    #: float16, of unit length.
    embedding: Mapped[bytes | None]

    #: The model's first guess (a breed id) and its probability, 0…1.
    said: Mapped[str | None] = mapped_column(sa.String(80))
    probability: Mapped[float | None]
    #: Split of its source: ``train`` or ``test``; None if unknown.
    part: Mapped[str | None] = mapped_column(sa.String(16))

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """``(x0, y0, x1, y1)`` of the first pet in pixels; None for the whole picture."""
        if self.x0 is None or self.y0 is None or self.x1 is None or self.y1 is None:
            return None
        return (self.x0, self.y0, self.x1, self.y1)
