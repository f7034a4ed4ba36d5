"""``smartbreed doctor`` on installations with something wrong."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import free_port, smartbreed

Findings = dict[str, list[dict[str, str]]]
PARTS = ["settings", "disk", "database", "model", "hub", "mail", "secrets", "proxies"]


def examined(folder: Path, status: int, **changes: str) -> Findings:
    done = smartbreed(folder, "doctor", "--json", **changes)
    assert done.returncode == status, done.stdout + done.stderr
    found: Findings = {}
    for one in json.loads(done.stdout)["findings"]:
        found.setdefault(one["part"], []).append(one)
    return found


def test_a_new_home_is_well(tmp_path: Path) -> None:
    done = smartbreed(tmp_path, "doctor")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split()[1] for line in lines] == PARTS
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}


def test_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    found = examined(tmp_path, 1, SMARTBREED_TOP_K="many")
    assert list(found) == ["settings"]
    assert "SMARTBREED_TOP_K" in found["settings"][0]["said"]


@pytest.mark.parametrize("url", ["foo", "postgresql://u:p@h:abc/x"])
def test_an_address_that_is_no_database(tmp_path: Path, url: str) -> None:
    found = examined(tmp_path, 1, SMARTBREED_DATABASE_URL=url)
    assert [one["state"] for one in found["database"]] == ["failed"]
    assert "not a database URL" in found["database"][0]["said"]
    assert "u:p" not in json.dumps(found), "it may hold a password"


@pytest.fixture
def smtp() -> Iterator[int]:
    """A mail server that takes connections and no password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer, peer.makefile("rw", newline="\r\n") as lines:
                for answer in ("220 mail", "250 mail"):
                    lines.write(f"{answer}\n")
                    lines.flush()
                    lines.readline()
                lines.write("221 bye\n")

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_everything_wrong_at_once(tmp_path: Path) -> None:
    dead = free_port()
    (tmp_path / "model").mkdir()
    secret = "hunter2hunter2"
    found = examined(
        tmp_path, 1,
        SMARTBREED_DATABASE_URL=f"postgresql+psycopg://pets:{secret}@127.0.0.1:{dead}/pets",
        SMARTBREED_MODEL=str(tmp_path / "model"),
        SMARTBREED_HUB=f"http://127.0.0.1:{dead}", HF_TOKEN="hf_x",
        SMARTBREED_SMTP_URL=f"smtp://pets:{secret}@127.0.0.1:{dead}", SMARTBREED_MAIL_FROM="pets@example.org",
        SMARTBREED_PUBLIC_URL="https://pets.example.org", SMARTBREED_SECRET="change me, please",
        SMARTBREED_MAINTAINER_PASSWORD="password",
        https_proxy=f"http://127.0.0.1:{dead}",
    )  # fmt: skip
    for part in ("database", "model", "hub", "mail", "secrets", "proxies"):
        [*_, bad] = [one for one in found[part] if one["state"] == "failed"]
        assert bad["do"], part
        assert secret not in json.dumps(found[part])


def test_secrets_of_an_example_and_none_at_all(tmp_path: Path) -> None:
    found = examined(tmp_path, 1, SMARTBREED_MAINTAINER_PASSWORD="password")
    assert found["secrets"][0]["state"] == "failed"
    found = examined(tmp_path, 0, GRADIO_SERVER_NAME="0.0.0.0")
    assert "no maintainers' password" in found["secrets"][0]["said"]


def test_a_mail_server_that_answers(tmp_path: Path, smtp: int) -> None:
    found = examined(
        tmp_path, 0, SMARTBREED_SMTP_URL=f"smtp://127.0.0.1:{smtp}", SMARTBREED_MAIL_FROM="pets@example.org",
        SMARTBREED_PUBLIC_URL="https://pets.example.org",
    )  # fmt: skip
    assert [one["state"] for one in found["mail"]] == ["ok"]
    assert "SMARTBREED_TRUSTED_PROXIES" in found["proxies"][0]["do"]


def test_a_home_that_is_open_and_an_older_database(tmp_path: Path) -> None:
    assert smartbreed(tmp_path, "flags", "list").returncode == 0
    home = tmp_path / "home"
    with sqlite3.connect(home / "smartbreed.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    os.chmod(home, 0o755)
    found = examined(tmp_path, 0)
    assert [one["state"] for one in found["database"]] == ["warning"]
    assert "chmod 700" in found["disk"][-1]["do"]
    assert home.stat().st_mode & 0o777 == 0o755, "it was only looked at"
