"""Count the app's answers, without slowing them down.

Noting an answer only appends to a list in memory. Every few seconds a thread turns the list into counts and
adds them to the database in one transaction. If the process is killed, the answers noted since the last write
are lost. Nothing is counted twice: batches are numbered, and the same transaction records the number of the
process's last batch. Counts are kept by day, version, kind and key. The day `EVER` holds the totals of all
days, so that a page need not add them up. The kinds and their keys:

* ``photo``: interface of the photo; ``failed``: error code of a photo that could not be used
* ``pets``: number of pets in the photo, capped at `MANY`; ``whole``: empty, for a photo taken as a whole
* ``verdict``, ``species`` and, for the verdict ``breed``, ``breed``: counted once per pet
* ``confidence``: bin of the first guess's probability, of `CONFIDENCES`; ``likeness``: bin of the similarity
  to the nearest breed as the model learnt it, of `LIKENESSES` (`smartbreed.statistics.drift`)
* ``latency``: the first bound of `LATENCIES` that a photo's time does not exceed, or `SLOWER`
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

#: Interfaces, with their names for people.
INTERFACES = {"page": "web page", "rest": "REST", "client": "Python client and MCP"}
#: Photos with at least this many pets are counted together.
MANY = 5
#: Number of confidence bins: as many as the reliability of `smartbreed.inference.evaluation` has.
CONFIDENCES = 15
LIKENESSES = 20
#: Upper bounds of the latency bins, in milliseconds.
LATENCIES = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 5000)
SLOWER = "more"
#: Pseudo-day of the totals of all days.
EVER = dt.date.min
#: Seconds between two writes; a kill loses at most the answers of this time.
EVERY_S = 3.0
#: Most answers held in memory; further ones are dropped, for example if a database hangs under full load.
MOST_WAITING = 20_000
#: How long the last batch number of a process is kept.
_REMEMBERED = dt.timedelta(days=2)

#: Listeners, called with each answer and its interface.
on_answer: list[Callable[[Identification | Failure, str], None]] = []

#: Returns the similarity, 0…1, of each embedding to what a version has learnt; None if unknown.
Likeness = Callable[[str, Sequence[np.ndarray]], Sequence[float] | None]


class Count(NamedTuple):
    """The key of a count; see the module's docstring for the kinds."""

    day: dt.date
    version: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class SeenPet:
    """The properties of one pet that are counted."""

    species: str
    verdict: str
    breed: str
    confidence: float
    embedding: np.ndarray


@dataclass(frozen=True, slots=True)
class Seen:
    """The properties of one photo that are counted; none of them identifies a person."""

    day: dt.date
    version: str
    interface: str
    pets: tuple[SeenPet, ...] = ()
    milliseconds: float = 0.0
    whole: bool = False
    failed: str = ""


def seen(answer: Identification | Failure, interface: str, day: dt.date, version: str = "") -> Seen:
    """Extract the properties of an answer that are counted.

    Args:
        answer: the answer, or the failure for a photo that could not be used.
        interface: a key of `INTERFACES`.
        day: day of the answer, UTC.
        version: version in use; used only for a failure, which does not name one.
    """
    if isinstance(answer, Failure):
        return Seen(day, version, interface, failed=answer.error.code)
    pets = tuple(
        SeenPet(pet.species, pet.verdict, pet.breeds[0].id, pet.breeds[0].probability, pet.embedding)
        for pet in answer.pets
    )
    return Seen(day, answer.model.version, interface, pets, answer.milliseconds, answer.whole)


def tally(events: Iterable[Seen], likeness: Likeness | None = None) -> Counter[Count]:
    """Return the counts of some photos; counts of separate groups of photos can be added."""
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
    """Return the index of the bin, of equal width, that a share 0…1 falls into."""
    return min(max(int(share * bins), 0), bins - 1)


def latency_key(milliseconds: float) -> str:
    """Return the first bound that a time does not exceed, as text; `SLOWER` if it exceeds all."""
    place = bisect_left(LATENCIES, milliseconds)
    return str(LATENCIES[place]) if place < len(LATENCIES) else SLOWER


class Recorder:
    """Notes answers and writes their counts to the database; safe to use from many threads.

    Args:
        sessions: returns sessions of the database; called only to write counts.
        likeness: computes similarities; called only by the writing thread. None to leave them out.
        clock: returns the current time.
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
        """Note an answer to be counted; takes microseconds, never blocks and never raises."""
        try:
            event = seen(answer, interface, self._clock().date(), version)
            with self._guard:
                if len(self._noted) < MOST_WAITING:
                    self._noted.append(event)
            for listener in on_answer:
                listener(answer, interface)
        except Exception:  # the answer matters more than its count
            log.exception("an answer was not counted")

    def write(self) -> bool:
        """Add the noted answers to the database; if it refuses, keep their counts for the next call.

        Returns:
            True if everything noted until now is written.
        """
        with self._writing:
            self._count()
            try:
                while self._batch or self._counts:
                    if not self._batch:
                        self._batch, self._counts = self._counts, Counter()
                        self._number += 1
                    # If a failed write did commit, the batch number keeps the retry from adding it again.
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
    """Add a batch of counts to the database, unless it was added before.

    Args:
        sessions: sessions of a migrated database.
        counts: the counts of the batch, without totals.
        writer, batch: id of the process, and number of its batch, which increases.
        moment: current time.

    Raises:
        StorageError: the database refused. The batch was added as a whole or not at all; in either case
            it is safe to call again with the same number.
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
