"""Accounts: signing up and in, links, sessions, roles; and what they do not give away."""

from __future__ import annotations

import datetime as dt
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from support.members import EMAIL, PASSWORD, MembersWorld

from smartbreed.accounts import members as module
from smartbreed.accounts.fields import normalise
from smartbreed.accounts.link_tokens import LASTS_S as LINK_LASTS_S
from smartbreed.accounts.maintainers import TOKEN_HEADER, Maintainers
from smartbreed.accounts.members import COOKIE, FRESH_S, LASTS_S, Claim, Members
from smartbreed.accounts.signed import CLOCKS_DIFFER_S
from smartbreed.accounts.tables import Member, MemberSession, UsedToken
from smartbreed.core.database import read, write
from smartbreed.core.errors import AccountError
from smartbreed.core.text import one_line
from smartbreed.throttle.login_throttle import SLOW_S
from smartbreed.throttle.rate import STRETCH_S

NEW = "a dog under the table"


def refused(code: str) -> Any:
    """A block that ends with this refusal."""

    class Refused:
        def __enter__(self) -> None: ...

        def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
            assert isinstance(error, AccountError), f"nothing was refused; wanted {code}"
            assert error.code == code
            return True

    return Refused()


def test_from_sign_up_to_sign_out(world: MembersWorld) -> None:
    cookie = world.joined()
    who = world.who(cookie)
    assert who is not None
    assert (who.email, who.name, who.role, who.shown) == (EMAIL, "Rosa", "member", "Rosa")
    assert world.letter().kind == "verify"
    assert world.letter().link.startswith("http://127.0.0.1:7860/account/verify?token=")
    world.members.end_sessions(who)
    assert world.who(cookie) is None
    again = world.members.log_in("  ROSA.Valentin@Example.ORG ", PASSWORD, "1.2.3.4")
    assert world.who(again) is not None


