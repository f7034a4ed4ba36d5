"""The row source for flags: each flag is published together with its photo."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import batches
from smartbreed.core.errors import StorageError
from smartbreed.dataset.decision_source import count_decisions, is_accepted
from smartbreed.dataset.sources import Row, Unusable, unclaimed, unparked
from smartbreed.dataset.tables import Shard, ShardRow
from smartbreed.feedback.blobs import BlobStore
from smartbreed.feedback.tables import Flag


class FlagSource:
    """Source of flags with their photos.

    Args:
        blobs: store of the photos.
        which: ``all``, ``reviewed`` (only accepted flags) or ``off``.
        daily: flags per person and UTC day that are published without review; 0 means no limit.
    """

    config = "flags"

    def __init__(self, blobs: BlobStore, which: str = "all", daily: int = 0) -> None:
        self._blobs = blobs
        self._which = which
        self._daily = daily

    def waiting(self, session: Session, limit: int) -> list[str]:
        query = sa.select(Flag.id).where(*self._ready()).order_by(Flag.id).limit(limit)
        return list(session.scalars(query))

    def count_waiting(self, session: Session) -> int:
        query = sa.select(sa.func.count()).select_from(Flag)
        return session.scalar(query.where(*self._ready())) or 0

    def _ready(self) -> list[sa.ColumnElement[bool]]:
        key = sa.type_coerce(Flag.id, sa.String)
        return [
            *self._allowed(key),
            Flag.state == "pending",
            unclaimed(self.config, key),
            unparked(self.config, key),
        ]

    def _allowed(self, key: sa.ColumnElement[str]) -> list[sa.ColumnElement[bool]]:
        if self._which == "off":
            return [sa.false()]
        if self._which == "reviewed":
            return [is_accepted(key)]
        if not self._daily:
            return []
        place = sa.func.row_number().over(
            partition_by=[Flag.flagger, sa.func.date(Flag.flagged_at)], order_by=[Flag.flagged_at, Flag.id]
        )
        ranked = sa.select(Flag.id, place.label("place")).subquery()
        beyond = sa.select(ranked.c.id).where(ranked.c.place > self._daily)
        return [sa.or_(Flag.id.not_in(beyond), is_accepted(key))]

    def row(self, session: Session, row_id: str) -> Row | None:
        flag = session.get(Flag, row_id)
        if flag is None or flag.state != "pending":
            return None
        try:
            photo = self._blobs.get(flag.sample_id)
        except StorageError as error:
            raise Unusable(error.message) from error
        suffix = "png" if photo.startswith(b"\x89PNG") else "jpg"
        return {
            "image": {"bytes": photo, "path": f"{flag.sample_id}.{suffix}"},
            "sample_id": flag.sample_id,
            "flag_id": flag.id,
            "box": list(flag.box or ()),
            "predicted": flag.predicted,
            "probability": flag.probability,
            "label": flag.label,
            "label_text": flag.label_text,
            "verdict": flag.verdict,
            "species": flag.species,
            "model_revision": flag.model_revision,
            "flagged_at": flag.flagged_at,
            "reviews": count_decisions(session, flag.id),
            "consent": flag.consent,
            "flagger": flag.flagger,
            "found_boxes": None if flag.found_pets is None else [list(box) for box, _ in flag.found_pets],
            "found_species": None if flag.found_pets is None else [kind for _, kind in flag.found_pets],
        }

    def still_waiting(self, session: Session, ids: Sequence[str]) -> set[str]:
        return set(session.scalars(sa.select(Flag.id).where(Flag.id.in_(ids), Flag.state == "pending")))

    def usable(self, row_id: str, session: Session) -> bool:
        sample = session.scalar(sa.select(Flag.sample_id).where(Flag.id == row_id))
        try:
            return sample is not None and bool(self._blobs.get(sample))
        except StorageError:
            return False

    def mark_published(self, session: Session, ids: Sequence[str], moment: dt.datetime) -> None:
        # A withdrawn flag only gets the time: the dataset has it now, and it must be taken out again.
        for some in batches(ids):
            these = sa.update(Flag).where(Flag.id.in_(some))
            session.execute(these.values(published_at=moment))
            session.execute(these.where(Flag.state == "pending").values(state="published"))

    def mark_waiting(self, session: Session, ids: Sequence[str]) -> None:
        session.execute(
            sa.update(Flag)
            .where(Flag.id.in_(ids), Flag.state == "published")
            .values(state="pending", published_at=None)
        )

    def said_again(self, session: Session) -> list[str]:
        query = (
            sa.select(Flag.id)
            .join(ShardRow, sa.and_(ShardRow.config == self.config, ShardRow.row_id == Flag.id))
            .join(Shard, Shard.id == ShardRow.shard_id)
            .where(Flag.state == "pending", Shard.state == "published")
        )
        return list(session.scalars(query))

    def to_remove(self, session: Session) -> list[str]:
        query = (
            sa.select(ShardRow.row_id)
            .outerjoin(Flag, Flag.id == ShardRow.row_id)
            .where(ShardRow.config == self.config)
            .where(sa.or_(Flag.id.is_(None), Flag.state == "withdrawn"))
        )
        return list(session.scalars(query))
