"""The audit log: who did what when; only added to; without the ids of people who are gone."""

from __future__ import annotations

import csv
import datetime as dt
import io
import threading

import pytest
import sqlalchemy as sa
from support.members import MembersWorld

from smartbreed.accounts import member_data
from smartbreed.admin import audit
from smartbreed.admin.actor import Actor, acting
from smartbreed.admin.tables import AuditEntry
from smartbreed.core.database import write
from smartbreed.core.errors import AccountError, StorageError

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


def admin(world: MembersWorld, email: str) -> str:
    member, link = world.roster.create(email, "admin")
    world.members.reset(link.partition("token=")[2], "my two cats sing")
    return member.id


def test_who_did_what_is_noted_with_it(world: MembersWorld) -> None:
    one, other = admin(world, "one@example.org"), admin(world, "other@example.org")
    with acting(Actor("member", one)):
        world.roster.set_role(other, "maintainer", one)
        world.roster.disable(other, by=one)
    found = audit.entries(world.flags.sessions, member=one)
    noted = [(entry.actor, entry.member_id, entry.action, entry.words, entry.about_id) for entry in found]
    assert noted[:2] == [
        ("member", one, "account", "closed", other), ("member", one, "role", "maintainer", other)
    ]  # fmt: skip
    assert [entry.words for entry in audit.entries(world.flags.sessions, action="role")] == ["maintainer"]
    assert len(audit.entries(world.flags.sessions, actor="member")) == 2
    assert audit.entries(world.flags.sessions, before=found[1].id)[0].id < found[1].id
    rows = list(csv.DictReader(io.StringIO(audit.as_csv(found))))
    assert rows[0]["words"] == "closed"
    assert rows[0]["member"] == one


def test_rows_can_only_be_added(world: MembersWorld) -> None:
    audit.note_alone(world.flags.sessions, "model", "back to 1.2.0")
    for change in (
        sa.delete(AuditEntry),
        sa.update(AuditEntry).values(words="nothing happened"),
        sa.update(AuditEntry).values(at=NOW),
    ):
        with pytest.raises(StorageError), write(world.flags.sessions) as session:
            session.execute(change)
    assert [entry.words for entry in audit.entries(world.flags.sessions)] == ["back to 1.2.0"]


def test_the_ids_of_a_deleted_account_leave(world: MembersWorld) -> None:
    one, other = admin(world, "one@example.org"), admin(world, "other@example.org")
    with acting(Actor("member", other)):
        world.roster.set_role(one, "maintainer", other)
        world.roster.set_role(one, "admin", other)
    with acting(Actor("member", one)):
        member_data.delete(world.flags, world.kept, world.taught, other, NOW, one)
    entries = audit.entries(world.flags.sessions)
    assert (entries[0].words, entries[0].member_id, entries[0].about_id) == ("deleted", one, None)
    assert other not in {id_ for entry in entries for id_ in (entry.member_id, entry.about_id)}
    assert [entry.about_id for entry in entries if entry.action == "role"] == [one, one]


@pytest.mark.parametrize("how", ["role", "close", "delete"])
def test_the_last_admin_stays(world: MembersWorld, how: str) -> None:
    only = admin(world, "only@example.org")
    world.roster.create("never@confirmed.example", "admin")  # cannot sign in, so does not count

    def go(who: str, by: str) -> None:
        if how == "role":
            world.roster.set_role(who, "member", by)
        elif how == "close":
            world.roster.disable(who, by=by)
        else:
            member_data.delete(world.flags, world.kept, world.taught, who, NOW, by)

    with pytest.raises(AccountError, match="last admin"):
        go(only, only)
    assert world.roster.find(only).role == "admin"
    second = admin(world, "second@example.org")
    go(only, only)
    with pytest.raises(AccountError, match="no longer one"):
        go(second, only)
    with pytest.raises(AccountError, match="last admin"):
        go(second, second)


def test_of_two_admins_who_demote_each_other_at_once_entryis_left(world: MembersWorld) -> None:
    one, other = admin(world, "one@example.org"), admin(world, "other@example.org")
    said: list[str] = []
    barrier = threading.Barrier(2)

    def demote(who: str, by: str) -> None:
        barrier.wait()
        try:
            world.roster.set_role(who, "member", by)
        except AccountError as error:
            said.append(error.code)

    threads = [threading.Thread(target=demote, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["not_admin"]
    assert sorted(member.role for member in world.roster.list()) == ["admin", "member"]
