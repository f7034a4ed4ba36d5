"""Looks at flagged pets with the served model, in the background and once for each model."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Callable

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import read, write
from smartbreed.core.errors import SmartBreedError
from smartbreed.core.periodic import PeriodicTask
from smartbreed.feedback.flags import FlagService
from smartbreed.feedback.tables import Flag
from smartbreed.inference.pipeline import Identifier
from smartbreed.review.claims import label_of
from smartbreed.review.decisions import latest_decisions, outcome
from smartbreed.review.pictures import stored_photo
from smartbreed.review.scores import Memory, SampleScores, load_memory, measure, unpack
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Signals

log = logging.getLogger(__name__)

#: Flags looked at between two commits.
_BATCH = 16
#: Flags looked at before the background looks whether there is anything else to do.
_ROUND = 128
#: Transactions in which flags are put in order before that.
_TURNS = 8
#: Accepted samples the model has seen that labels are compared with, at most; newest first.
_MOST_ACCEPTED = 4000
#: A photo that could not be read is tried again after this time.
_AGAIN = dt.timedelta(hours=1)


def score_flags(
    flags: FlagService,
    identifier: Identifier,
    limit: int = 1000,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Make the signals that are missing or of another model; how many were made.

    Open flags come first. What the model is compared with, its own memory and the accepted
    samples, is as it is when this begins.

    Args:
        stopping: asked before each photo; once it says so, what was made is saved and the rest is left.

    Raises:
        StorageError: the database refused; calling again goes on.
    """
    model = identifier.bundle.version.revision
    with read(flags.sessions) as session:
        waiting = _missing(session, model, limit)
        memory = _memory(session, identifier, model) if waiting else None
    made = 0
    for start in range(0, len(waiting), _BATCH):
        rows = []
        for flag in waiting[start : start + _BATCH]:
            if memory is None or stopping():
                break
            rows.append(_scored(flags, identifier, memory, flag))
        if not rows:
            break
        made += len(rows)
        with write(flags.sessions) as session:
            still = set(session.scalars(sa.select(Flag.id).where(Flag.id.in_([row.flag_id for row in rows]))))
            for row in rows:
                if row.flag_id in still:
                    session.merge(row)
    return made


class Background(PeriodicTask):
    """Keeps signals, the queue's order and decisions that need no maintainer up to date while the app runs.

    Args:
        review: whose flags.
        identifier: gives the model served now.
        every_s: seconds between two looks for something to do.
    """

    def __init__(
        self, review: ReviewService, identifier: Callable[[], Identifier], every_s: float = 15.0
    ) -> None:
        # What is half looked at is looked at again next time.
        super().__init__("review", self._score, every_s, patience_s=10.0)
        self._review = review
        self._identifier = identifier

    def _score(self) -> float | None:
        started = time.monotonic()
        try:
            made = score_flags(self._review.flags, self._identifier(), _ROUND, lambda: self.stopping)
            if made < _ROUND and not self.stopping:
                self._review.decide_by_consensus()
            ranked = self._review.catch_up(lambda: self.stopping, _TURNS)
        except SmartBreedError as error:
            log.warning("the review waits: %s", error.message)
            return None
        # Visitors come first: as long at rest as at work.
        return time.monotonic() - started if made == _ROUND or not ranked else None


def _missing(session: Session, model: str, limit: int) -> list[Flag]:
    again = dt.datetime.now(dt.UTC) - _AGAIN
    query = (
        sa.select(Flag)
        .outerjoin(Signals, Signals.flag_id == Flag.id)
        .where(
            Flag.state != "withdrawn",
            sa.or_(
                Signals.flag_id.is_(None),
                Signals.model != model,
                sa.and_(Signals.problem.is_not(None), Signals.looked_at < again),
            ),
        )
        .order_by(Flag.id)
    )
    found = list(session.scalars(query))
    latest = latest_decisions(session) if len(found) > limit else {}
    found.sort(key=lambda flag: outcome(latest.get(flag.id)) != "open")  # stable: oldest first in each
    return found[:limit]


def _memory(session: Session, identifier: Identifier, model: str) -> Memory:
    """The model's own examples and the accepted samples it has looked at."""
    latest = latest_decisions(session)
    rows = session.execute(
        sa.select(Signals.flag_id, Signals.embedding)
        .where(Signals.model == model, Signals.embedding.is_not(None))
        .order_by(Signals.flag_id.desc())
    )
    vectors: list[np.ndarray] = []
    labels: list[str] = []
    for flag_id, stored in rows:
        row = latest.get(flag_id)
        vector = unpack(stored)
        if row is not None and row.label and vector is not None and len(labels) < _MOST_ACCEPTED:
            vectors.append(vector)
            labels.append(row.label)
    return load_memory(identifier.bundle).with_samples(vectors, labels)


def _scored(flags: FlagService, identifier: Identifier, memory: Memory, flag: Flag) -> Signals:
    row = Signals(
        flag_id=flag.id, model=identifier.bundle.version.revision, looked_at=dt.datetime.now(dt.UTC),
        embedding=None, phash=None, top=None, uncertainty=None, suspicion=None, novelty=None,
        given=None, support=None, problem=None,
    )  # fmt: skip
    try:
        # Our own encoding, within no limits of today's settings.
        photo = stored_photo(flags.blobs, flag.sample_id)
        found = measure(identifier, memory, photo, flag.box, label_of(flag))
    except SmartBreedError as error:
        row.problem = error.message[:300]
        return row
    _fill(row, found)
    return row


def _fill(row: Signals, found: SampleScores) -> None:
    row.embedding = found.embedding.tobytes()
    row.phash = found.phash
    row.top = json.dumps([[breed, round(probability, 6)] for breed, probability in found.top])
    row.uncertainty, row.given, row.support = found.uncertainty, found.given, found.support
    row.suspicion, row.novelty = 1.0 - found.label_quality, found.outlier_score