def test_nothing_is_open_before_the_address_is_confirmed(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    first = world.letter().token
    with refused("unverified"):
        world.members.log_in(EMAIL, PASSWORD, "x", browser="browser")
    assert world.letter().token != first
    assert len(world.letters.sent) == 2
    assert world.members.verify(world.letter().token, "browser", "x")


def test_signing_up_with_the_address_of_another_person_gains_nothing(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, "the attacker chose this", "", "6.6.6.6", "their browser")
    letter = world.letter()
    # The owner follows the link, in their own browser and without the attacker's password.
    assert world.members.needs_password(letter.token, "my browser")
    with refused("password_needed"):
        world.members.verify(letter.token, "my browser", "x")
    with refused("wrong_password"):
        world.members.verify(letter.token, "my browser", "x", PASSWORD)
    with refused("unverified"):
        world.members.log_in(EMAIL, "the attacker chose this", "6.6.6.6")
    # The owner signs up: the attacker's password and link are gone.
    assert world.who(world.joined()) is not None
    with refused("wrong_password"):
        world.members.log_in(EMAIL, "the attacker chose this", "6.6.6.6")
    with refused("bad_link"):
        world.members.verify(letter.token, "their browser", "6.6.6.6")


def test_in_another_browser_the_password_confirms(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    assert world.who(world.members.verify(world.letter().token, "another", "x", PASSWORD)) is not None


def test_an_address_that_has_an_account_hears_of_it_by_mail_alone(world: MembersWorld) -> None:
    cookie = world.joined()
    world.members.sign_up(EMAIL, "another password", "Mallory", "x", "b")
    assert world.letter().kind == "known"
    assert world.letter().address == EMAIL
    who = world.who(cookie)
    assert who is not None
    assert who.name == "Rosa"
    assert world.members.log_in(EMAIL, PASSWORD, "x"), "the password is as it was"


@pytest.mark.parametrize("known", [True, False])
def test_the_work_before_an_answer_is_the_same_for_every_address(
    world: MembersWorld, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Structure, not clock: hashes, statements and what is left for later are counted."""
    if known:
        world.joined()
    world.members._dummy  # noqa: B018 - made once a process
    done: list[str] = []
    later: list[Any] = []
    monkeypatch.setattr(world.members._behind, "submit", later.append)
    hasher = world.members._passwords
    for name in ("hash", "verify"):
        real = getattr(hasher, name)
        monkeypatch.setattr(
            hasher, name, lambda *given, real=real, name=name: (done.append(name), real(*given))[1]
        )
    with world.flags.sessions() as session:
        engine = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", lambda *given: done.append(given[2].split()[0]))
    with pytest.raises(AccountError) as error:
        world.members.log_in(EMAIL, "a wrong password", "x")
    assert (error.value.code, error.value.message) == ("wrong_password", module._WRONG)
    # The account, what the caller has got wrong, the comparison, and that it was wrong once more.
    assert done == ["BEGIN", "SELECT", "BEGIN", "SELECT", "verify", "BEGIN", "SELECT", "INSERT"]
    done.clear()
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "b")
    asked = ["BEGIN", "SELECT", "BEGIN", "SELECT", "SELECT"]  # how often this network has asked
    assert (done, len(later)) == ([*asked, "INSERT", "hash"], 1)
    done.clear()
    world.members.forgot(EMAIL, "x")
    assert (done, len(later)) == ([*asked, "UPDATE"], 2)


def test_a_link_works_once(world: MembersWorld) -> None:
    world.joined()
    token = world.letter().token
    for browser in ("browser", "other"):
        with refused("bad_link"):
            world.members.verify(token, browser, "x", PASSWORD)
    world.members.forgot(EMAIL, "x")
    reset = world.letter().token
    assert world.members.reset(reset, NEW)
    with refused("bad_link"):
        world.members.reset(reset, PASSWORD)
    with refused("bad_link"):
        world.members.check_reset(reset)


def test_a_used_link_stays_used_in_every_spelling(world: MembersWorld) -> None:
    """The last character of base64 has bits that mean nothing, so one signature has several texts."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cookie = world.joined()
    who = world.who(cookie)
    assert who is not None
    token = world.members._tokens.make("reset", who.id, world.members._mark(world.roster.find(EMAIL)))
    last = alphabet.index(token[-1])
    spellings = [token[:-1] + alphabet[(last & ~3) | bits] for bits in range(4)]
    ids = {world.members._tokens.read("reset", one).id for one in spellings}
    assert len(ids) == 1
    world.members.reset(token, PASSWORD)
    for spelling in spellings:
        with refused("bad_link"):
            world.members.reset(spelling, NEW)


def test_a_new_password_ends_older_links_and_all_sessions(world: MembersWorld) -> None:
    cookie = world.joined()
    world.members.forgot(EMAIL, "x")
    first = world.letter().token
    world.members.forgot(EMAIL, "x")
    second = world.letter().token
    assert first != second
    fresh = world.members.reset(second, NEW)
    assert world.who(cookie) is None
    assert world.who(fresh) is not None
    with refused("bad_link"):
        world.members.reset(first, PASSWORD)
    with refused("wrong_password"):
        world.members.log_in(EMAIL, PASSWORD, "x")
    assert world.members.log_in(EMAIL, NEW, "x")


def test_a_password_that_changes_while_it_is_compared_opens_nothing(
    world: MembersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.joined()
    world.members.forgot(EMAIL, "x")
    token = world.letter().token
    compared = world.members._matches

    def slowly(password: str, hashed: str) -> bool:
        right = compared(password, hashed)
        world.members.reset(token, NEW)
        return right

    monkeypatch.setattr(world.members, "_matches", slowly)
    with refused("wrong_password"):
        world.members.log_in(EMAIL, PASSWORD, "x")


def test_signing_up_again_gives_the_full_time(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    world.members.settle()
    world.clock.forward(module.UNCONFIRMED_S - 60)
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    token = world.letter().token
    world.clock.forward(120)
    world.joined("other@example.org")
    assert world.members.verify(token, "browser", "x")


def test_a_form_does_not_end_an_invitation(world: MembersWorld) -> None:
    _, link = world.roster.create(EMAIL, "admin")
    token = link.rpartition("token=")[2]
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    assert world.letter().kind == "reset"
    world.members.check_reset(token)
    assert world.members.reset(token, NEW)
    with refused("wrong_password"):
        world.members.log_in(EMAIL, PASSWORD, "x")


def test_no_second_connection_is_opened_while_writing(world: MembersWorld) -> None:
    asked: list[bool] = []

    def takes_new() -> bool:
        # In another thread, as a connection of its own: inside the write it would wait until it gives up.
        done = threading.Event()

        def write_too() -> None:
            with write(world.flags.sessions):
                done.set()

        threading.Thread(target=write_too, daemon=True).start()
        asked.append(done.wait(60))
        return True

    members = Members(
        world.settings, lambda: world.flags.sessions, world.clock.seconds, world.clock.forward, world.letters,
        takes_new,
    )  # fmt: skip
    assert members.enter_with(Claim("a provider", "https://id.example.org", "1", EMAIL, True))
    assert asked == [True]


def test_links_expire(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    token = world.letter().token
    world.clock.forward(LINK_LASTS_S["verify"] + 1)
    with refused("bad_link"):
        world.members.verify(token, "browser", "x")
    world.joined()
    world.members.forgot(EMAIL, "x")
    reset = world.letter().token
    world.clock.forward(LINK_LASTS_S["reset"] + 1)
    with refused("bad_link"):
        world.members.reset(reset, NEW)


def test_a_link_works_where_the_clock_is_a_little_behind(world: MembersWorld) -> None:
    """Of several machines, or of one whose clock was set back between making and opening it."""
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    token = world.letter().token
    world.clock.forward(-CLOCKS_DIFFER_S - 10)
    with refused("bad_link"):
        world.members.verify(token, "browser", "x")
    world.clock.forward(20)
    assert world.members.verify(token, "browser", "x")


def test_swapped_and_forged_links(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, PASSWORD, "", "x", "browser")
    verify = world.letter().token
    with refused("bad_link"):
        world.members.reset(verify, NEW)
    world.members.verify(verify, "browser", "x")
    world.members.forgot(EMAIL, "x")
    reset = world.letter().token
    with refused("bad_link"):
        world.members.verify(reset, "browser", "x", PASSWORD)
    foreign = world.another(secret="another secret of another installation")
    with refused("bad_link"):
        foreign.reset(reset, NEW)
    payload, time, signature = reset.rsplit(".", 2)
    for forged in ("", ".", "..", payload, f"{payload}.{time}", f"{payload}.{time}.", reset + "x", "é" * 50,
                   f"{payload}.{time[::-1]}.{signature}", f"{payload[:-3]}AAA.{time}.{signature}",
                   "x" * 5000):  # fmt: skip
        with refused("bad_link"):
            world.members.reset(forged, NEW)
    assert world.members.reset(reset, NEW)


@given(text=st.text(max_size=200))
def test_made_up_links_and_cookies_open_nothing(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    world = worlds(tmp_path_factory)
    for value in (text, f"{text}.{text}", ("A" * 43 + text)[-60:]):
        assert world.who(value) is None
        with pytest.raises(AccountError, match="no longer works"):
            world.members.check_reset(value)


_made: list[MembersWorld] = []


def worlds(factory: pytest.TempPathFactory) -> MembersWorld:
    """One for all examples of a property."""
    if not _made:
        _made.append(MembersWorld(factory.mktemp("shared") / "home"))
        _made[0].joined()
    return _made[0]


def test_forged_cookies(world: MembersWorld) -> None:
    cookie = world.joined()
    value, _, signature = cookie.rpartition(".")
    who = world.who(cookie)
    assert who is not None
    sign = world.another(secret="a secret of another installation")._cookies.sign
    for forged in (value, f"{value}.", f"{value[::-1]}.{signature}", who.session, sign(value).decode(),
                   world.members._cookies.sign(who.session).decode()):  # fmt: skip
        assert world.who(forged) is None
    assert world.another().of({"cookie": f"a=b; {COOKIE}={cookie}"}) is not None, "another process knows it"


@pytest.mark.parametrize(
    "other", ['x={"a":1}', "x=[1, 2]", "näm=1", "=", "a b c", 'open="', f"not_{COOKIE}=v", "", "x={1}; y=é"]
)
def test_cookies_of_other_apps_do_not_hide_ours(world: MembersWorld, other: str) -> None:
    cookie = world.joined()
    for header in (
        f"{other}; {COOKIE}={cookie}",
        f"{COOKIE}={cookie}; {other}",
        f'{other};{COOKIE}="{cookie}"',
    ):
        assert world.members.of({"cookie": header}) is not None, header
    assert world.members.of({"cookie": f"{other}; x{COOKIE}={cookie}"}) is None
    assert world.members.of({"cookie": other}) is None


def test_a_copy_of_the_database_does_not_sign_in(world: MembersWorld) -> None:
    cookie = world.joined()
    stored = b"".join(path.read_bytes() for path in world.home.glob("smartbreed.db*"))
    value = cookie.rpartition(".")[0]
    assert EMAIL.encode() in stored
    assert value.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert b"$argon2id$" in stored


def test_every_sign_in_has_a_session_of_its_own(world: MembersWorld) -> None:
    planted = world.joined()
    mine = world.members.log_in(EMAIL, PASSWORD, "x", before=planted)
    assert mine != planted
    assert world.who(planted) is None, "the session that the browser had ends"
    assert world.who(mine) is not None


def test_sessions_end_by_themselves_and_one_by_one(world: MembersWorld) -> None:
    here = world.joined()
    world.clock.forward(1)
    there = world.members.log_in(EMAIL, PASSWORD, "x", agent="Mozilla/5.0 (X11; Linux) Firefox/140.0")
    who, other = world.who(here), world.who(there)
    assert who is not None
    assert other is not None
    assert [one.browser for one in world.members.sessions_of(who.id)] == ["Firefox on Linux", "A browser"]
    world.members.end_sessions(who, other.session)
    assert world.who(there) is None
    assert world.who(here) is not None
    assert world.members.member_of(who.session) == who.id
    world.clock.forward(LASTS_S + 1)
    assert world.who(here) is None
    assert world.members.member_of(who.session) == ""


def test_another_members_session_cannot_be_ended(world: MembersWorld) -> None:
    mine, theirs = world.joined(), world.joined("other@example.org")
    who, other = world.who(mine), world.who(theirs)
    assert who is not None
    assert other is not None
    world.members.end_sessions(who, other.session)
    assert world.who(theirs) is not None


def test_only_so_many_sessions(world: MembersWorld) -> None:
    world.joined()
    for _ in range(module._MOST_SESSIONS + 3):
        world.clock.forward(1)
        last = world.members.log_in(EMAIL, PASSWORD, "x")
    who = world.who(last)
    assert who is not None
    assert len(world.members.sessions_of(who.id)) == module._MOST_SESSIONS


def test_changing_the_password_needs_the_old_one(world: MembersWorld) -> None:
    here = world.joined()
    there = world.members.log_in(EMAIL, PASSWORD, "x")
    who = world.who(here)
    assert who is not None
    with refused("wrong_password"):
        world.members.change_password(who, "not it at all", NEW, "x")
    with refused("bad_password"):
        world.members.change_password(who, PASSWORD, "short", "x")
    world.members.change_password(who, PASSWORD, NEW, "x")
    assert world.who(here) is not None
    assert world.who(there) is None
    assert world.members.log_in(EMAIL, NEW, "x")


def test_guessing_is_slowed(world: MembersWorld) -> None:
    world.joined()
    started = world.clock.now
    for _ in range(5):
        with refused("wrong_password"):
            world.members.log_in(EMAIL, "a wrong password", "1.2.3.4")
    assert (world.clock.now - started).total_seconds() >= 4 * SLOW_S
    assert world.members.log_in(EMAIL, PASSWORD, "9.9.9.9")


@pytest.mark.parametrize(
    "password", ["", "short", "aaaaaaaaaaaaaaa", "ababababababab", EMAIL, EMAIL.upper(), "x" * 201]
)
def test_bad_passwords(world: MembersWorld, password: str) -> None:
    with refused("bad_password"):
        world.members.sign_up(EMAIL, password, "", "x")
    world.members.settle()
    assert world.roster.list() == []


@pytest.mark.parametrize(
    "email", ["", "rosa", "@", "a@", "@b.org", "a b@c.org", "a@b@c.org", "a@b..org", "a" * 70 + "@b.org",
              "a@" + "b" * 250 + ".org", "a\n@b.org", "a@b.org\r\nBcc: x@y.org", "\ud800@b.org", "<a@b.org>",
              "=?utf-8?q?victim?=@example.org"],
)  # fmt: skip
def test_bad_addresses(world: MembersWorld, email: str) -> None:
    for ask in (
        lambda: world.members.sign_up(email, PASSWORD, "", "x"),
        lambda: world.members.forgot(email, "x"),
    ):
        with refused("bad_email"):
            ask()
    with refused("wrong_password"):
        world.members.log_in(email, PASSWORD, "x")


def test_addresses_are_compared_in_one_spelling() -> None:
    assert normalise(" Rosa@EXAMPLE.org ") == normalise("rosa@example.org") == "rosa@example.org"
    assert normalise("rosa@xn--bcher-kva.example.org") == normalise("rosa@BÜCHER.example.org")


@given(st.text(max_size=300))
def test_names_are_one_printable_line(text: str) -> None:
    name = one_line(text)
    assert len(name) <= 60
    assert name.isprintable()
    assert one_line(name) == name


def test_passwords_of_any_characters(world: MembersWorld) -> None:
    password = "pässwörd \U0001f415 \ud800 日本語"
    world.joined(password=password)
    assert world.members.log_in(EMAIL, password, "x")


def test_mails_to_one_address_and_requests_from_one_network_are_few(world: MembersWorld) -> None:
    world.joined()
    for _ in range(10):
        world.members.forgot(EMAIL, "1.2.3.4")
    world.members.settle()
    assert len(world.letters.sent) == module._MAILS
    with refused("too_many"):
        for _ in range(module._ASKED + 1):
            world.members.forgot("other@example.org", "1.2.3.4")
    world.members.forgot("other@example.org", "5.6.7.8")
    world.clock.forward(3600 + STRETCH_S)
    world.members.forgot(EMAIL, "1.2.3.4")
    world.members.settle()
    assert len(world.letters.sent) == module._MAILS + 1


def test_work_behind_the_answers_is_bounded(world: MembersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.members._behind, "submit", lambda work: None)
    with refused("busy"):
        for number in range(module._MOST_WAITING + 1):
            world.members.forgot(f"x{number}@example.org", f"1.2.{number // 20}.1")


def test_sign_ups_that_were_never_confirmed_are_forgotten(world: MembersWorld) -> None:
    world.members.sign_up("gone@example.org", PASSWORD, "", "x")
    world.members.settle()
    world.clock.forward(module.UNCONFIRMED_S + 1)
    world.joined()
    assert [one.email for one in world.roster.list()] == [EMAIL]


def test_used_links_are_forgotten_when_they_have_expired(world: MembersWorld) -> None:
    world.joined()
    world.clock.forward(LINK_LASTS_S["verify"] + CLOCKS_DIFFER_S + 1)
    world.joined("other@example.org")
    with read(world.flags.sessions) as session:
        assert len(list(session.scalars(sa.select(UsedToken)))) == 1


def test_closing_an_account_ends_its_sessions_and_links(world: MembersWorld) -> None:
    cookie = world.joined()
    world.members.forgot(EMAIL, "x")
    token = world.letter().token
    world.roster.disable(EMAIL)
    assert world.who(cookie) is None
    with refused("disabled"):
        world.members.log_in(EMAIL, PASSWORD, "x")
    with refused("wrong_password"):
        world.members.log_in(EMAIL, "not it at all", "x")
    with refused("disabled"):
        world.members.reset(token, NEW)
    world.roster.disable(EMAIL, disabled=False)
    assert world.members.log_in(EMAIL, PASSWORD, "x")


def test_an_account_made_by_an_administrator(world: MembersWorld) -> None:
    member, link = world.roster.create(" Boss@Example.org ", "admin")
    assert member.email == "boss@example.org"
    token = link.partition("token=")[2]
    with refused("wrong_password"):
        world.members.log_in("boss@example.org", PASSWORD, "x")
    who = world.who(world.members.reset(token, PASSWORD))
    assert who is not None
    assert (who.role, who.maintains) == ("admin", True)
    with refused("known_email"):
        world.roster.create("boss@example.org")
    with refused("unknown_role"):
        world.roster.set_role("boss@example.org", "owner")
    world.roster.set_role(member.id, "member")
    assert world.roster.find(member.id).role == "member"
    with refused("no_such_member"):
        world.roster.find("missing@example.org")


def test_maintainers_by_role_have_what_the_password_gives(
    world: MembersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    gate = Maintainers(world.settings, sessions=lambda: world.flags.sessions, members=world.members)
    gate.listening_on("0.0.0.0")
    assert not gate.reachable
    cookie = world.joined()

    def asked(**more: str) -> Any:
        return SimpleNamespace(headers={"host": "pets.example.org", "cookie": f"{COOKIE}={cookie}", **more})

    assert gate.session(asked()).state == "closed", "a member is no maintainer"
    for role in ("maintainer", "admin"):
        world.roster.set_role(EMAIL, role)
        assert gate.reachable
        auth = gate.session(asked())
        assert auth.state == "in"
        assert gate.authenticate(asked()).state == "closed", "the page's token is needed as well"
        token = {TOKEN_HEADER: gate.token(auth.session)}
        assert gate.require(asked(**token)) == auth.session
        assert gate.session(asked(**token, **{"sec-fetch-site": "cross-site"})).state == "closed"
    gate.log_out(asked(**token))
    assert world.who(cookie) is None
    assert gate.session(asked(**token)).state == "closed"


def claim(**changes: Any) -> Claim:
    return Claim(**{"provider": "Pets ID", "issuer": "https://id.example", "subject": "7", "email": EMAIL,
                    "verified": True, "name": "Rosa", **changes})  # fmt: skip


def test_a_provider_signs_in_and_makes_the_account(world: MembersWorld) -> None:
    who = world.who(world.members.enter_with(claim()))
    assert who is not None
    assert (who.email, who.name, who.has_password) == (EMAIL, "Rosa", False)
    again = world.who(world.members.enter_with(claim(email="new@example.org", name="R.", verified=False)))
    assert again is not None
    assert (again.id, again.email) == (who.id, EMAIL), "the identity counts, not the address"


def test_a_provider_joins_an_account_only_by_a_verified_address(world: MembersWorld) -> None:
    mine = world.who(world.joined())
    with refused("email_unverified"):
        world.members.enter_with(claim(verified=False))
    joined = world.who(world.members.enter_with(claim(email=EMAIL.upper())))
    assert mine is not None
    assert joined is not None
    assert joined.id == mine.id
    other = world.who(
        world.members.enter_with(claim(issuer="https://evil.example", email="", verified=False))
    )
    assert other is not None
    assert other.id != mine.id, "the same subject of another issuer is another person"


def test_a_provider_takes_an_account_over_that_was_never_confirmed(world: MembersWorld) -> None:
    world.members.sign_up(EMAIL, "the attacker chose this", "", "6.6.6.6", "b")
    world.members.settle()
    assert world.who(world.members.enter_with(claim())) is not None
    with refused("wrong_password"):
        world.members.log_in(EMAIL, "the attacker chose this", "6.6.6.6")


def test_without_a_password_a_fresh_sign_in_confirms(world: MembersWorld) -> None:
    cookie = world.members.enter_with(claim())
    who = world.who(cookie)
    assert who is not None
    world.members.confirm(who, "", "x")
    world.clock.forward(FRESH_S + 1)
    stale = world.who(cookie)
    assert stale is not None
    with refused("sign_in_again"):
        world.members.confirm(stale, "", "x")
    world.members.change_password(who, "", NEW, "x")
    assert world.members.log_in(EMAIL, NEW, "x")


def test_a_closed_account_stays_closed_to_providers(world: MembersWorld) -> None:
    world.members.enter_with(claim())
    world.roster.disable(EMAIL)
    with refused("disabled"):
        world.members.enter_with(claim())
    with read(world.flags.sessions) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(MemberSession)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(Member)) == 1


@pytest.mark.parametrize("text", ["\0", "a\0b@example.org", "\ud800", "é" * 300, "'; DROP TABLE members; --"])
def test_text_that_a_database_may_not_store(world: MembersWorld, text: str) -> None:
    world.joined(name=text)
    mine = world.roster.find(EMAIL).id
    with pytest.raises(AccountError):
        world.members.log_in(text, "a wrong password", "x", agent=text)
    with pytest.raises(AccountError):
        world.roster.find(text)
    with pytest.raises(AccountError):
        world.kept.get(mine, text)
    world.kept.agree(mine, dt.datetime.now(dt.UTC))
    assert world.kept.keep(mine, b"a photo", text, {"image": text, "pets": []}, dt.datetime.now(dt.UTC))
    assert json.loads(world.kept.list(mine)[0].answer)["image"] == text
    assert world.members.of({"cookie": f"smartbreed_member={text}"}) is None
    assert world.roster.find(EMAIL).email == EMAIL
