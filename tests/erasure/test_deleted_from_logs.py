"""A member's whole stay over HTTP, then the deletion: neither the files nor the log name the person."""

from __future__ import annotations

import base64
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.clock import until
from support.processes import Server
from support.traces import traces

EMAIL, NAME, PASSWORD = "rosa.valentin@example.org", "Rosalinde Valentin", "my two cats sing"
ADDRESS, FILE, MESSAGE = "203.0.113.77", "Minka in Wiesbaden.jpg", "Minka wohnt in Wiesbaden"

LINK = re.compile(r"account/verify\?token=([^\s\"\\]+)")


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Server]:
    with Server(
        tmp_path / "server",
        SMARTBREED_LOG_FORMAT="json",
        SMARTBREED_LOG_LEVEL="DEBUG",
        SMARTBREED_TRUSTED_PROXIES="127.0.0.1",
    ) as server:
        yield server


def post(person: httpx.Client, page: str, to: str = "", **fields: str) -> Any:
    """Send a form of a page as a browser does, with its token."""
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', person.get(page).text)[0]
    answer = person.post(to or page, data={"token": token, **fields})
    assert answer.status_code in (200, 303), (page, answer.status_code, answer.text[-400:])
    return answer


def test_neither_files_nor_the_log_name_a_person_who_is_gone(logged: Server, photo: Path) -> None:
    data = photo.read_bytes()
    with httpx.Client(base_url=logged.url, headers={"X-Forwarded-For": ADDRESS}, timeout=120) as person:
        post(person, "account/sign-up", email=EMAIL, password=PASSWORD, name=NAME, agree="yes")
        until(lambda: LINK.search(logged.log()))
        link = LINK.findall(logged.log())[0]
        post(person, f"account/verify?token={link}", "account/verify", link=link)
        assert person.get("account/name").json()["name"] == NAME
        post(person, "contact", topic="privacy", text=MESSAGE, email=EMAIL)
        fields = {"pet": "1", "verdict": "correct", "consent": "true"}
        flagged = person.post("api/flag", files={"photo": (FILE, data)}, data=fields)
        assert flagged.status_code in (200, 201), flagged.text
        person.post("api/identify", files={"photo": (FILE, data[:900])})
        person.get(f"nothing/{EMAIL}")
        stored = b"".join(path.read_bytes() for path in logged.home.glob("smartbreed.db*"))
        assert EMAIL.encode() in stored, "the search finds what is there"
        assert MESSAGE.encode() in stored
        with sqlite3.connect(logged.home / "smartbreed.db") as database:
            [(member,)] = database.execute("SELECT id FROM members").fetchall()
        page = post(person, "account/delete", password=PASSWORD, sure="yes").text
        until(lambda: person.get("account/name").json()["name"] == "")
        assert NAME not in page
    text = logged.log() + logged.stdout.read_text(errors="replace")
    assert "/account/delete" in text, "the log was searched while it was written"
    for private in (EMAIL, "valentin", NAME, PASSWORD, ADDRESS, FILE, "Minka", "Wiesbaden", member):
        assert private not in text, private
    tokens = re.findall(r"token=([\w.-]+)", text)
    assert tokens, "no mail server is set, so that the link is in the log"
    for token in tokens:
        said = base64.urlsafe_b64decode(token.lstrip(".").partition(".")[0] + "==")
        said = zlib.decompress(said) if token.startswith(".") else said
        assert said.startswith(b"["), "it is read as itsdangerous writes it"
        assert member.encode() not in said
    logged.stop()
    words = (EMAIL.encode(), b"valentin", NAME.encode(), MESSAGE.encode(), ADDRESS.encode(), b"Minka")
    for place in (logged.home, logged.uploads):
        for path in sorted(one for one in place.rglob("*") if one.is_file() and not one.is_symlink()):
            found = [word for word in words if word in path.read_bytes()]
            assert found == [], path
    assert traces(logged.uploads, data, []) == []
