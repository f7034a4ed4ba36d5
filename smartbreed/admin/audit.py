"""The audit log of maintainers and admins: who did what, and when.

The interface sets the actor once (`acting`). Each action records itself (`note`), if possible in the same
transaction. A member is identified by account id only, and by none once the account is deleted.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.admin.actor import acts
from smartbreed.admin.tables import ACTORS, AuditEntry
from smartbreed.core.database import Sessions, read, write

#: Kind of action → its name on the page.
ACTIONS: Mapping[str, str] = {
    "review": "Review",
    "retrain": "Retraining",
    "model": "Model in use",
    "role": "Role",
    "account": "Account",
    "switch": "Switch or cap",
    "message": "Message",
}


def note(session: Session, action: str, words: str, about: str = "") -> None:
    """Add an audit entry to the transaction that performs the action.

    Args:
        action: a key of `ACTIONS`.
        words: a few words that name no person.
        about: id of the account that is acted on.
    """
    assert action in ACTIONS, action
    actor = acts()
    session.add(
        AuditEntry(
            at=dt.datetime.now(dt.UTC), actor=actor.kind, member_id=actor.member or None, action=action,
            words=words[:300], about_id=about or None,
        )
    )  # fmt: skip


def note_alone(sessions: Sessions, action: str, words: str) -> None:
    """Add an audit entry in a transaction of its own, for actions outside of the database.

    Raises:
        StorageError: the database refused.
    """
    with write(sessions) as session:
        note(session, action, words)


def entries(
    sessions: Sessions, action: str = "", actor: str = "", member: str = "", before: int = 0, most: int = 100
) -> list[AuditEntry]:
    """Return audit entries, newest first.

    Args:
        action, actor: one of `ACTIONS` or `ACTORS` to filter by; anything else: all.
        member: only entries by or about this account; empty: all.
        before: only entries with a smaller id; 0: from the newest.

    Raises:
        StorageError: the database refused.
    """
    query = sa.select(AuditEntry).order_by(AuditEntry.id.desc()).limit(most)
    if action in ACTIONS:
        query = query.where(AuditEntry.action == action)
    if actor in ACTORS:
        query = query.where(AuditEntry.actor == actor)
    if member:
        query = query.where(sa.or_(AuditEntry.member_id == member, AuditEntry.about_id == member))
    if before:
        query = query.where(AuditEntry.id < before)
    with read(sessions) as session:
        return list(session.scalars(query))


def forget_member(session: Session, member_id: str) -> None:
    """Remove the id of a deleted account from the log; the entries stay."""
    for column in (AuditEntry.member_id, AuditEntry.about_id):
        session.execute(sa.update(AuditEntry).where(column == member_id).values({column.key: None}))


def as_csv(rows: Iterable[AuditEntry]) -> str:
    """Return the entries as CSV with a header row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("id", "at", "actor", "member", "action", "words", "about"))
    for row in rows:
        writer.writerow(
            (row.id, row.at.isoformat(), row.actor, row.member_id or "", row.action, row.words,
             row.about_id or "")
        )  # fmt: skip
    return out.getvalue()
