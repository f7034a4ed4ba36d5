"""The gate of the maintainers' pages: who gets in, and how slow guessing is."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.config import Settings, load_settings
from smartbreed.errors import MaintainerError, SettingError
from smartbreed.maintainer import COOKIE, LASTS_S, Maintainers, cookie_header, same_site
from smartbreed.waits import SLOW_PLACES, SLOW_S

PASSWORD = "correct horse battery"


@dataclass
class Asked:
    """A request as far as the gate looks at it."""

    headers: dict[str, str] = field(default_factory=dict)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)


def gate(tmp_path: Path, clock: Clock | None = None, **settings: Any) -> Maintainers:
    wanted = {"home": tmp_path / "home", "salt": "a salt", "maintainer_password": "", **settings}
    clock = clock or Clock()
    return Maintainers(load_settings(**wanted), clock, clock.sleep)


def here(**headers: str) -> Asked:
    return Asked(
        {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    )


def test_on_ones_own_machine_it_is_open(tmp_path: Path) -> None:
    maintainers = gate(tmp_path)
    assert maintainers.entry(here()).state == "closed", "nobody said where it listens"
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"):
        maintainers.listening_on(host)
        assert maintainers.reachable
        assert maintainers.entry(here()).state == "in"
        assert maintainers.entry(Asked({"host": "localhost:7860"})).state == "in"
    assert maintainers.require(here())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", ""])
def test_where_others_get_in_it_is_closed_without_a_password(tmp_path: Path, host: str) -> None:
    maintainers = gate(tmp_path)
    maintainers.listening_on(host)
    entry = maintainers.entry(here())
    assert (entry.state, entry.session, maintainers.reachable) == ("closed", "", False)
    assert "SMARTBREED_MAINTAINER_PASSWORD" in entry.why
    with pytest.raises(MaintainerError, match="SMARTBREED_MAINTAINER_PASSWORD"):
        maintainers.require(here())


def test_on_a_space_it_is_closed_without_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "me/app")
    maintainers = gate(tmp_path)
    maintainers.listening_on("127.0.0.1")
    assert maintainers.entry(here()).state == "closed"
    assert "Space" in maintainers.entry(here()).why


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked({"host": "evil.example"}),  # a name made to point at this machine
        Asked({"host": "[::1"}),
        here(x_forwarded_for="8.8.8.8"),
        here(origin="https://evil.example"),
        here(origin="null"),
        here(origin="http://[bad"),
    ],
)
def test_strangers_who_reach_a_loopback_address(tmp_path: Path, asked: Asked) -> None:
    maintainers = gate(tmp_path)
    maintainers.listening_on("127.0.0.1")
    assert maintainers.entry(asked).state == "closed"
    assert maintainers.entry(None).state == "closed"


def test_signing_in_and_out(tmp_path: Path) -> None:
    clock = Clock()
    maintainers = gate(tmp_path, clock, maintainer_password=PASSWORD)
    maintainers.listening_on("0.0.0.0")
    assert maintainers.reachable
    assert maintainers.entry(here()).state == "login"
    with pytest.raises(MaintainerError) as error:
        maintainers.require(here())
    assert error.value.code == "sign_in"
    cookie = maintainers.enter(PASSWORD, "1.2.3.4")
    asked = Asked({"host": "example.org", "cookie": f"other=1; {COOKIE}={cookie}"})
    session = maintainers.require(asked)
    assert len(maintainers.reviewer(session)) == 64
    assert maintainers.reviewer(session) != maintainers.reviewer("another")
    assert maintainers.entry(Asked({**asked.headers, "origin": "https://evil.example"})).state == "closed"
    assert maintainers.entry(Asked({**asked.headers, "origin": "https://example.org"})).state == "in"
    clock.now += LASTS_S + 1
    assert maintainers.entry(asked).state == "login"


def test_another_process_takes_the_cookie_and_another_password_does_not(tmp_path: Path) -> None:
    cookie = gate(tmp_path, maintainer_password=PASSWORD).enter(PASSWORD, "x")
    asked = Asked({"host": "a", "cookie": f"{COOKIE}={cookie}"})
    assert gate(tmp_path, maintainer_password=PASSWORD).entry(asked).state == "in"
    assert gate(tmp_path, maintainer_password=PASSWORD + "!").entry(asked).state == "login"
    assert gate(tmp_path, maintainer_password=PASSWORD, salt="other").entry(asked).state == "login"


@given(st.text(max_size=120))
def test_made_up_cookies_open_nothing(text: str) -> None:
    settings = Settings(home=Path("/nonexistent"), salt="s", maintainer_password=PASSWORD)
    maintainers = Maintainers(settings)
    for value in (text, f"9999999999.{text}", f"{text}.x.{text}", f"9999999999.a.{text}"):
        assert maintainers.entry(Asked({"cookie": f"{COOKIE}={value}"})).state == "login"


def test_guessing_is_slow_for_who_guesses_and_nobody_else(tmp_path: Path) -> None:
    clock = Clock()
    maintainers = gate(tmp_path, clock, maintainer_password=PASSWORD)

    def seconds(password: str, caller: str) -> float:
        started = clock.now
        try:
            maintainers.enter(password, caller)
        except MaintainerError as error:
            if error.code != "wrong_password":
                raise
        return clock.now - started

    assert seconds("wrong", "2001:db8::1") == 0
    for _ in range(12):  # the next address of the same network
        assert seconds("wrong", "2001:db8::2") == SLOW_S
    assert seconds(PASSWORD, "1.2.3.4") == 0, "at another address nothing has happened"
    clock.now += 300
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
            maintainers.enter("wrong", "1.2.3.4")
        except MaintainerError as error:
            answers.append(error.code)

    guess()
    crowd = [threading.Thread(target=guess) for _ in range(40)]
    for one in crowd:
        one.start()
    waiting.acquire(timeout=30)
    deadline = time.monotonic() + 30
    while len(answers) < 41 - SLOW_PLACES and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Counter(answers) == {"wrong_password": 1, "too_many_tries": 40 - SLOW_PLACES}
    assert maintainers.enter(PASSWORD, "5.6.7.8"), "others are not concerned"
    held.set()
    for one in crowd:
        one.join(30)
    assert Counter(answers)["wrong_password"] == 1 + SLOW_PLACES


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
    assert same_site({"origin": "https://a.hf.space", "host": "x", "x-forwarded-host": "a.hf.space"})
