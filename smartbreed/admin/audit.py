"""The audit log: who did what when, of what maintainers and admins do.

Who acts is said once, by the interface (`acting`); what is done notes itself (`note`), where it can in the
transaction that does it. A member is known by the id of the account alone, and by no id once it is deleted.
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

#: What is noted, and what the page calls it.
ACTIONS: Mapping[str, str] = {
    "review": "Review",
    "retrain": "Retraining",
    "model": "Model that answers",
    "role": "Role",
    "account": "Account",
    "switch": "Switch or cap",
    "message": "Message",
}


def note(session: Session, action: str, words: str, about: str = "") -> None:
    """Note in a transaction what it does.

    Args:
        action: a key of `ACTIONS`.
        words: a few words that name no person.
        about: id of the account that it is done to.
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
    """`note` in a transaction of its own, for what is done outside of the database.

    Raises:
        StorageError: the database refused.
    """
    with write(sessions) as session:
        note(session, action, words)


def entries(
    sessions: Sessions, action: str = "", actor: str = "", member: str = "", before: int = 0, most: int = 100
) -> list[AuditEntry]:
    """What was done, the latest first.

    Args:
        action, actor: only that of `ACTIONS` and `ACTORS`; anything else: all.
        member: only what this account did, or what was done to it.
        before: only entries with a smaller id; 0: from the latest.

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
    """Take the id of a deleted account out of the log; what was done stays."""
    for column in (AuditEntry.member_id, AuditEntry.about_id):
        session.execute(sa.update(AuditEntry).where(column == member_id).values({column.key: None}))


def as_csv(rows: Iterable[AuditEntry]) -> str:
    """The entries as CSV, with a line of names."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("id", "at", "actor", "member", "action", "words", "about"))
    for row in rows:
        writer.writerow(
            (row.id, row.at.isoformat(), row.actor, row.member_id or "", row.action, row.words,
             row.about_id or "")
        )  # fmt: skip
    return out.getvalue()
