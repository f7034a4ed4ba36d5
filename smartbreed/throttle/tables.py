"""Tables of recent uses and wrong passwords. Keys are salted hashes: no address and no name is stored."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from smartbreed.core.database import Base, UtcDateTime


class UseCount(Base):
    """The number of uses of one key that expire at the same time."""

    __tablename__ = "use_counts"

    #: Hash from `smartbreed.core.salt.hash_token`, 64 hex digits.
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    #: When these uses expire: an hour after the minute of a rate's uses; for flags, the next midnight in UTC.
    counts_until: Mapped[dt.datetime] = mapped_column(UtcDateTime, primary_key=True, index=True)
    uses: Mapped[int]


class WrongTries(Base):
    """Consecutive wrong passwords of one caller, or of one browser that signed in before."""

    __tablename__ = "wrong_tries"

    #: As in `UseCount`.
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    tries: Mapped[int]
    #: Until when a further try has to wait in the slow lane.
    slow_until: Mapped[dt.datetime] = mapped_column(UtcDateTime)
    #: When the row expires, unless another wrong try comes first.
    counts_until: Mapped[dt.datetime] = mapped_column(UtcDateTime, index=True)
