"""The choice of model survives damage, other processes and being killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import IO

import pytest

from smartbreed.core.errors import StorageError
from smartbreed.registry.state import KnownGood, Rejected, SourceState, StateFile

KEY = "embedded smartbreed/pets"


def good(name: str) -> KnownGood:
    return KnownGood(
        repo="me/pets", revision=name * 40, version=f"1.{ord(name)}.0", folder=f"hub-cache/{name}"
    )


def test_nothing_is_known_at_first_and_nothing_is_written(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "home")
    assert file.read(KEY) == SourceState()
    assert not (tmp_path / "home").exists()


def test_what_served_is_remembered_in_order(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    for name in "abcb":
        file.change(KEY, lambda state, name=name: state.serving(good(name)))
    assert [one.revision[0] for one in StateFile(tmp_path).read(KEY).known_good] == ["b", "c", "a"]
    assert file.read("another").known_good == ()
    assert (tmp_path / "models" / "state.json").stat().st_mode & 0o077 == 0


def test_what_served_before_comes_second() -> None:
    state = SourceState().serving(good("b"), good("a"))
    assert [one.revision[0] for one in state.known_good] == ["b", "a"]


def test_a_rollback_keeps_the_order_so_that_the_next_goes_further_back() -> None:
    state = SourceState().serving(good("a")).serving(good("b")).pinned(good("a")).serving(good("a"))
    assert [one.revision[0] for one in state.known_good] == ["b", "a"]


def shipped(digest: str) -> KnownGood:
    """The embedded model of some version of the program."""
    return KnownGood(repo="embedded", revision=digest * 64, version=f"2.{ord(digest)}.0")


def names(state: SourceState) -> str:
    return "".join(one.revision[0] for one in state.known_good)


def test_the_embedded_model_is_one_release_whatever_its_digest() -> None:
    state = SourceState().serving(good("b"), shipped("1"))
    back = state.pinned(shipped("1")).serving(shipped("2"), good("b"))  # the program was updated meanwhile
    assert names(back) == "b2"
    assert names(state.serving(good("c"), shipped("2"))) == "c2b", "it served just before"
    assert names(state.serving(good("c"), good("b"))) == "cb1"


def test_a_rollback_past_what_is_remembered_puts_the_embedded_model_last() -> None:
    state = SourceState()
    for name in "abcdefgh":
        state = state.serving(good(name))
    oldest = state.pinned(good("a")).serving(good("a"))
    back = oldest.pinned(KnownGood(repo="embedded", revision="embedded", version="2.0.0"))
    assert names(back.serving(shipped("1"), good("a"))) == "hgfedcb1"


def test_an_embedded_model_that_was_written_down_twice_counts_where_it_was_last() -> None:
    state = SourceState(known_good=(shipped("2"), good("b"), shipped("1")), pin=shipped("1"))
    older = state.older_than("embedded")
    assert older == []
    assert names(state.serving(shipped("2"))) == "b2"


def test_bad_ones_are_forgiven_when_asked_for() -> None:
    bad = Rejected(revision=good("a").revision, reason="it barks")
    state = SourceState().failing(bad).failing(bad)
    assert len(state.rejected) == 1
    assert state.why_rejected(bad.revision) == "it barks"
    assert state.pinned(good("a")).rejected == ()
    assert state.serving(good("a")).rejected == ()
    assert state.pinned(None).rejected == (bad,)


def test_a_change_is_noticed(tmp_path: Path) -> None:
    file, other = StateFile(tmp_path), StateFile(tmp_path)
    before = file.mark()
    other.change(KEY, lambda state: state.pinned(good("a")))
    assert file.mark() != before
    before = file.mark()
    other.change(KEY, lambda state: state)
    assert file.mark() == before, "nothing has changed"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sources": 3}', b"\xff\x00"])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    file = StateFile(tmp_path)
    file.change(KEY, lambda state: state.serving(good("a")))
    (tmp_path / "models" / "state.json").write_bytes(damage)
    assert file.read(KEY) == SourceState()
    file.change(KEY, lambda state: state.serving(good("b")))
    assert [one.revision[0] for one in file.read(KEY).known_good] == ["b"]
    assert (tmp_path / "models" / "state.json.damaged").read_bytes() == damage


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "state.json"
    path.write_text(json.dumps({"format": 9, "sources": {}}))
    file = StateFile(tmp_path)
    assert file.read(KEY) == SourceState()
    with pytest.raises(StorageError):
        file.change(KEY, lambda state: state.serving(good("a")))
    assert json.loads(path.read_text())["format"] == 9


def write(home: Path, name: str, count: int) -> tuple[int, IO[bytes]]:
    """A process that fails releases one after the other and says so; its id and what it says."""
    here, there = os.pipe()
    child = os.fork()  # importing everything anew would take longer than the test
    if child:
        os.close(there)
        return child, os.fdopen(here, "rb")
    try:
        file = StateFile(home)
        for number in range(count):
            bad = Rejected(revision=f"{name}{number}", reason="x" * 2000)
            file.change("k", lambda state, bad=bad: state.failing(bad))
            os.write(there, f"{number}\n".encode())
    finally:
        os._exit(0)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    writers = [write(tmp_path, name, 20) for name in "ab"]
    for child, said in writers:
        assert len(said.read().split()) == 20
        os.waitpid(child, 0)
    state = StateFile(tmp_path).read("k")
    assert {bad.revision for bad in state.rejected} == {f"{name}{n}" for name in "ab" for n in range(20)}


@pytest.mark.slow
def test_killed_while_writing(tmp_path: Path) -> None:
    """Whatever was acknowledged is there, and the file is whole; 40 kills at random moments."""
    luck = random.Random(4)
    for round_ in range(40):
        home = tmp_path / str(round_)
        child, said = write(home, "k", 100_000)
        first = said.readline()
        time.sleep(luck.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        numbers = [int(line) for line in (first + said.read()).split()]
        os.waitpid(child, 0)
        text = json.loads((home / "models" / "state.json").read_text())
        newest = int(text["sources"]["k"]["bad"][0]["revision"][1:])
        assert newest in (numbers[-1], numbers[-1] + 1)
        StateFile(home).change("k", lambda state: state.pinned(None))  # the lock is free again
