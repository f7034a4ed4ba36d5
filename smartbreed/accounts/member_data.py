"""The data kept about a member: list it, export it, and delete it with a receipt."""

from __future__ import annotations

import datetime as dt
import json
import logging
import secrets
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.accounts.kept_photos import KeptPhotos
from smartbreed.accounts.roster import check_admin
from smartbreed.accounts.tables import DeletionReceipt, Member, MemberFlag, MemberIdentity, MemberSession
from smartbreed.admin.actor import acts
from smartbreed.admin.audit import forget_member, note
from smartbreed.contact.tables import ContactMessage
from smartbreed.core.database import Sessions, forget_deleted, read, write
from smartbreed.core.errors import AccountError, HubCallError, StorageError
from smartbreed.dataset.tables import Erasure, Shard, ShardRow
from smartbreed.feedback.flags import FlagService
from smartbreed.feedback.tables import Flag
from smartbreed.quiz.tables import QuizGame
from smartbreed.review.decisions import latest_decisions
from smartbreed.review.tables import Decision
from smartbreed.teach.store import ModelStore

log = logging.getLogger(__name__)

#: Ids per query; databases limit the number of parameters.
_BATCH = 500


@dataclass(frozen=True)
class OwnFlag:
    """A member's flag, and the latest decision about it; None if there is none."""

    flag: Flag
    decision: Decision | None


def own_flags(sessions: Sessions, member_id: str, most: int = 500) -> list[OwnFlag]:
    """Return the flags that a member saved while signed in, newest first.

    Args:
        most: maximum number of flags.

    Raises:
        StorageError: the database refused.
    """
    mine = sa.select(MemberFlag.flag_id).where(MemberFlag.member_id == member_id)
    with read(sessions) as session:
        flags = session.scalars(
            sa.select(Flag)
            .where(Flag.id.in_(mine))
            .order_by(Flag.flagged_at.desc(), Flag.id.desc())
            .limit(most)
        ).all()
        decisions = latest_decisions(session, [flag.id for flag in flags])
    return [OwnFlag(flag, decisions.get(flag.id)) for flag in flags]


def own_flag(flags: FlagService, member_id: str, flag_id: str) -> Flag:
    """Return one of a member's flags that still has its photo.

    Raises:
        AccountError: ``no_such_photo`` (404) if it is not theirs, was withdrawn, or has lost its photo.
        StorageError: the database refused.
    """
    query = sa.select(Flag).join(MemberFlag, MemberFlag.flag_id == Flag.id)
    flag = None
    if flag_id.isascii() and flag_id.isalnum():  # other characters can make a database driver fail
        with read(flags.sessions) as session:
            flag = session.scalar(query.where(MemberFlag.member_id == member_id, Flag.id == flag_id))
    if flag is None or flag.state == "withdrawn" or not flags.blobs.exists(flag.sample_id):
        raise AccountError("no_such_photo", "You have no such photo.", status=404)
    return flag


def export(flags: FlagService, kept: KeptPhotos, taught: ModelStore, member_id: str, out: IO[bytes]) -> None:
    """Write a zip of all data kept about a member: JSON files and photos. Unreadable photos are left out.

    Raises:
        StorageError: the database refused.
    """
    with read(flags.sessions) as session:
        member = session.get(Member, member_id)
        identities = session.scalars(
            sa.select(MemberIdentity).where(MemberIdentity.member_id == member_id)
        ).all()
        opened = session.scalars(sa.select(MemberSession).where(MemberSession.member_id == member_id)).all()
        games = session.scalars(sa.select(QuizGame).where(QuizGame.member_id == member_id)).all()
        written = session.scalars(
            sa.select(ContactMessage).where(ContactMessage.member_id == member_id)
        ).all()
    models, model_photos = taught.export(member_id)
    found, photos = own_flags(flags.sessions, member_id, most=1_000_000), kept.list(member_id)
    account = {**_values(member, "password_hash"), "password": bool(member and member.password_hash)}
    files = {
        "account": account,
        "sign_ins": [_values(one, "member_id") for one in identities],
        "sessions": [_values(one, "member_id", "id") for one in opened],
        "flags": [
            {**_values(one.flag, "flagger", "dedupe_key"),
             "decision": one.decision and _values(one.decision, "reviewer")} for one in found
        ],
        "photos": [{**_values(one, "member_id"), "answer": json.loads(one.answer)} for one in photos],
        "quiz": [_values(one, "mark", "member_id", "question", "result", "asked") for one in games],
        "models": models,
        "messages": [_values(one, "member_id") for one in written],
    }  # fmt: skip
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.json", json.dumps(content, indent=2, ensure_ascii=False, default=str))
        names = [(flags.blobs, one.flag.sample_id) for one in found if one.flag.state != "withdrawn"]
        names += [(kept.store, one.sample_id) for one in photos]
        for sample_id, store in {name: store for store, name in names}.items():
            try:
                photo = store.get(sample_id)
            except StorageError as error:
                log.warning("left out of a download: %s", error.message)
                continue
            suffix = "png" if photo.startswith(b"\x89PNG") else "jpg"
            archive.writestr(f"photos/{sample_id}.{suffix}", photo, zipfile.ZIP_STORED)
        for name, photo in model_photos:
            archive.writestr(name, photo, zipfile.ZIP_STORED)


