"""Save what people say about the model's answers, so that no confirmed flag is ever lost.

The order guarantees this: check everything, flush the photo to the disk, commit the
row, and only then answer. A crash in between leaves at most a photo without a row,
which `smartbreed.feedback.blobs` removes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import (
    Sessions,
    batches,
    forget_deleted,
    forget_earlier_deleted,
    make_engine,
    make_sessions,
    read,
    write,
)
from smartbreed.core.errors import FlagError, RequestError, StorageError
from smartbreed.core.files import disk_errors, make_dirs
from smartbreed.core.migrate import migrate
from smartbreed.core.private import private_file
from smartbreed.core.salt import hash_token, load_salt
from smartbreed.feedback.blobs import BlobStore
from smartbreed.feedback.limits import Guard, Limits
from smartbreed.feedback.request import MAX_LABEL_TEXT, CheckedFlag, FlagRequest, check, clean
from smartbreed.feedback.tables import ERASED, STATES, Flag
from smartbreed.imaging.photo import sample_encoding

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings


def new_row(checked: CheckedFlag, sample_id: str, flagger: str, key: str) -> Flag:
    """Build the row of a pending flag; `key` is its `dedupe_key`."""
    x0, y0, x1, y1 = checked.box or (None, None, None, None)
    return Flag(
        sample_id=sample_id,
        photo_width=checked.photo_width,
        photo_height=checked.photo_height,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        found=None if checked.found is None else json.dumps([[*box, kind] for box, kind in checked.found]),
        pet_index=checked.pet_index,
        predicted=checked.predicted,
        probability=checked.probability,
        label=checked.label,
        label_text=checked.label_text,
        verdict=checked.verdict,
        species=checked.species,
        model_revision=checked.model_revision,
        flagged_at=utc_now(),
        consent=True,
        flagger=flagger,
        note=checked.note,
        dedupe_key=key,
    )


def dedupe_key(checked: CheckedFlag, sample_id: str, flagger: str) -> str:
    """Return a sha256 over who said what about which pet, so that saying it twice makes one row."""
    said = _said(checked, sample_id, flagger)
    if _only_species(checked):  # other flags keep the keys that they have always had
        said.append(checked.species)
    return _hashed(said)


def _said(checked: CheckedFlag, sample_id: str, flagger: str) -> list[Any]:
    return [flagger, sample_id, checked.box, checked.verdict, checked.label, checked.label_text]


def _only_species(checked: CheckedFlag) -> bool:
    """Return whether the species is something that the person says, and that no label implies."""
    return checked.verdict == "missed" and checked.label is None


def _hashed(said: list[Any]) -> str:
    # JSON keeps neighbouring fields apart, which plain joining would not.
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def same_said(checked: CheckedFlag, sample_id: str, flagger: str) -> sa.ColumnElement[bool]:
    """Return the condition that a row is the flag of one person that says the same about the same pet."""
    same = Flag.dedupe_key == dedupe_key(checked, sample_id, flagger)
    if not _only_species(checked):
        return same
    # Earlier versions left the species out of the key, so such a row may be of the other species.
    earlier = _hashed(_said(checked, sample_id, flagger))
    return sa.or_(
        same, sa.and_(Flag.dedupe_key == earlier, Flag.species.is_not_distinct_from(checked.species))
    )


#: What a flag that is saved again takes over from the new request; its key stands for all else.
_REFRESHED = ("found", "pet_index", "predicted", "probability", "species", "model_revision", "note")


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


log = logging.getLogger(__name__)

#: The columns of the review's tables that are needed here; this package must not import the review.
_decisions = sa.table("decisions", sa.column("flag_id", sa.String), sa.column("sample_id", sa.String))
_signals = sa.table("signals", sa.column("flag_id", sa.String))
_trust = sa.table("trust", sa.column("flagger", sa.String))

__all__ = ["FlagRequest", "FlagService", "Receipt", "open_feedback"]


@dataclass(frozen=True)
class Receipt:
    """Proof that a flag is on the disk.

    Attributes:
        flag_id: the row's ULID.
        sample_id: sha256 of the photo's canonical encoding.
        created: False if the same flag was saved before and not withdrawn.
        receipt: secret that allows withdrawing the flag (`FlagService.withdraw_with`).
    """

    flag_id: str
    sample_id: str
    created: bool
    receipt: str = field(default="", repr=False)


class FlagService:
    """The interface to the flags; safe for any number of threads and processes.

    Args:
        sessions: from `smartbreed.core.database.make_sessions`, on a migrated database.
        blobs: store of the photos.
        salt: secret for the hashes of flaggers.
        limits: limits on flags, or a function that returns the current ones for a session; None: no limits.
    """

    def __init__(
        self,
        sessions: Sessions,
        blobs: BlobStore,
        salt: bytes,
        limits: Limits | Callable[[Session], Limits] | None = None,
    ) -> None:
        self._limits = Guard(limits or Limits(), blobs.root)
        self.sessions = sessions
        self.blobs = blobs
        self._salt = salt

    def save(
        self,
        request: FlagRequest,
        client: str = "",
        also: Callable[[Session, str], None] | None = None,
    ) -> Receipt:
        """Save one flag; when this returns, photo and row survive a power cut.

        The call is idempotent: sending the same again returns the first receipt's ids. A
        withdrawn flag becomes pending again.

        Args:
            client: where the request comes from, such as a network address; only a salted hash is
                kept, until midnight (UTC), for counting.
            also: called in the same transaction with the session and the flag's id, to save more
                about the flag.

        Raises:
            FlagError: the request is not valid (see `smartbreed.feedback.request.check`), or beyond a
                limit (see `smartbreed.feedback.limits.Guard.check`).
            PhotoError: the photo cannot be encoded.
            StorageError: the disk or the database failed; no row was saved.
        """
        checked = check(request)
        data, _ = sample_encoding(request.pixels)
        sample_id = hashlib.sha256(data).hexdigest()
        flagger = hash_token(self._salt, request.flagger_token)
        place = hash_token(self._salt, f"client {client}") if client else ""
        same = same_said(checked, sample_id, flagger)
        size = 0 if self.blobs.exists(sample_id) else len(data)
        with read(self.sessions) as session:  # so that nothing is written for a refused flag
            if self._is_new(session, same):
                self._limits.check(session, flagger, place, size)
        self.blobs.put(data)
        try:
            receipt = self._save(checked, data, sample_id, flagger, same, place, size, also)
        except FlagError:  # a race: other flags have reached a limit since the first check
            self._drop_photo(sample_id)
            raise
        if receipt.created:
            self._limits.stored(size)
        return receipt

    def _save(
        self,
        checked: CheckedFlag,
        data: bytes,
        sample_id: str,
        flagger: str,
        same: sa.ColumnElement[bool],
        place: str,
        size: int,
        also: Callable[[Session, str], None] | None,
    ) -> Receipt:
        with write(self.sessions) as session:
            if self._is_new(session, same):
                self._limits.check(session, flagger, place, size)
            if not self.blobs.exists(sample_id):
                # Another request has deleted the same photo since. Deletions hold this lock, so now it stays.
                self.blobs.put(data)
            flag = session.scalar(sa.select(Flag).where(same))
            created = flag is None or flag.state == "withdrawn"
            fresh = new_row(checked, sample_id, flagger, dedupe_key(checked, sample_id, flagger))
            if flag is None:
                flag = fresh
                session.add(flag)
            elif created:
                flag.state, flag.published_at, flag.flagged_at = "pending", None, fresh.flagged_at
                for name in _REFRESHED:
                    setattr(flag, name, getattr(fresh, name))
            session.flush()
            if created:
                self._limits.taken(session, place)
            if also is not None:
                also(session, flag.id)
            receipt = Receipt(flag.id, sample_id, created, self._receipt(flag.id))
        return receipt

    @staticmethod
    def _is_new(session: Session, same: sa.ColumnElement[bool]) -> bool:
        state = session.scalar(sa.select(Flag.state).where(same))
        return state in (None, "withdrawn")

    def _receipt(self, flag_id: str) -> str:
        return hash_token(self._salt, f"receipt {flag_id}")[:32]

    def count(self, state: str | None = None) -> int:
        """Return the number of flags, of all states or of one.

        Raises:
            RequestError: ``unknown_state``.
            StorageError: the database failed.
        """
        if state is not None and state not in STATES:
            raise RequestError("unknown_state", f"A state is one of {', '.join(STATES)}. Received: {state!r}")
        query = sa.select(sa.func.count()).select_from(Flag)
        with read(self.sessions) as session:
            return session.scalar(query if state is None else query.where(Flag.state == state)) or 0

    def people_who_named(self, *names: str) -> int:
        """Return how many people named a breed in their own words, by any of its names.

        Neither case nor spaces matter.

        Raises:
            StorageError: the database failed.
        """
        asked = {cleaned.casefold() for name in names if (cleaned := _as_stored(name))}
        standing = sa.and_(Flag.label_text.is_not(None), Flag.state != "withdrawn")
        people: set[str] = set()
        with read(self.sessions) as session:
            # Compared here: in SQLite, lower() leaves letters that are not ASCII as they are.
            texts = session.scalars(sa.select(Flag.label_text).where(standing).distinct())
            for some in batches(text for text in texts if text is not None and text.casefold() in asked):
                query = sa.select(Flag.flagger).where(standing, Flag.label_text.in_(some)).distinct()
                people.update(session.scalars(query))
        return len(people)

    def recent(self, limit: int = 50) -> list[Flag]:
        """Return the newest flags of all states, newest first; `limit` is clamped to 1…1000."""
        query = (
            sa.select(Flag).order_by(Flag.flagged_at.desc(), Flag.id.desc()).limit(max(1, min(limit, 1000)))
        )
        with read(self.sessions) as session:
            return list(session.scalars(query))

    def withdraw(self, flag_id: str, flagger_token: str) -> None:
        """Withdraw a flag; only the person who sent it can. The call is idempotent.

        A published flag keeps its `published_at`, so that the publisher takes it out of
        the dataset. The photo is deleted unless another flag needs it; the note and what the review
        computed from the photo are deleted as well. The rest of the row stays, so that limits count it
        and the same flag can be saved again.

        Raises:
            FlagError: ``unknown_flag`` (404), also for another person's flag, so that ids cannot be guessed.
            StorageError: the database failed.
        """
        flagger = hash_token(self._salt, flagger_token)
        self._withdraw(flag_id, lambda flag: hmac.compare_digest(flag.flagger, flagger))

    def withdraw_with(self, flag_id: str, receipt: str) -> None:
        """Withdraw a flag with the receipt that `save` returned; otherwise like `withdraw`.

        Raises:
            FlagError: ``unknown_flag`` (404), also for a wrong receipt.
            StorageError: the database failed.
        """
        expected, shown = self._receipt(flag_id).encode(), receipt.encode("utf-8", "replace")
        self._withdraw(flag_id, lambda flag: hmac.compare_digest(expected, shown))

    def _withdraw(self, flag_id: str, may: Callable[[Flag], bool]) -> None:
        with write(self.sessions) as session:
            flag = _find(session, flag_id)
            if not may(flag):
                raise _unknown()
            flag.state, flag.note = "withdrawn", None
            session.execute(sa.delete(_signals).where(_signals.c.flag_id == flag.id))
            sample_id = flag.sample_id
        try:
            self._drop_photo(sample_id)
        except StorageError as error:  # the flag is withdrawn; the daily maintenance removes the photo
            log.warning("%s", error.message)

    def erase(self, flag_id: str) -> None:
        """Delete a flag and, if no other flag needs it, its photo; for maintainers.

        Decisions about the flag stay, without the name of the photo. Rows already published,
        decisions included, leave the dataset with the next run of the publisher.

        Raises:
            FlagError: ``unknown_flag`` (404).
            StorageError: the disk or the database failed.
        """
        with write(self.sessions) as session:
            sample_ids = self.erase_rows(session, [_find(session, flag_id)])
        self.drop_photos(sample_ids)

    @staticmethod
    def erase_rows(session: Session, flags: Iterable[Flag]) -> set[str]:
        """Delete flags in the caller's transaction, and the records of people who have no other flag.

        Returns:
            The names of their photos, to be passed to `drop_photos` after the commit.
        """
        sample_ids, people = set(), set()
        for flag in flags:
            sample_ids.add(flag.sample_id)
            people.add(flag.flagger)
            # The name of a photo is a fingerprint of it, so it goes; the decision may stay.
            session.execute(
                sa.update(_decisions).where(_decisions.c.flag_id == flag.id).values(sample_id=ERASED)
            )
            session.delete(flag)
        session.flush()
        for some in batches(people):
            # A record holds the person's hash. Of a person with other flags it stays: without it, one who
            # was wrong too often would count again.
            session.execute(sa.delete(_trust).where(_trust.c.flagger.in_(some), _has_no_flag()))
        return sample_ids

    def forget_leftovers(self) -> None:
        """Delete what earlier versions kept: notes and signals of withdrawn flags, records without a flag.

        Raises:
            StorageError: the database failed.
        """
        gone = sa.select(Flag.id).where(Flag.state == "withdrawn")
        noted = sa.update(Flag).where(Flag.state == "withdrawn", Flag.note.is_not(None))
        with write(self.sessions) as session:
            session.execute(noted.values(note=None))
            session.execute(sa.delete(_signals).where(_signals.c.flag_id.in_(gone)))
            session.execute(sa.delete(_trust).where(_has_no_flag()))

    def drop_photos(self, sample_ids: Iterable[str]) -> None:
        """Delete photos that no flag needs any more, and erased rows from the write-ahead log.

        Raises:
            StorageError: the disk or the database failed; calling again continues.
        """
        for sample_id in sample_ids:
            self._drop_photo(sample_id)
        if not forget_deleted(self.sessions):
            log.info("the database is being read; what was erased leaves its log with the daily maintenance")

    def _drop_photo(self, sample_id: str) -> None:
        """Delete a photo unless a flag still needs it.

        Call it after the commit that removes the flag, or a crash would leave a row without its
        photo. It checks again under the write lock, since the photo may have been flagged in between.
        """
        with write(self.sessions) as session:
            needed = sa.select(Flag.id).where(Flag.sample_id == sample_id, Flag.state != "withdrawn")
            if session.scalar(needed.limit(1)) is None:
                self.blobs.delete(sample_id)

    def close(self) -> None:
        """Close the idle database connections; the service still works and opens new ones."""
        with self.sessions() as session:
            bind = session.get_bind()
        if isinstance(bind, sa.Engine):
            bind.dispose()


def open_feedback(settings: Settings) -> FlagService:
    """Open the flags of this installation; create the folder, the tables and the salt if missing.

    Raises:
        SettingError: ``SMARTBREED_DATABASE_URL`` is not usable.
        StorageError: the disk or the database failed.
    """
    blobs = BlobStore(settings.home_dir / "blobs")
    with disk_errors("The folder SMARTBREED_HOME cannot be made"):
        make_dirs(blobs.root)
    engine = make_engine(settings.resolved_database_url)
    file = engine.url.database or ""
    if engine.url.get_backend_name() == "sqlite" and file and not file.startswith("file:"):
        with suppress(OSError):  # opening the database reports what is wrong
            private_file(Path(file))
    forget_earlier_deleted(engine)
    migrate(settings.resolved_database_url)
    blobs.sweep_tmp()
    return FlagService(make_sessions(engine), blobs, load_salt(settings), partial(Limits.now, settings))


def _find(session: Session, flag_id: str) -> Flag:
    # Text that cannot be an id may not be storable either, and the driver would fail on it.
    flag = session.get(Flag, flag_id) if flag_id.isascii() and flag_id.isalnum() else None
    if flag is None:
        raise _unknown()
    return flag


def _has_no_flag() -> sa.ColumnElement[bool]:
    """Return the condition that a record is of a person without a flag."""
    return ~sa.select(Flag.id).where(Flag.flagger == _trust.c.flagger).exists()


def _as_stored(words: str) -> str | None:
    """Return a breed's name as flags store it; None if none can have it."""
    try:
        return clean(words, MAX_LABEL_TEXT, "The breed")
    except FlagError:  # longer than any that is stored
        return None


def _unknown() -> FlagError:
    return FlagError("unknown_flag", "You have no such flag.", status=404)
