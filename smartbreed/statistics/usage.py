"""Counting answers while the app gives them.

Noting an answer appends to a list in memory. A thread turns that into counts and adds them to the
database every few seconds, in one transaction a time: a kill loses what was noted since, and nothing is
counted twice, for each batch has a number and a process remembers in the same transaction which was its
last. Counts by day, version, kind and key, and under the day `EVER` those of all days together, so
that a page need not look at each; kinds:

* ``photo``: the interface; ``failed``: the code of a photo that could not be used
* ``pets``: how many were found in a photo, from `MANY` on together; ``whole``: of them, taken as a whole
* ``verdict``, ``species``, ``breed`` (of the verdict ``breed``): once a pet
* ``confidence``: of the first guess, in `CONFIDENCES` bins; ``likeness``: to the nearest breed as the
  model learnt it, in `LIKENESSES` bins (`smartbreed.statistics.drift`)
* ``latency``: of a photo, the first bound of `LATENCIES` that it stays under
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from smartbreed.core.database import Sessions, write
from smartbreed.core.errors import StorageError
from smartbreed.inference.results import Failure, Identification
from smartbreed.statistics.tables import UsageCount, UsageWriter

log = logging.getLogger(__name__)

#: Interfaces, and what people call them.
INTERFACES = {"page": "web page", "rest": "REST", "client": "Python client and MCP"}
MANY = 5
#: As many as the reliability of `smartbreed.inference.evaluation` has, to be compared with it.
CONFIDENCES = 15
LIKENESSES = 20
#: Milliseconds.
LATENCIES = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)
SLOWER = "more"
#: Stands for all days together.
EVER = dt.date.min
#: Seconds between two writes: at most so much is lost in a kill.
EVERY_S = 3.0
#: Answers noted and not counted yet; more are left out, as when a database hangs under full load.
MOST_WAITING = 20_000
#: How long the number of a process's last batch is kept.
_REMEMBERED = dt.timedelta(days=2)

#: Called with each answer that is counted and its interface.
on_answer: list[Callable[[Identification | Failure, str], None]] = []

#: Shares 0…1: how alike each embedding is to what a version has learnt; None where that is not known.
Likeness = Callable[[str, Sequence[np.ndarray]], Sequence[float] | None]


class Count(NamedTuple):
    """What a number is the number of."""

    day: dt.date
    version: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class SeenPet:
    """What is counted of one pet."""

    species: str
    verdict: str
    breed: str
    confidence: float
    embedding: np.ndarray


@dataclass(frozen=True, slots=True)
class Seen:
    """What is counted of one photo; no word of it says whose it was."""

    day: dt.date
    version: str
    interface: str
    pets: tuple[SeenPet, ...] = ()
    milliseconds: float = 0.0
    whole: bool = False
    failed: str = ""


def seen(answer: Identification | Failure, interface: str, day: dt.date, version: str = "") -> Seen:
    """What is counted of an answer.

    Args:
        version: what answers, for photos that could not be used.
    """
    if isinstance(answer, Failure):
        return Seen(day, version, interface, failed=answer.error.code)
    pets = tuple(
        SeenPet(pet.species, pet.verdict, pet.breeds[0].id, pet.breeds[0].probability, pet.embedding)
        for pet in answer.pets
    )
    return Seen(day, answer.model.version, interface, pets, answer.milliseconds, answer.whole)


def tally(events: Iterable[Seen], likeness: Likeness | None = None) -> Counter[Count]:
    """The counts of some photos; those of two lots are the sum of theirs."""
    counts: Counter[Count] = Counter()
    embeddings: dict[tuple[dt.date, str], list[np.ndarray]] = {}
    for event in events:
        day, version = event.day, event.version

        def add(kind: str, key: str, day: dt.date = day, version: str = version) -> None:
            counts[Count(day, version, kind, key[:100])] += 1

        if event.failed:
            add("failed", event.failed)
            continue
        add("photo", event.interface)
        add("pets", str(min(len(event.pets), MANY)))
        if event.whole:
            add("whole", "")
        add("latency", latency_key(event.milliseconds))
        for pet in event.pets:
            add("verdict", pet.verdict)
            add("species", pet.species)
            if pet.verdict == "breed":
                add("breed", pet.breed)
            add("confidence", str(bin_of(pet.confidence, CONFIDENCES)))
            embeddings.setdefault((day, version), []).append(pet.embedding)
    for (day, version), vectors in embeddings.items():
        for value in (likeness(version, vectors) if likeness else None) or ():
            counts[Count(day, version, "likeness", str(bin_of(value, LIKENESSES)))] += 1
    return counts


def bin_of(share: float, bins: int) -> int:
    """Place of a share 0…1 among bins of equal width."""
    return min(max(int(share * bins), 0), bins - 1)


def latency_key(milliseconds: float) -> str:
    """The first bound that a time stays under, as text."""
    place = bisect_left(LATENCIES, milliseconds)
    return str(LATENCIES[place]) if place < len(LATENCIES) else SLOWER


class Recorder:
    """Notes answers and writes their counts; safe to use from many threads.

    Args:
        sessions: opens the database, on first use.
        likeness: asked by the writing thread alone.
        clock: the moment.
    """

    def __init__(
        self,
        sessions: Callable[[], Sessions],
        likeness: Likeness | None = None,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._sessions, self._likeness, self._clock = sessions, likeness, clock
        self._guard, self._writing = threading.Lock(), threading.Lock()
        self._noted: list[Seen] = []
        self._counts: Counter[Count] = Counter()
        self._batch: Counter[Count] = Counter()
        self._number, self._id = 0, secrets.token_hex(16)
        self._failing = False

    def note(self, answer: Identification | Failure, interface: str, version: str = "") -> None:
        """Count an answer; takes microseconds, waits for nothing and never raises."""
        try:
            event = seen(answer, interface, self._clock().date(), version)
            with self._guard:
                if len(self._noted) < MOST_WAITING:
                    self._noted.append(event)
            for listener in on_answer:
                listener(answer, interface)
        except Exception:  # an answer is worth more than its count
            log.exception("an answer was not counted")

    def write(self) -> bool:
        """Add what was noted to the database; what it refuses is kept and tried again.

        Returns:
            Whether all that was noted until now is written.
        """
        with self._writing:
            self._count()
            try:
                while self._batch or self._counts:
                    if not self._batch:
                        self._batch, self._counts = self._counts, Counter()
                        self._number += 1
                    # Whether a batch that failed was written all the same, its number tells.
                    add_counts(self._sessions(), self._batch, self._id, self._number, self._clock())
                    self._batch = Counter()
            except StorageError as error:
                if not self._failing:
                    log.warning("answers are counted in memory for now: %s", error.message)
                self._failing = True
                return False
            self._failing = False
            return True

    def _count(self) -> None:
        with self._guard:
            noted, self._noted = self._noted, []
        self._counts.update(tally(noted, self._likeness))


def add_counts(
    sessions: Sessions, counts: Counter[Count], writer: str, batch: int, moment: dt.datetime
) -> None:
    """Add counts to the database, unless this batch is there already.

    Args:
        writer, batch: a process, and the number of its batch, which grows.

    Raises:
        StorageError: the database refused; the batch is there as a whole or not at all, and calling
            again with the same number is right in either case.
    """
    totals: Counter[Count] = Counter()
    for count, number in counts.items():
        totals[count._replace(day=EVER)] += number
    rows: list[dict[str, Any]] = [
        {**count._asdict(), "number": number} for part in (counts, totals) for count, number in part.items()
    ]
    with write(sessions) as session:
        last = session.get(UsageWriter, writer)
        if last is not None and last.batch >= batch:
            return
        if last is None:
            session.add(UsageWriter(id=writer, batch=batch, written_at=moment))
            session.execute(sa.delete(UsageWriter).where(UsageWriter.written_at < moment - _REMEMBERED))
        else:
            last.batch, last.written_at = batch, moment
        if rows:
            dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
            added = dialect.insert(UsageCount)
            session.execute(
                added.on_conflict_do_update(
                    index_elements=["day", "version", "kind", "key"],
                    set_={"number": UsageCount.number + added.excluded.number},
                ),
                rows,
            )