def delete(
    flags: FlagService, kept: KeptPhotos, taught: ModelStore, member_id: str, now: dt.datetime, by: str = ""
) -> str:
    """Delete an account: first its rows, then its photos. The next publishing removes what was published.

    All rows are deleted in the transaction that adds the receipt, so a crash leaves all or nothing. `go_on`
    does what remains after that.

    Args:
        by: id of the admin who deletes the account, also if it is their own; empty for everyone else.

    Returns:
        The id of the receipt.

    Raises:
        AccountError: ``no_such_member``.
        StorageError: the database refused; nothing was deleted.
    """
    receipt = DeletionReceipt(id=secrets.token_hex(16), rows_at=now, flags=0, published=0)
    with write(flags.sessions) as session:
        member = session.get(Member, member_id)
        if member is None:
            raise AccountError("no_such_member", "There is no such account.", status=404)
        if by:
            check_admin(session, by, member_id, keeps=False)
        if acts().kind != "app" and acts().member != member_id:
            note(session, "account", "deleted")
        own_ids = sa.select(MemberFlag.flag_id).where(MemberFlag.member_id == member_id)
        mine = session.scalars(sa.select(Flag).where(Flag.id.in_(own_ids))).all()
        # The publisher rewrites every dataset shard that contains one of their rows or a decision about one.
        decided = sa.select(Decision.decision_id).where(Decision.flag_id.in_(own_ids))
        in_shards = sa.select(Shard.path, ShardRow.row_id).join(ShardRow, ShardRow.shard_id == Shard.id)
        sealed = session.execute(
            in_shards.where(sa.or_(ShardRow.row_id.in_(own_ids), ShardRow.row_id.in_(decided)))
        ).all()
        session.execute(sa.delete(MemberFlag).where(MemberFlag.member_id == member_id))
        photos, own = flags.erase_rows(session, mine), kept.erase_rows(session, member_id)
        models, repos = taught.erase_rows(session, member_id)
        for table in (MemberSession, MemberIdentity, QuizGame, ContactMessage):
            session.execute(sa.delete(table).where(table.member_id == member_id))
        forget_member(session, member_id)
        session.delete(member)
        receipt.flags = len(mine)
        receipt.published = len({row.row_id for row in sealed} & {flag.id for flag in mine})
        receipt.pending = json.dumps(
            {"photos": sorted(photos), "kept": sorted(own), "models": models, "repos": repos,
             "rows": [row.row_id for row in sealed], "paths": sorted({row.path for row in sealed})}
        )  # fmt: skip
        session.add(receipt)
    try:
        go_on(flags, kept, taught, receipt.id, now)
    except StorageError as error:  # the rows are gone; a periodic task retries the rest
        log.warning("photos of a deleted account are still to be deleted: %s", error.message)
    return receipt.id


def go_on(
    flags: FlagService, kept: KeptPhotos, taught: ModelStore, receipt_id: str, now: dt.datetime
) -> DeletionReceipt | None:
    """Continue a deletion and record its progress in the receipt. Idempotent.

    Returns:
        The receipt; None if there is none with this id.

    Raises:
        StorageError: disk or database refused.
    """
    with read(flags.sessions) as session:
        receipt = session.get(DeletionReceipt, receipt_id)
    if receipt is None or receipt.pending is None:
        return receipt
    left = json.loads(receipt.pending)
    if receipt.photos_at is None:
        kept.drop(left.get("kept", []))
        flags.drop_photos(left["photos"])
        try:
            taught.drop(left.get("models", []), left.get("repos", []))
        except HubCallError as error:  # the next call retries
            log.warning("a repo of a deleted account is still to be deleted: %s", error.message)
            return receipt
    with write(flags.sessions) as session:
        receipt = session.get(DeletionReceipt, receipt_id)
        if receipt is None or receipt.pending is None:
            return receipt
        receipt.photos_at = receipt.photos_at or now
        receipt.pending = json.dumps({**left, "photos": [], "kept": [], "models": [], "repos": []})
        if _has_left_the_dataset(session, left["rows"]):
            erased = [row.done_at for row in _erasures(session, left["paths"], receipt.rows_at)]
            if None not in erased:
                receipt.dataset_at, receipt.pending = max(filter(None, erased), default=now), None
    forget_deleted(flags.sessions)  # the receipt held the names of the photos until now
    return receipt


def go_on_with_all(flags: FlagService, kept: KeptPhotos, taught: ModelStore, now: dt.datetime) -> None:
    """Call `go_on` for every deletion that is not complete; one that fails keeps no other from going on.

    Raises:
        StorageError: disk or database refused.
    """
    with read(flags.sessions) as session:
        query = sa.select(DeletionReceipt.id).where(DeletionReceipt.pending.is_not(None))
        ids = list(session.scalars(query))
    failed: StorageError | None = None
    for receipt_id in ids:
        try:
            go_on(flags, kept, taught, receipt_id, now)
        except StorageError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _has_left_the_dataset(session: Session, rows: list[str]) -> bool:
    batches = (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))
    query = sa.select(ShardRow.row_id).limit(1)
    return all(session.scalar(query.where(ShardRow.row_id.in_(batch))) is None for batch in batches)


def _erasures(session: Session, paths: list[str], since: dt.datetime) -> Iterable[Erasure]:
    """Return the erasures of these paths from the repo's history that were requested since a moment."""
    return session.scalars(sa.select(Erasure).where(Erasure.path.in_(paths), Erasure.asked_at >= since))


def _values(row: Any, *without: str) -> dict[str, Any]:
    """Return the columns of a row as a dict for JSON; empty if ``row`` is None."""
    if row is None:
        return {}
    return {name: getattr(row, name) for name in row.__mapper__.columns.keys() if name not in without}  # noqa: SIM118
