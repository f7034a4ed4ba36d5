"""Photos that members identified, kept with their answers for that member only, and only on request.

They are not flags: they are never published, reviewed or trained on. The files are in
``SMARTBREED_HOME/members``, named by the sha256 of their bytes. A row is written before its file and deleted
after it, so a crash can leave a row without a file, which its owner can delete, but never an untracked file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.accounts.tables import Member, MemberPhoto
from smartbreed.core.database import Sessions, forget_deleted, read, write
from smartbreed.core.errors import AccountError
from smartbreed.core.text import one_line
from smartbreed.feedback.blobs import BlobStore

#: Most photos kept per member; a further one replaces the oldest.
MOST = 200


class KeptPhotos:
    """The kept photos of all members. Safe for any number of threads and processes.

    Args:
        sessions: a migrated database.
        home: SMARTBREED_HOME.
        quota: most bytes that the photos of all members may take together; 0 for no limit.
    """

    def __init__(self, sessions: Sessions, home: Path, quota: int = 0) -> None:
        self.store = BlobStore(home / "members", "photo")
        self.store.sweep_tmp()
        self._sessions = sessions
        self._quota = quota

    def agree(self, member_id: str, now: dt.datetime | None) -> None:
        """Record a member's consent to keep photos from now on; ``now=None`` withdraws it.

        Photos that are already kept stay in either case.
        """
        with write(self._sessions) as session:
            session.execute(sa.update(Member).where(Member.id == member_id).values(keeps_photos_at=now))

    def keep(self, member_id: str, data: bytes, name: str, answer: dict[str, Any], now: dt.datetime) -> bool:
        """Keep a photo and its answer; a photo that is already kept gets the new answer.

        Args:
            data: encoded by `smartbreed.imaging.photo.sample_encoding`.
            name: of the member's file.
            answer: the answer in the JSON of the public API.

        Returns:
            False if the member has not consented or the quota is used up.

        Raises:
            StorageError: disk or database refused.
        """
        sample_id = hashlib.sha256(data).hexdigest()
        with write(self._sessions) as session:
            member = session.get(Member, member_id)
            stored = session.scalar(sa.select(sa.func.sum(MemberPhoto.size))) or 0
            if member is None or member.keeps_photos_at is None:
                return False
            if self._quota and stored + len(data) > self._quota:
                return False
            query = sa.select(MemberPhoto).where(MemberPhoto.member_id == member_id)
            row = session.scalar(query.where(MemberPhoto.sample_id == sample_id))
            if row is None:
                beyond = query.order_by(MemberPhoto.kept_at.desc(), MemberPhoto.id.desc()).offset(MOST - 1)
                self._forget(session, session.scalars(beyond).all())
                row = MemberPhoto(member_id=member_id, sample_id=sample_id, size=len(data))
                session.add(row)
            row.name, row.answer, row.kept_at = one_line(name, 200), json.dumps(answer), now
        with write(self._sessions) as session:  # the photo or the member may have been deleted meanwhile
            if session.scalar(query.where(MemberPhoto.sample_id == sample_id)) is not None:
                self.store.put(data)
        return True

    def list(self, member_id: str) -> list[MemberPhoto]:
        """Return a member's photos, newest first."""
        query = sa.select(MemberPhoto).where(MemberPhoto.member_id == member_id)
        with read(self._sessions) as session:
            return list(session.scalars(query.order_by(MemberPhoto.kept_at.desc(), MemberPhoto.id.desc())))

    def get(self, member_id: str, photo_id: str) -> bytes:
        """Return the bytes of one of a member's photos.

        Raises:
            AccountError: ``no_such_photo`` (404).
            StorageError: disk or database refused.
        """
        found = next((row for row in self.list(member_id) if row.id == photo_id), None)
        if found is None or not self.store.exists(found.sample_id):
            raise AccountError("no_such_photo", "You have no such photo.", status=404)
        return self.store.get(found.sample_id)

    def forget(self, member_id: str, photo_id: str = "") -> None:
        """Delete one of a member's photos, or all of them if ``photo_id`` is empty."""
        query = sa.select(MemberPhoto).where(MemberPhoto.member_id == member_id)
        with write(self._sessions) as session:
            found = session.scalars(query.where(MemberPhoto.id == photo_id) if photo_id else query).all()
            self._forget(session, found)
        forget_deleted(self._sessions)

    def _forget(self, session: Session, rows: Sequence[MemberPhoto]) -> None:
        for row in rows:
            session.delete(row)
            session.flush()
            self._delete_unused(session, row.sample_id)

    def _delete_unused(self, session: Session, sample_id: str) -> None:
        query = sa.select(MemberPhoto.id).where(MemberPhoto.sample_id == sample_id).limit(1)
        if session.scalar(query) is None:
            self.store.delete(sample_id)

    @staticmethod
    def erase_rows(session: Session, member_id: str) -> set[str]:
        """Delete a member's rows in the caller's transaction.

        Returns:
            Names of the files, to pass to `drop` after the commit.
        """
        found = session.scalars(sa.select(MemberPhoto).where(MemberPhoto.member_id == member_id)).all()
        for row in found:
            session.delete(row)
        return {row.sample_id for row in found}

    def drop(self, names: Iterable[str]) -> None:
        """Delete those files that no row refers to any more.

        Raises:
            StorageError: disk or database refused; a further call continues.
        """
        for name in names:
            with write(self._sessions) as session:  # the write lock keeps others from adding such a row
                self._delete_unused(session, name)
