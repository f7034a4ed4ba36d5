"""The interface to the review: queue, decisions, undo, known answers, counts.

Safe for any number of maintainers, threads and processes: a decision is made only while its flag
is open, under the write lock, so if two maintainers decide the same flag, the second gets an error.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from smartbreed.admin.audit import note
from smartbreed.breeds.catalogue import Breed
from smartbreed.core.database import read, write
from smartbreed.core.errors import ReviewError, StorageError
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagRequest, FlagService
from smartbreed.review import decisions as rows
from smartbreed.review import trust
from smartbreed.review.consensus import decide_by_consensus
from smartbreed.review.decisions import (
    NewBreed,
    NewDecision,
    accept,
    applied,
    at,
    at_odds,
    few,
    for_all,
    not_open,
    unknown,
)
from smartbreed.review.gold import mark, unmark
from smartbreed.review.queue import Filters, Item, build, head, single
from smartbreed.review.ranking import catch_up, waiting
from smartbreed.review.stats import Progress, Stats, count, progress
from smartbreed.review.tables import GOLD, Decision, Gold

log = logging.getLogger(__name__)

#: Maximum number of flags that are ranked while a request waits for the queue, and of transactions for that.
_FEW, _TURNS = 500, 4


@dataclass(frozen=True)
class Outcome:
    """The result of a call that decides flags or undoes decisions.

    Attributes:
        decisions: the new rows, all of one transaction.
        skipped: flag id → why nothing was decided about it.
    """

    decisions: tuple[Decision, ...]
    skipped: Mapping[str, str]


class ReviewService:
    """Reviews the flags of one installation.

    Args:
        flags: the service that stores the flags.
        settings: for the daily cap and the number of agreements.
        clock: returns the current time; tests bring their own.
        named: returns the breeds of the serving model, also those that the catalogue lacks; called each time.
    """

    def __init__(
        self,
        flags: FlagService,
        settings: Settings,
        clock: Callable[[], dt.datetime] | None = None,
        named: Callable[[], Iterable[Breed]] = tuple,
    ) -> None:
        self.flags = flags
        self.sessions = flags.sessions
        self.cap = settings.daily_flags
        self.agreements = settings.agreements
        self._clock = clock or (lambda: dt.datetime.now(dt.UTC))
        self._named = named

    def queue(self, filters: Filters | None = None) -> list[Item]:
        """Return the flags that pass the filters, most useful first.

        Raises:
            ReviewError: a filter is not valid.
            StorageError: the database failed.
        """
        names = self.names()
        with read(self.sessions) as session:
            return build(session, filters or Filters(), names, self.cap)

    def top(self, filters: Filters, limit: int) -> tuple[list[Item], int]:
        """Return the most useful flags that pass the filters, at most ``limit``, and how many pass.

        The cost does not grow with the number of flags, unless over 500 wait to be ranked.

        Raises:
            ReviewError: a filter is not valid.
        """
        ranked, names = self._ranked(), self.names()
        with read(self.sessions) as session:
            return head(session, filters, names, self.cap, limit, ranked=ranked)

    def item(self, flag_id: str) -> Item:
        """Return one flag with everything about it.

        Raises:
            ReviewError: ``unknown_flag``, also for a withdrawn one.
        """
        ranked, names = self._ranked(), self.names()
        with read(self.sessions) as session:
            flag = rows.flags_by_id(session, [flag_id]).get(flag_id)
            if flag is None or flag.state == "withdrawn":
                raise unknown(flag_id)
            return single(session, flag, names, self.cap, ranked=ranked)

    def catch_up(self, stopping: Callable[[], bool] = lambda: False, turns: int | None = None) -> bool:
        """Update the ranks of flags that have changed.

        Args:
            stopping: called between transactions; once it returns True, the remaining flags are left.
            turns: maximum number of transactions; None: as many as it takes.

        Returns:
            False if some flags are left.

        Raises:
            StorageError: the database failed; calling again continues.
        """
        with read(self.sessions) as session:
            done = not waiting(session, self.cap, 0)
        for _ in itertools.count() if turns is None else range(turns):
            if done or stopping():
                break
            with write(self.sessions) as session:
                done = catch_up(session, self.cap)
        return done

    def _ranked(self) -> bool:
        """Return whether the stored ranks are up to date; a few waiting flags are ranked first."""
        try:
            with read(self.sessions) as session:
                left = waiting(session, self.cap, _FEW)
            if left > _FEW:
                return False
            return self.catch_up(turns=_TURNS)
        except StorageError as error:  # busy or read-only: the queue can be read without writing
            log.warning("the queue is put in order as a whole: %s", error.message)
            return False

    def current(self, flag_ids: Sequence[str]) -> dict[str, str]:
        """Return the state of each of these flags that exists and is not withdrawn."""
        with read(self.sessions) as session:
            flags = rows.flags_by_id(session, flag_ids)
            latest = rows.latest_decisions(session, list(flags))
            return {
                flag_id: rows.outcome(latest.get(flag_id))
                for flag_id, flag in flags.items()
                if flag.state != "withdrawn"
            }

    def history(self, flag_id: str) -> list[Decision]:
        """Return all decisions about a flag, oldest first."""
        with read(self.sessions) as session:
            return rows.history(session, flag_id)

    def new_breeds(self) -> dict[str, NewBreed]:
        """Return the breeds that decisions introduced, by id."""
        with read(self.sessions) as session:
            return rows.introduced(session)

    def names(self, new: Mapping[str, NewBreed] | None = None) -> dict[str, str]:
        """Return the names of breeds that decisions introduced or the model knows, by id; the model's win.

        Args:
            new: the result of `new_breeds`, if the caller has it; None: it is read.
        """
        named = {breed.id: breed.name for breed in self._named()}
        return rows.names_of(self.new_breeds() if new is None else new) | named

    def decide(
        self, flag_ids: Sequence[str], new_decision: NewDecision, reviewer: str, *, together: bool = False
    ) -> Outcome:
        """Decide open flags, all in one transaction.

        For several pictures of one pet (``together``), accepting, relabelling and a new breed give all
        of them the same label; rejecting applies only to flags with the same claim as the first.

        Args:
            new_decision: from `smartbreed.review.decisions`.
            reviewer: from `smartbreed.accounts.maintainers.Maintainers.reviewer`.
            together: the flags are pictures of one pet, and the decision is about the first of them.

        Raises:
            ReviewError: nothing could be decided; the message gives the reason for the first flag.
            StorageError: the database failed; nothing was decided.
        """
        ids = few(flag_ids)
        skipped: dict[str, str] = {}
        made: list[Decision] = []
        with write(self.sessions) as session:
            flags = rows.flags_by_id(session, ids)
            latest = rows.latest_decisions(session, ids)
            new = rows.introduced(session)
            first, box = flags.get(ids[0]), new_decision.box
            if together and new_decision.decision == "accept" and first is not None:
                new_decision = for_all(applied(new_decision, first))
            now = self._clock()
            for flag_id in ids:
                flag, last = flags.get(flag_id), latest.get(flag_id)
                problem = not_open(flag, last, new) or at_odds(flag, first, new_decision, together)
                if flag is None or problem:
                    skipped[flag_id] = problem
                    continue
                # A box belongs to one photo: other pictures of the pet keep their own boxes.
                here = first is not None and flag.sample_id == first.sample_id
                try:
                    one = applied(at(new_decision, box if here else None), flag)
                    made.append(rows.append(session, flag, one, reviewer, last, now))
                except ReviewError as error:
                    skipped[flag_id] = error.message
            if not made:
                raise ReviewError("not_decided", skipped[ids[0]], status=409)
            note(session, "review", _in_words(made))
            session.flush()
            trust.refresh(session, {flags[row.flag_id].flagger for row in made}, now)
        return Outcome(tuple(made), skipped)

    def undo(
        self, flag_ids: Sequence[str], reviewer: str, *, only: Sequence[str] | None = None, reason: str = ""
    ) -> Outcome:
        """Undo the latest decision of each of these flags, which reopens them.

        Args:
            only: ids of the decisions that may be undone, so that no other maintainer's is; None: any.

        Raises:
            ReviewError: nothing could be undone; the message gives the reason for the first flag. Or
                ``text_too_long``: the reason.
        """
        ids = few(flag_ids)
        new_decision = NewDecision("undo", reason=rows.clean(reason, rows.MAX_REASON, "The reason"))
        skipped: dict[str, str] = {}
        made: list[Decision] = []
        with write(self.sessions) as session:
            flags = rows.flags_by_id(session, ids)
            latest = rows.latest_decisions(session, ids)
            now = self._clock()
            for flag_id in ids:
                flag, last = flags.get(flag_id), latest.get(flag_id)
                if flag is None:
                    skipped[flag_id] = unknown(flag_id).message
                elif last is None or last.decision == "undo":
                    skipped[flag_id] = f"Nothing is decided about flag {flag_id}."
                elif only is not None and last.decision_id not in only:
                    skipped[flag_id] = f"Flag {flag_id} was decided anew since; nothing was taken back."
                else:
                    made.append(rows.append(session, flag, new_decision, reviewer, last, now))
                    unmark(session, flag_id)  # an undone answer is no known answer
            if not made:
                raise ReviewError("not_decided", skipped[ids[0]], status=409)
            note(session, "review", _in_words(made))
            session.flush()
            trust.refresh(session, {flags[row.flag_id].flagger for row in made}, now)
        return Outcome(tuple(made), skipped)

    def decide_by_consensus(self) -> list[Decision]:
        """Make the decisions that need no maintainer; cheap if there are none."""
        with write(self.sessions) as session:
            return decide_by_consensus(session, agreements=self.agreements, cap=self.cap, now=self._clock())

    def set_gold(self, flag_id: str, reviewer: str, *, gold: bool = True) -> None:
        """Make the decision about a flag the known answer for its pet, or remove that mark.

        Raises:
            ReviewError: ``unknown_flag``, or ``not_decided`` while there is no decision.
        """
        with write(self.sessions) as session:
            if gold:
                mark(session, flag_id, reviewer, self._clock())
            else:
                unmark(session, flag_id)

    def add_gold(self, request: FlagRequest, reviewer: str) -> str:
        """Add a photo with a known answer, as an ordinary flag that is accepted at once.

        Args:
            request: with a label or the verdict ``not_a_pet``; its flagger and consent are replaced.

        Returns:
            The flag's id.

        Raises:
            FlagError, PhotoError: the request is not valid.
            ReviewError: the same photo was added before.
        """
        receipt = self.flags.save(replace(request, flagger_token="gold", consent=True))
        self.decide([receipt.flag_id], accept("A known answer."), GOLD)
        self.set_gold(receipt.flag_id, reviewer)
        return receipt.flag_id

    def is_gold(self, flag_id: str) -> bool:
        """Return whether a flag is marked as a known answer."""
        with read(self.sessions) as session:
            return session.get(Gold, flag_id) is not None

    def stats(self) -> Stats:
        """Count the state of the review from all flags and decisions."""
        with read(self.sessions) as session:
            return count(session, self.cap)

    def progress(self) -> Progress:
        """Return how much of the review is done; unlike `stats`, normally without reading every flag."""
        ranked = self._ranked()
        with read(self.sessions) as session:
            return progress(session) if ranked else count(session, self.cap)


def _in_words(made: Sequence[Decision]) -> str:
    """Describe decisions for the audit log, without flag ids, which must not outlive a deleted account."""
    labels = ", ".join(sorted({row.label for row in made if row.label}))
    number = "1 flag" if len(made) == 1 else f"{len(made)} flags"
    return f"{made[0].decision}: {number}{f' ({labels})' if labels else ''}"
