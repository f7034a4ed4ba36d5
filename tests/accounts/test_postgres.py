"""The tests of accounts once more, on a real PostgreSQL server."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import test_kept_photos
import test_member_data
import test_members
from admin import test_audit, test_switches
from contact import test_messages
from support.members import EMAIL, MembersWorld
from support.postgres import new_database, postgres

from smartbreed.core.errors import AccountError

pytestmark = pytest.mark.slow
_numbers = itertools.count()
#: These look into SQLite's file, or share one world for all examples of a property.
_OF_SQLITE = {
    "test_a_copy_of_the_database_does_not_sign_in",
    "test_made_up_links_and_cookies_open_nothing",
    "test_they_are_in_the_download_and_go_with_the_account",
    "test_the_work_before_an_answer_is_the_same_for_every_address",
}
for module in (test_members, test_member_data, test_kept_photos, test_messages, test_switches, test_audit):
    for name, value in vars(module).items():
        if name.startswith("test_") and name not in _OF_SQLITE:
            globals()[name] = value


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@pytest.fixture
def world(tmp_path: Path, server: str) -> Iterator[MembersWorld]:
    made = MembersWorld(tmp_path / "home", database_url=new_database(server, f"world{next(_numbers)}"))
    yield made
    made.members.close()
    made.flags.close()


@pytest.mark.parametrize("text", ["\0", "a\0b@example.org", "\ud800", "é" * 300, "'; DROP TABLE members; --"])
def test_text_that_postgresql_does_not_store(world: MembersWorld, text: str) -> None:
    world.joined(name=text)
    mine = world.members.find(EMAIL).id
    with pytest.raises(AccountError):
        world.members.log_in(text, "a wrong password", "x", agent=text)
    with pytest.raises(AccountError):
        world.members.find(text)
    with pytest.raises(AccountError):
        world.kept.get(mine, text)
    world.kept.agree(mine, dt.datetime.now(dt.UTC))
    assert world.kept.keep(mine, b"a photo", text, {"image": text, "pets": []}, dt.datetime.now(dt.UTC))
    assert json.loads(world.kept.list(mine)[0].answer)["image"] == text
    assert world.members.of({"cookie": f"smartbreed_member={text}"}) is None
    assert world.members.find(EMAIL).email == EMAIL
