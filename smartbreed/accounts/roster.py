"""Account management for administrators and the command line: list, find, create, change roles, close.

Every change is written to the audit log (`smartbreed.admin.audit`) in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.accounts.fields import normalise
from smartbreed.accounts.tables import ROLES, Member, MemberSession, member_by_email
from smartbreed.admin.audit import note
from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import AccountError
from smartbreed.feedback.tables import is_id


class Roster:
    """All accounts of an installation. Thread-safe.

    Args:
        sessions: opens the database.
        invite: makes the link by which a person chooses a password.
        clock: returns the time in seconds; replaceable in tests.
    """

    def __init__(
        self,
        sessions: Callable[[], Sessions],
        invite: Callable[[Member], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sessions, self._invite, self._clock = sessions, invite, clock

    def list(self) -> list[Member]:
        """Return every account, oldest first."""
        with read(self._sessions()) as session:
            return list(session.scalars(sa.select(Member).order_by(Member.id)))

    def some(self, ids: Collection[str]) -> dict[str, Member]:
        """Return accounts by id; ids without an account are left out."""
        with read(self._sessions()) as session:
            found = session.scalars(sa.select(Member).where(Member.id.in_(ids)))
            return {one.id: one for one in found}

    def find(self, email_or_id: str) -> Member:
        """Return the account with an address or id.

        Raises:
            AccountError: ``no_such_member``.
        """
        with read(self._sessions()) as session:
            member = session.get(Member, email_or_id) if is_id(email_or_id) else None
            if member is None:
                with suppress(AccountError):
                    member = member_by_email(session, normalise(email_or_id))
        if member is None:
            raise _no_such_member()
        return member

    def create(self, email: str, role: str = "member") -> tuple[Member, str]:
        """Create an account; its owner chooses the password through a link.

        Returns:
            The account and the link.

        Raises:
            AccountError: ``bad_email``, ``unknown_role`` or ``known_email``.
        """
        address = normalise(email)
        with write(self._sessions()) as session:
            if member_by_email(session, address) is not None:
                raise AccountError("known_email", "There is an account with this address already.")
            member = Member(email=address, role=_role(role), created_at=self._now())
            session.add(member)
            session.flush()
            note(session, "account", f"made as {role}", member.id)
        return member, self._invite(member)

    def set_role(self, email_or_id: str, role: str, by: str = "") -> None:
        """Give an account another role.

        Args:
            by: id of the admin who does it; empty for the command line, which needs no admin.

        Raises:
            AccountError: ``no_such_member``, ``unknown_role``, ``not_admin`` or ``last_admin``.
        """
        with self._changing(email_or_id, by, keeps=_role(role) == "admin") as (session, member):
            if member.role != role:
                member.role = role
                note(session, "role", role, member.id)

    def disable(self, email_or_id: str, *, disabled: bool = True, by: str = "") -> None:
        """Close an account and end its sessions, or open it again.

        Args:
            by: as in `set_role`.

        Raises:
            AccountError: ``no_such_member``, ``not_admin`` or ``last_admin``.
        """
        with self._changing(email_or_id, by, keeps=not disabled) as (session, member):
            member.disabled_at = self._now() if disabled else None
            note(session, "account", "closed" if disabled else "opened again", member.id)
            if disabled:
                session.execute(sa.delete(MemberSession).where(MemberSession.member_id == member.id))

    @contextmanager
    def _changing(self, email_or_id: str, by: str, *, keeps: bool) -> Iterator[tuple[Session, Member]]:
        """Open a transaction that changes an account; concurrent changes run one after the other."""
        found = self.find(email_or_id).id
        with write(self._sessions()) as session:
            member = session.get(Member, found)
            if member is None:
                raise _no_such_member()
            if by:
                check_admin(session, by, member.id, keeps=keeps)
            yield session, member

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)


def check_admin(session: Session, by: str, about: str, *, keeps: bool) -> None:
    """Check within a transaction that an admin may change an account.

    Args:
        by: id of the admin.
        about: id of the account.
        keeps: True if the change leaves an admin's account one that can be used.

    Raises:
        AccountError: ``not_admin`` if ``by`` is no longer an admin; ``last_admin`` if no admin would be left.
    """
    usable = sa.select(Member.id).where(
        Member.role == "admin", Member.disabled_at.is_(None), Member.verified_at.is_not(None)
    )
    admins = set(session.scalars(usable))
    if by not in admins:
        raise AccountError("not_admin", "Only admins can do this, and you are no longer one.", status=403)
    if not keeps and admins == {about}:
        raise AccountError(
            "last_admin",
            "This is the last admin, without whom the site could not be managed. Make another admin first.",
            status=409,
        )


def _no_such_member() -> AccountError:
    return AccountError("no_such_member", "There is no account with this address or id.", status=404)


def _role(role: str) -> str:
    if role not in ROLES:
        raise AccountError("unknown_role", f"A role is one of {', '.join(ROLES)}. Received: {role!r:.40}")
    return role
