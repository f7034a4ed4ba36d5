"""``smartbreed accounts``, as an administrator types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.processes import environment
from typer.testing import CliRunner

from smartbreed.admin.actor import acts
from smartbreed.admin.audit import entries
from smartbreed.cli.main import app
from smartbreed.core.settings import load_settings
from smartbreed.services import Services

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in ("GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):  # a server of this process has set them
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(app, ["accounts", *words])


def test_make_list_change_close_and_delete(run: Run, tmp_path: Path) -> None:
    made = run("create", "--admin", "Boss@example.org")
    assert made.exit_code == 0, made.stderr
    link = made.stdout.splitlines()[-1]
    assert link.startswith("http://127.0.0.1:7860/account/reset?token="), made.stdout
    token = link.partition("token=")[2]
    services = Services(load_settings(home=tmp_path / "home"))
    assert services.members.reset(token, "a long enough password")
    assert run("create", "boss@example.org").exit_code == 2
    assert run("create", "nonsense").exit_code == 2
    assert run("create", "--maintainer", "m@example.org").exit_code == 0
    rows = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(row["email"], row["role"], row["state"]) for row in rows] == [
        ("boss@example.org", "admin", "open"),
        ("m@example.org", "maintainer", "unconfirmed"),
    ]
    assert "boss@example.org" in run("list").stdout
    assert run("role", "m@example.org", "owner").exit_code == 2
    assert run("role", rows[1]["id"], "member").stdout == "member\n"
    assert run("disable", "boss@example.org").stdout == "closed\n"
    assert run("disable", "boss@example.org", "--undo").stdout == "open\n"
    refused = run("delete", "boss@example.org")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    receipt = run("delete", "boss@example.org", "--yes").stdout.strip()
    assert len(receipt) == 32
    assert run("delete", "boss@example.org", "--yes").exit_code == 2
    assert [json.loads(line)["email"] for line in run("list", "--json").stdout.splitlines()] == [
        "m@example.org"
    ]
    assert {one.actor for one in entries(services.flags.sessions, action="role")} == {"command line"}
    assert acts().kind == "app", "what a command does ends with it"
    services.stop()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert b"boss@example.org" not in stored
