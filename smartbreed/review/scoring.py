"""Score flagged pets with the served model, in the background and once for each model."""

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

#: Flags scored between two commits.
_BATCH = 16
#: Maximum number of flags scored in one run of the background task.
_ROUND = 128
#: Maximum number of transactions in which one run updates ranks.
_TURNS = 8
#: Maximum number of accepted samples among the known examples; the newest are taken.
_MOST_ACCEPTED = 4000
#: A photo that could not be read is tried again after this time.
_AGAIN = dt.timedelta(hours=1)


def score_flags(
    flags: FlagService,
    identifier: Identifier,
    limit: int = 1000,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Compute the signals that are missing or of another model; return how many.

    Open flags come first. The known examples (the model's own and the accepted samples) are
    read once, at the start.

    Args:
        stopping: called before each photo; once it returns True, finished signals are saved and the
            remaining flags are left.

    Raises:
        StorageError: the database failed; calling again continues.
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
            ids = [row.flag_id for row in rows]  # of which some may have been withdrawn since
            still = set(
                session.scalars(sa.select(Flag.id).where(Flag.id.in_(ids), Flag.state != "withdrawn"))
            )
            for row in rows:
                if row.flag_id in still:
                    session.merge(row)
    return made


class Background(PeriodicTask):
    """Keeps signals, ranks and decisions that need no maintainer up to date while the app runs.

    Args:
        review: the service whose flags are scored.
        identifier: returns the model that is served now.
        every_s: seconds between two runs.
    """

    def __init__(
        self, review: ReviewService, identifier: Callable[[], Identifier], every_s: float = 15.0
    ) -> None:
        # A batch that is not finished in time is scored again at the next start.
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
        # Visitors come first: rest as long as the work took.
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
    """Return the model's own examples and the accepted samples that it has scored."""
    latest = latest_decisions(session)
    rows = session.execute(
        sa.select(Signals.flag_id, Signals.embedding)
        .join(Flag, Flag.id == Signals.flag_id)
        .where(Signals.model == model, Signals.embedding.is_not(None), Flag.state != "withdrawn")
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
        # The photo was encoded here, so the limits of today's settings do not apply.
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
