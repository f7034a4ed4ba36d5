"""The interface between the publisher and the tables that it publishes.

The publisher itself is independent of flags and decisions. A source tells it which rows wait,
what a row looks like in the dataset, and which rows must be removed from it.
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
    """A row cannot be published now; the message tells the maintainer why."""


class RowSource(Protocol):
    """A table whose rows are published in one configuration of the dataset."""

    config: str

    def waiting(self, session: Session, limit: int) -> list[str]:
        """Return ids of rows in no shard, oldest first, without parked rows."""

    def count_waiting(self, session: Session) -> int:
        """Count the rows in no shard, without parked rows."""

    def row(self, session: Session, row_id: str) -> Row | None:
        """Return a row as the dataset stores it; None if it no longer waits.

        Raises:
            Unusable: the row cannot be published now.
        """

    def still_waiting(self, session: Session, ids: Sequence[str]) -> set[str]:
        """Return those of these rows that still wait to enter the dataset."""

    def usable(self, row_id: str, session: Session) -> bool:
        """Return whether everything that a row needs, such as its photo, is here and intact."""

    def mark_published(self, session: Session, ids: Sequence[str], moment: dt.datetime) -> None:
        """Mark rows as published: the Hub has them."""

    def mark_waiting(self, session: Session, ids: Sequence[str]) -> None:
        """Mark published rows as waiting again: the Hub has lost them."""

    def said_again(self, session: Session) -> list[str]:
        """Return ids of rows that are marked as waiting although a published shard has them."""

    def to_remove(self, session: Session) -> list[str]:
        """Return ids of rows that are in a shard but must leave the dataset."""


def unclaimed(config: str, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the SQL condition that a row is in no shard."""
    return ~sa.exists().where(ShardRow.config == config, ShardRow.row_id == key)


def unparked(config: str, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the SQL condition that a row is not parked."""
    return ~sa.exists().where(ParkedRow.config == config, ParkedRow.row_id == key)
