"""Tables of what was done lately. Who did it is a salted hash: neither an address nor a name is kept."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime


class UseCount(Base):
    """How often one key was used, in one short stretch of time."""

    __tablename__ = "use_counts"

    #: Of `smartbreed.core.salt.hash_token`, 64 hex digits.
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: Until when these uses count; the end of the stretch, and as much later as they count.
    counts_until: Mapped[dt.datetime] = mapped_column(UtcDateTime, primary_key=True, index=True)
    uses: Mapped[int]


class WrongTries(Base):
    """Wrong passwords in a row, of one caller or of one browser that signed in before."""

    __tablename__ = "wrong_tries"

    #: As of `UseCount`.
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    tries: Mapped[int]
    #: Until when the next try is slow.
    slow_until: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    #: When they are forgotten, unless another wrong try comes.
    counts_until: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
