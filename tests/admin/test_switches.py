"""Features and caps that an admin sets: they hold at once, before the settings, in every process."""

from __future__ import annotations

import pytest
from support.clock import Clock
from support.members import MembersWorld

from smartbreed.accounts.members import Claim, Members
from smartbreed.admin import audit, switches
from smartbreed.admin.switches import CAPS, FEATURES, Switches
from smartbreed.core.database import Sessions, read
from smartbreed.core.errors import AccountError, FlagError, RequestError, SettingError, StorageError
from smartbreed.core.settings import load_settings
from smartbreed.feedback.limits import Limits


def of(world: MembersWorld, **settings: object) -> Switches:
    return Switches(load_settings(home=world.home, **settings), lambda: world.flags.sessions)


def test_the_database_counts_before_the_settings(world: MembersWorld) -> None:
    site = of(world, off="quiz, ask", client_flags=7)
    assert site.off == {"quiz", "ask"}
    assert site.value("client_flags") == 7
    site.set("quiz", 1)
    site.set("sign_up", 0)
    site.set("client_flags", 3)
    assert site.off == {"ask", "sign_up"}
    assert site.value("client_flags") == 3
    assert site.set_by_hand() == {"quiz": 1, "sign_up": 0, "client_flags": 3}
    with pytest.raises(RequestError, match="New accounts cannot be created here"):
        site.require("sign_up")
    for name in ("quiz", "sign_up", "client_flags"):
        site.set(name, None)
    assert site.off == {"quiz", "ask"}
    assert site.value("client_flags") == 7
    words = [entry.words for entry in audit.entries(world.flags.sessions)]
    assert words[:4] == [
        "client_flags: as the settings say", "sign_up: as the settings say", "quiz: as the settings say",
        "client_flags: 3",
    ]  # fmt: skip
    site.set("quiz", None)  # nothing changes, so nothing is noted
    assert len(audit.entries(world.flags.sessions)) == len(words)


def test_other_processes_follow(world: MembersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(switches.time, "monotonic", clock.seconds)
    one, other = of(world), of(world)
    assert other.is_on("quiz")
    one.set("quiz", 0)
    assert not one.is_on("quiz")
    clock.forward(2)
    assert not other.is_on("quiz")


def test_a_database_that_refuses_is_asked_once_for_all_values(
    world: MembersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, asked, refuses = Clock(), 0, True
    monkeypatch.setattr(switches.time, "monotonic", clock.seconds)

    def sessions() -> Sessions:
        nonlocal asked
        asked += 1
        if refuses:
            raise StorageError("The database cannot be reached.")
        return world.flags.sessions

    of(world).set("sign_up", 0)
    site = Switches(load_settings(home=world.home, off="quiz"), sessions)
    assert (site.off, site.value("client_flags"), asked) == ({"quiz"}, world.settings.client_flags, 1)
    clock.forward(2)
    refuses = False
    assert (site.off, asked) == ({"quiz", "sign_up"}, 2)
    clock.forward(2)
    refuses = True
    assert [site.off, site.off] == [{"quiz", "sign_up"}] * 2  # the last values known
    assert asked == 3


@pytest.mark.parametrize(("name", "value"), [("nothing", 1), ("quiz", 2), ("quiz", -1), ("quota", 10**18)])
def test_values_that_make_no_sense(world: MembersWorld, name: str, value: int) -> None:
    site = of(world)
    with pytest.raises(RequestError):
        site.set(name, value)
    assert site.set_by_hand() == {}


def test_the_setting_names_features(world: MembersWorld) -> None:
    assert of(world, off=",".join(FEATURES)).off == set(FEATURES)
    assert of(world, take_flags=False).off == {"flags"}
    with pytest.raises(SettingError, match="SMARTBREED_OFF"):
        of(world, off="everything")


def test_flags_follow_in_the_transaction_that_saves_them(world: MembersWorld) -> None:
    site = of(world)
    for name in CAPS:
        site.set(name, 5)
    site.set("flags", 0)
    with read(world.flags.sessions) as session:
        assert Limits.now(world.settings, session) == Limits(False, 5, 5, 5)
        with pytest.raises(FlagError, match="Flags are not accepted"):
            world.flags._limits.check(session, "", "", 1)
    site.set("flags", None)
    with read(world.flags.sessions) as session, pytest.raises(FlagError, match="space"):
        world.flags._limits.check(session, "", "", 6)


def test_without_new_accounts_those_that_are_there_work(world: MembersWorld) -> None:
    claim = Claim("Google", "https://accounts.google.com", "1", "new@example.org", True)
    world.joined()
    closed = Members(
        world.settings, lambda: world.flags.sessions, world.clock.seconds, world.clock.forward,
        world.letters, takes_new=lambda: False,
    )  # fmt: skip
    for attempt in (
        lambda: closed.sign_up("new@example.org", "my two cats sing", "", "1.2.3.4"),
        lambda: closed.enter_with(claim),
    ):
        with pytest.raises(AccountError) as caught:
            attempt()
        assert caught.value.code == "no_new_accounts"
    own = Claim("Google", claim.issuer, "2", world.letters.sent[0].address, True)
    assert closed.enter_with(own)
    assert len(world.roster.list()) == 1
    closed.close()
