"""The gate of the maintainers' pages: who gets in, and how slow guessing is."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import Clock, until

from smartbreed.accounts.maintainer_sessions import COOKIE, DEVICE_COOKIE, LASTS_S, cookie_header
from smartbreed.accounts.maintainers import TOKEN_HEADER, Maintainers
from smartbreed.core.database import make_engine, make_sessions
from smartbreed.core.errors import MaintainerError, SettingError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.throttle.login_throttle import DEVICE_PLACES, FAST_PLACES, SLOW_PLACES, SLOW_S

PASSWORD = "correct horse battery"


@dataclass
class Asked:
    """A request as far as the gate looks at it."""

    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)


def gate(tmp_path: Path, clock: Clock | None = None, **settings: Any) -> Maintainers:
    wanted = {"home": tmp_path / "home", "salt": "a salt", "maintainer_password": "", **settings}
    clock = clock or Clock()
    return Maintainers(load_settings(**wanted), clock.seconds, clock.forward)


def with_token(maintainers: Maintainers, asked: Asked) -> Asked:
    """The request as our own page sends it: with the token of its session."""
    token = maintainers.token(maintainers.session(asked).session)
    return Asked({**asked.headers, TOKEN_HEADER: token})


def here(**headers: str) -> Asked:
    return Asked(
        {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    )


def test_on_ones_own_machine_it_is_open(tmp_path: Path) -> None:
    maintainers = gate(tmp_path)
    assert maintainers.authenticate(here()).state == "closed", "the address is not known yet"
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"):
        maintainers.listening_on(host)
        assert maintainers.reachable
        for asked in (here(), Asked({"host": "localhost:7860"})):
            assert maintainers.session(asked).state == "in"
            assert maintainers.authenticate(asked).state == "closed", "a page has to send its token"
            assert maintainers.authenticate(with_token(maintainers, asked)).state == "in"
    assert maintainers.require(with_token(maintainers, here()))


def test_a_salt_that_cannot_be_read_closes_it(tmp_path: Path) -> None:
    maintainers = gate(tmp_path, salt="")
    maintainers.listening_on("127.0.0.1")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "salt").write_bytes(b"too short")
    auth = maintainers.authenticate(here())
    assert auth.state == "closed"
    assert "'salt' in SMARTBREED_HOME is damaged" in auth.why


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", ""])
def test_where_others_get_in_it_is_closed_without_a_password(tmp_path: Path, host: str) -> None:
    maintainers = gate(tmp_path)
    maintainers.listening_on(host)
    auth = maintainers.authenticate(here())
    assert (auth.state, auth.session, maintainers.reachable) == ("closed", "", False)
    assert "SMARTBREED_MAINTAINER_PASSWORD" in auth.why
    with pytest.raises(MaintainerError, match="SMARTBREED_MAINTAINER_PASSWORD"):
        maintainers.require(here())


def test_on_a_space_it_is_closed_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "me/app")
    maintainers = gate(tmp_path)
    maintainers.listening_on("127.0.0.1")
    assert maintainers.authenticate(here()).state == "closed"
    assert "Space" in maintainers.authenticate(here()).why


PROXIES = (
    "forwarded", "via", "x_real_ip", "x_forwarded_for", "x_forwarded_host", "x_forwarded_proto",
    "x_forwarded_port", "x_forwarded_server", "x_forwarded_anything", "cf_connecting_ip",
    "true_client_ip", "x_client_ip", "fly_client_ip",
)  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked({"host": "evil.example"}),  # a name made to point at this machine
        Asked({"host": "[::1"}),
        *(here(**{name: "8.8.8.8"}) for name in PROXIES),
        here(x_forwarded_for=""),
        here(sec_fetch_site="same-site"),
        here(sec_fetch_site="cross-site"),
        here(origin="https://evil.example", x_forwarded_host="evil.example"),
        here(origin="http://localhost:3000"),
        here(origin="https://127.0.0.1:7860.evil.example"),
        here(origin="https://evil.example"),
        here(origin="null"),
        here(origin="http://[bad"),
    ],
)
def test_requests_of_others_that_reach_a_loopback_address(tmp_path: Path, asked: Asked) -> None:
    maintainers = gate(tmp_path)
    maintainers.listening_on("127.0.0.1")
    assert maintainers.session(asked).state == "closed"
    token = maintainers.token("this machine")
    assert maintainers.authenticate(Asked({**asked.headers, TOKEN_HEADER: token})).state == "closed"
    assert maintainers.authenticate(None).state == "closed"


def test_signing_in_and_out(tmp_path: Path) -> None:
    clock = Clock()
    maintainers = gate(tmp_path, clock, maintainer_password=PASSWORD)
    maintainers.listening_on("0.0.0.0")
    assert maintainers.reachable
    assert maintainers.authenticate(here()).state == "login"
    with pytest.raises(MaintainerError) as error:
        maintainers.require(here())
    assert error.value.code == "sign_in"
    cookie = maintainers.log_in(PASSWORD, "1.2.3.4")
    bare = Asked({"host": "example.org", "cookie": f"other=1; {COOKIE}={cookie}"})
    with pytest.raises(MaintainerError, match="load it again"):
        maintainers.require(bare)
    asked = with_token(maintainers, bare)
    session = maintainers.require(asked)
    assert len(maintainers.reviewer(session)) == 64
    assert maintainers.reviewer(session) != maintainers.reviewer("another")
    assert (
        maintainers.authenticate(Asked({**asked.headers, "origin": "https://evil.example"})).state == "closed"
    )
    assert maintainers.authenticate(Asked({**asked.headers, "origin": "https://example.org"})).state == "in"
    clock.forward(LASTS_S + 1)
    assert maintainers.authenticate(asked).state == "login"


def test_a_sign_out_is_one_for_every_window_and_replica(tmp_path: Path) -> None:
    maintainers, replica = (gate(tmp_path, maintainer_password=PASSWORD) for _ in range(2))
    cookie, other = maintainers.log_in(PASSWORD, "x"), maintainers.log_in(PASSWORD, "x")
    asked, still = (
        with_token(maintainers, Asked({"host": "a", "cookie": f"{COOKIE}={value}"}))
        for value in (cookie, other)
    )
    assert replica.authenticate(asked).state == "in"
    for foreign in ({"origin": "https://b"}, {"sec-fetch-site": "same-site"}, {TOKEN_HEADER: "0" * 64}):
        with pytest.raises(MaintainerError):
            maintainers.log_out(Asked({**asked.headers, **foreign}))
    assert replica.authenticate(asked).state == "in"
    maintainers.log_out(asked)
    assert maintainers.authenticate(asked).state == replica.authenticate(asked).state == "login", (
        "the cookie is worth nothing"
    )
    assert replica.authenticate(still).state == "in", "another browser stays signed in"
    maintainers.log_out(asked)  # once more: there is nothing to end


def test_the_token_of_one_session_does_not_serve_another(tmp_path: Path) -> None:
    maintainers = gate(tmp_path, maintainer_password=PASSWORD)
    first, second = (
        Asked({"host": "a", "cookie": f"{COOKIE}={maintainers.log_in(PASSWORD, 'x')}"}) for _ in range(2)
    )
    stolen = with_token(maintainers, first).headers[TOKEN_HEADER]
    assert maintainers.authenticate(Asked({**second.headers, TOKEN_HEADER: stolen})).state == "closed"


def test_a_copy_of_the_database_does_not_sign_in(tmp_path: Path) -> None:
    maintainers = gate(tmp_path, maintainer_password=PASSWORD)
    cookie = maintainers.log_in(PASSWORD, "x")
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("smartbreed.db*"))
    session = maintainers.session(Asked({"host": "a", "cookie": f"{COOKIE}={cookie}"})).session
    assert session.encode() in stored
    assert cookie.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert maintainers.session(Asked({"host": "a", "cookie": f"{COOKIE}={session}"})).state == "login"


def test_a_database_that_refuses_closes_the_pages(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, salt="s", maintainer_password=PASSWORD)
    maintainers = Maintainers(
        settings, sessions=lambda: make_sessions(make_engine(f"sqlite:///{tmp_path}/none/x.db"))
    )
    auth = maintainers.authenticate(Asked({"host": "a", "cookie": f"{COOKIE}={'a' * 43}"}))
    assert (auth.state, auth.session) == ("closed", "")


def test_another_process_takes_the_cookie_and_another_password_does_not(tmp_path: Path) -> None:
    cookie = gate(tmp_path, maintainer_password=PASSWORD).log_in(PASSWORD, "x")
    asked = Asked({"host": "a", "cookie": f"{COOKIE}={cookie}"})
    assert gate(tmp_path, maintainer_password=PASSWORD).session(asked).state == "in"
    assert gate(tmp_path, maintainer_password=PASSWORD, salt="other").session(asked).state == "login"
    changed = gate(tmp_path, maintainer_password=PASSWORD + "!")
    assert changed.session(asked).state == "login"
    changed.log_in(PASSWORD + "!", "x")
    assert gate(tmp_path, maintainer_password=PASSWORD).session(asked).state == "login", "it is gone for good"


@pytest.fixture(scope="module")
def signed_in(tmp_path_factory: pytest.TempPathFactory) -> Maintainers:
    """A gate with one session open."""
    home = tmp_path_factory.mktemp("home")
    maintainers = Maintainers(Settings(home=home, salt="s", maintainer_password=PASSWORD))
    maintainers.log_in(PASSWORD, "x")
    return maintainers


@given(text=st.text(max_size=120))
def test_made_up_cookies_open_nothing(signed_in: Maintainers, text: str) -> None:
    maintainers = signed_in
    for value in (text, f"9999999999.{text}", (text + "A" * 43)[:43]):
        assert maintainers.authenticate(Asked({"cookie": f"{COOKIE}={value}"})).state == "login"
        assert not maintainers.device_of(Asked({"cookie": f"{DEVICE_COOKIE}={value}"}))


def test_guessing_is_slow_only_for_who_guesses(tmp_path: Path) -> None:
    clock = Clock()
    maintainers = gate(tmp_path, clock, maintainer_password=PASSWORD)

    def seconds(password: str, caller: str) -> float:
        started = clock.now
        try:
            maintainers.log_in(password, caller)
        except MaintainerError as error:
            if error.code != "wrong_password":
                raise
        return (clock.now - started).total_seconds()

    assert seconds("wrong", "2001:db8::1") == 0
    for _ in range(12):  # the next address of the same network
        assert seconds("wrong", "2001:db8::2") == SLOW_S
    assert seconds(PASSWORD, "1.2.3.4") == 0, "at another address nothing has happened"
    clock.forward(300)
    assert seconds("wrong", "2001:db8::3") == SLOW_S, "after many wrong ones it stays slow for long"
    # Who shares the address and knows the password gets in all the same.
    assert seconds(PASSWORD, "2001:db8::1") == SLOW_S
    assert seconds(PASSWORD, "2001:db8::1") == 0, "the right one forgets the wrong ones"


def test_only_so_many_may_wait_to_be_compared(tmp_path: Path) -> None:
    held, waiting = threading.Event(), threading.Semaphore(0)

    def pause(seconds: float) -> None:
        waiting.release()
        held.wait(30)

    maintainers = Maintainers(
        load_settings(home=tmp_path, salt="a salt", maintainer_password=PASSWORD), pause=pause
    )
    answers: list[str] = []

    def guess() -> None:
        try:
            maintainers.log_in("wrong", "1.2.3.4")
        except MaintainerError as error:
            answers.append(error.code)

    guess()
    crowd = [threading.Thread(target=guess) for _ in range(40)]
    for one in crowd:
        one.start()
    waiting.acquire(timeout=30)
    until(lambda: len(answers) >= 41 - SLOW_PLACES)
    assert Counter(answers) == {"wrong_password": 1, "too_many_tries": 40 - SLOW_PLACES}
    assert maintainers.log_in(PASSWORD, "5.6.7.8"), "others are not concerned"
    held.set()
    for one in crowd:
        one.join(30)
    assert Counter(answers)["wrong_password"] == 1 + SLOW_PLACES


def test_a_browser_that_signed_in_before_gets_in_through_any_flood(tmp_path: Path) -> None:
    held = threading.Event()
    waits = {"now": 0}

    def pause(seconds: float) -> None:
        waits["now"] += 1
        held.wait(30)

    maintainers = Maintainers(
        load_settings(home=tmp_path, salt="a salt", maintainer_password=PASSWORD), pause=pause
    )
    maintainers.log_in(PASSWORD, "1.2.3.4")
    value = maintainers.new_device()
    device = maintainers.device_of(Asked({"cookie": f"{DEVICE_COOKIE}={value}"}))
    assert device

    def guess() -> None:
        with pytest.raises(MaintainerError):
            maintainers.log_in("wrong", "1.2.3.4")

    guess()
    crowd = [threading.Thread(target=guess) for _ in range(SLOW_PLACES + FAST_PLACES)]
    for one in crowd:
        one.start()
    until(lambda: waits["now"])
    # The address is shared, as behind a proxy, and its lane is full of another caller's guesses.
    for _ in range(3):
        assert maintainers.log_in(PASSWORD, "1.2.3.4", device)
    held.set()
    for one in crowd:
        one.join(30)


def test_a_stolen_device_cookie_does_not_guess_for_ever(tmp_path: Path) -> None:
    clock = Clock()
    maintainers = gate(tmp_path, clock, maintainer_password=PASSWORD)
    device = maintainers.device_of(Asked({"cookie": f"{DEVICE_COOKIE}={maintainers.new_device()}"}))
    started = clock.now
    for _ in range(30):
        with pytest.raises(MaintainerError):
            maintainers.log_in("wrong", "1.2.3.4", device)
    assert (clock.now - started).total_seconds() >= 27 * SLOW_S, "it waits as any other does"
    assert DEVICE_PLACES < SLOW_PLACES


def test_a_short_password_stops_the_start_and_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as error:
        gate(tmp_path, maintainer_password="hunter2")
    assert "hunter2" not in error.value.message
    assert "hunter2" not in repr(load_settings(maintainer_password="hunter2"))


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    header = cookie_header("value", secure=True)
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/"} <= set(header.split("; "))
    assert "Secure" not in cookie_header("value", secure=False)
    assert "Max-Age=0" in cookie_header("", secure=False)
    monkeypatch.setenv("SPACE_ID", "me/app")  # shown in a frame of huggingface.co
    assert {"HttpOnly", "SameSite=None", "Secure", "Partitioned"} <= set(
        cookie_header("value", secure=False).split("; ")
    )
