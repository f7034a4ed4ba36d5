"""``smartbreed review``: data on stdout, talk on stderr, statuses for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.processes import environment
from typer.testing import CliRunner

from smartbreed.cli.common import MISUSE, SOME_FAILED


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: Any) -> Any:
    """The command in this process, on the home of the other fixtures."""
    from smartbreed.cli.main import app

    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, ["review", *map(str, arguments)])


def lines(done: Any) -> list[dict[str, Any]]:
    assert done.exit_code == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_from_list_to_decision_and_back(invoke: Any, flag: Any) -> None:
    ids = {flag(1), flag(2)}
    listed = lines(invoke("list", "--json", "--no-look"))
    assert {row["flag"] for row in listed} == ids
    assert all(row["state"] == "open" and row["why"] for row in listed)
    one = listed[0]["flag"]
    (made,) = lines(invoke("relabel", "Boston Terrier", one, "--why", "a bat's ears", "--json"))
    assert (made["decision"], made["label"], made["reason"]) == ("relabel", "boston_bull", "a bat's ears")
    again = invoke("accept", one)
    assert (again.exit_code, again.stdout) == (MISUSE, "")
    assert "undo that first" in again.stderr
    both = invoke("accept", *ids)
    assert both.exit_code == SOME_FAILED
    assert len(both.stdout.splitlines()) == 1
    (undone,) = lines(invoke("undo", one, "--json"))
    assert undone["decision"] == "undo"
    (shown,) = lines(invoke("show", one, "--json"))
    assert [row["decision"] for row in shown["history"]] == ["relabel", "undo"]
    assert "history:" in invoke("show", one).stdout
    assert one in invoke("list", "--no-look").stdout
    (stats,) = lines(invoke("stats", "--json"))
    assert stats["states"] == {"accepted": 1, "open": 1}
    assert "states: " in invoke("stats").stdout


def test_a_new_breed_and_a_known_answer(invoke: Any, flag: Any) -> None:
    made = flag()
    assert invoke("gold", made).exit_code == MISUSE
    (row,) = lines(invoke("new-breed", "Mudi", made, "--species", "dog", "--group", "shepherd", "--json"))
    assert (row["label"], row["name"], row["group"]) == ("mudi", "Mudi", "shepherd")
    assert invoke("gold", made).stdout.strip() == made
    (stats,) = lines(invoke("stats", "--json"))
    assert (stats["gold"], stats["new_breeds"]) == (1, ["mudi"])
    assert invoke("gold", made, "--remove").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["accept"],
        ["accept", "nonsense"],
        ["relabel", "Unicorn", "nonsense"],
        ["new-breed", "Siamese", "nonsense", "--species", "cat"],
        ["new-breed", "Mudi", "nonsense", "--species", "wolf"],
        ["new-breed", "Mudi", "nonsense"],
        ["undo", "nonsense"],
        ["gold"],
        ["gold", "nonsense", "--photo", "x.jpg"],
        ["gold", "--photo", "x.jpg"],
        ["show", "nonsense"],
        ["list", "--state", "lost", "--no-look"],
        ["list", "--breed", "Unicorn", "--no-look"],
        ["list", "--limit", "0"],
        ["frobnicate"],
    ],
)
def test_misuse(invoke: Any, arguments: list[str]) -> None:
    done = invoke(*arguments)
    assert done.exit_code == MISUSE
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr
