"""What is published: tables whose rows wait for their place in the dataset.

The machinery around knows nothing of flags or decisions; a source says which rows wait,
what a row looks like in the dataset, and which rows must leave it again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.dataset.tables import ParkedRow, ShardRow

Row = dict[str, Any]


class Unusable(Exception):
    """This row cannot be published now; the text says why, for the maintainer."""


class RowSource(Protocol):
    """One table on its way into one configuration of the dataset."""

    config: str

    def waiting(self, session: Session, limit: int) -> list[str]:
        """Ids of rows no shard has, oldest first, without parked ones."""

    def count_waiting(self, session: Session) -> int:
        """How many rows no shard has, without parked ones."""

    def row(self, session: Session, row_id: str) -> Row | None:
        """The row as the dataset has it; None when it is not waiting any more.

        Raises:
            Unusable: it cannot be published now.
        """

    def still_waiting(self, session: Session, ids: Sequence[str]) -> set[str]:
        """Which of these may enter the dataset."""

    def usable(self, row_id: str, session: Session) -> bool:
        """Whether all that a row needs is here and intact."""

    def mark_published(self, session: Session, ids: Sequence[str], moment: dt.datetime) -> None:
        """Say in the table that the Hub has these rows."""

    def mark_waiting(self, session: Session, ids: Sequence[str]) -> None:
        """Undo that: the Hub has lost them."""

    def said_again(self, session: Session) -> list[str]:
        """Ids of rows that count as waiting though a published shard has them."""

    def to_remove(self, session: Session) -> list[str]:
        """Ids of rows some shard has that must leave the dataset."""


def unclaimed(config: str, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """That no shard has a row."""
    return ~sa.exists().where(ShardRow.config == config, ShardRow.row_id == key)


def unparked(config: str, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """That a row is not parked."""
    return ~sa.exists().where(ParkedRow.config == config, ParkedRow.row_id == key)
