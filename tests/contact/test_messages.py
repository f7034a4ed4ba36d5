"""Messages to the people who run this site, without a page."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from support.members import MembersWorld

from smartbreed.accounts import member_data
from smartbreed.contact.messages import LONGEST, Messages, clean_text
from smartbreed.contact.tables import ContactMessage
from smartbreed.core.database import read
from smartbreed.core.errors import RequestError

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


class Clock:
    now = NOW

    def __call__(self) -> dt.datetime:
        return self.now


def messages(world: MembersWorld, **more: object) -> Messages:
    return Messages(lambda: world.flags.sessions, **more)  # type: ignore[arg-type]


def test_a_message_is_kept_marked_and_deleted(world: MembersWorld) -> None:
    box = messages(world)
    first = box.send("Hello\r\nthere", "idea", "a@example.org")
    second = box.send("Another", "problem")
    assert [one.id for one in box.list()] == [second.id, first.id]
    assert (box.list()[1].text, box.list()[1].email) == ("Hello\nthere", "a@example.org")
    assert box.count() == {"new": 2, "read": 0, "answered": 0}
    box.mark(first.id, "answered")
    assert [one.id for one in box.list("answered")] == [first.id]
    box.delete(first.id)
    for change in (
        lambda: box.delete(first.id),
        lambda: box.mark(first.id, "read"),
        lambda: box.delete("x'"),
    ):
        with pytest.raises(RequestError, match="is gone"):
            change()
    with pytest.raises(RequestError):
        box.mark(second.id, "burnt")
    assert box.count() == {"new": 1, "read": 0, "answered": 0}


@pytest.mark.parametrize(
    ("text", "topic", "code"),
    [("", "idea", "empty_message"), (" \0\n\ud800", "idea", "empty_message"),
     ("x" * (LONGEST + 1), "idea", "too_long"), ("x", "spam", "unknown_topic")],
)  # fmt: skip
def test_what_is_no_message(world: MembersWorld, text: str, topic: str, code: str) -> None:
    box = messages(world)
    with pytest.raises(RequestError) as caught:
        box.send(text, topic)
    assert caught.value.code == code
    assert box.list() == []


def test_text_is_cleaned_and_nothing_of_it_is_lost() -> None:
    assert clean_text("10\u00a0km,\u3000柴\u2028犬\vWau") == "10 km, 柴 犬 Wau"
    assert clean_text("می\u200cخواهم") == "می\u200cخواهم"
    assert clean_text("\0a\tb\x1b[31m\ud800 👩\u200d👧 é\u202e\n") == "a\tb[31m 👩\u200d👧 é"
    script = "<script>alert(1)</script>{{7*7}}"
    assert clean_text(script) == script


def test_messages_are_forgotten_after_their_days(world: MembersWorld) -> None:
    clock = Clock()
    box = messages(world, keep_days=30, clock=clock)
    box.send("old", "idea")
    clock.now += dt.timedelta(days=20)
    box.send("young", "idea")
    assert box.forget_old() == 0
    clock.now += dt.timedelta(days=11)
    assert box.forget_old() == 1
    assert [one.text for one in box.list()] == ["young"]
    assert messages(world, keep_days=0, clock=clock).forget_old() == 0


def test_they_come_with_the_download_and_go_with_the_account(world: MembersWorld) -> None:
    who = world.who(world.joined())
    assert who is not None
    box = messages(world)
    box.send("mine", "privacy", "", who.id)
    kept = box.send("another's", "privacy")
    member_data.delete(world.flags, world.kept, world.taught, who.id, NOW)
    assert [one.id for one in box.list()] == [kept.id]
    with read(world.flags.sessions) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ContactMessage)) == 1
