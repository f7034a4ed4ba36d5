"""The log as JSON: an id for each request, and nothing of a person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from support.clock import until
from support.processes import Server, free_port

EMAIL, NAME, ADDRESS = "rex.owner@example.org", "our rex at home.jpg", "203.0.113.77"


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("logged"),
        SMARTBREED_LOG_FORMAT="json",
        SMARTBREED_LOG_LEVEL="DEBUG",
        SMARTBREED_TRUSTED_PROXIES="127.0.0.1",
        SMARTBREED_SMTP_URL=f"smtp://127.0.0.1:{free_port()}",
        SMARTBREED_MAIL_FROM="pets@example.com",
        SMARTBREED_PUBLIC_URL="http://127.0.0.1",
    ) as server:
        yield server


def lines(server: Server) -> list[dict[str, Any]]:
    """Every line of the log is one object."""
    return [json.loads(line) for line in server.log().splitlines()]


def of_request(server: Server, mark: str) -> list[dict[str, Any]]:
    return [line for line in lines(server) if line.get("request_id") == mark]


def test_a_request_keeps_its_id(logged: Server, photo: Path) -> None:
    answer = httpx.post(
        logged.url + "api/identify",
        files={"photo": photo.read_bytes()},
        headers={"X-Request-Id": "proxy-7.a"},
    )
    assert answer.headers["x-request-id"] == "proxy-7.a"
    until(lambda: of_request(logged, "proxy-7.a"))
    [line] = of_request(logged, "proxy-7.a")
    assert (line["logger"], line["level"]) == ("smartbreed.access", "INFO")
    assert (line["method"], line["route"], line["status"]) == ("POST", "/api/identify", 200)
    assert line["milliseconds"] > 0


@pytest.mark.parametrize("given", ["", "a" * 65, "two words", 'x","level":"ERROR', EMAIL, "ünique"])
def test_an_id_that_cannot_stand_in_a_log_is_replaced(logged: Server, given: str) -> None:
    answer = httpx.get(logged.url + "api/breeds", headers=[(b"X-Request-Id", given.encode())])
    mark = answer.headers["x-request-id"]
    assert (len(mark), mark == given) == (16, False)
    until(lambda: len(of_request(logged, mark)) == 1)


def test_work_in_threads_and_queued_events_know_their_request(logged: Server, photo: Path) -> None:
    with sqlite3.connect(logged.home / "smartbreed.db") as database:
        database.execute("ALTER TABLE flags RENAME TO flags_away")
    try:
        answer = httpx.get(logged.url + "api/health", headers={"X-Request-Id": "of-a-thread"})
        client = Client(logged.url, verbose=False, headers={"X-Request-Id": "of-an-event"})
        with pytest.raises(Exception, match="database"):
            client.predict(handle_file(photo), 1, "correct", consent=True, api_name="/flag")
    finally:
        with sqlite3.connect(logged.home / "smartbreed.db") as database:
            database.execute("ALTER TABLE flags_away RENAME TO flags")
    assert answer.json()["status"] == "degraded"
    for mark in ("of-a-thread", "of-an-event"):
        found = [line["logger"] for line in of_request(logged, mark) if line["level"] == "ERROR"]
        assert "smartbreed.core.database" in found, mark


def test_nothing_of_a_person_is_logged(logged: Server, photo: Path) -> None:
    with httpx.Client(base_url=logged.url, headers={"X-Forwarded-For": ADDRESS}, timeout=60) as visitor:
        form = {"email": EMAIL, "password": "a long enough password", "name": "Rex Owner", "agree": "1"}
        visitor.get("/account/sign-up", params={"email": EMAIL})
        visitor.post("/account/sign-up", data=form)
        visitor.post("/account/sign-in", data=form)
        visitor.post("/contact", data={**form, "topic": "question", "text": "Where does Rex live?"})
        visitor.post("/maintainer/enter", json={"password": "a wrong password"})
        for content in (photo.read_bytes(), b"no photo", photo.read_bytes()[:5000]):
            visitor.post("/api/identify", files={"photo": (NAME, content)})
            visitor.post("/api/flag", files={"photo": (NAME, content)}, data={"pet": 1, "verdict": "no such"})
            visitor.post("/gradio_api/upload", files={"files": (NAME, content)})
        visitor.get(f"/gradio_api/file=/tmp/{NAME}")
        visitor.get(f"/nothing/{EMAIL}")
        visitor.post(
            "/gradio_api/queue/join", json={"data": [{"path": NAME}], "fn_index": 0, "session_hash": EMAIL}
        )
    Client(logged.url, verbose=False).predict(handle_file(photo), api_name="/identify")
    routes = {line.get("route") for line in lines(logged)}
    assert {"/account/sign-up", "/contact", "/api/flag", "/gradio_api/file={file}", "other"} <= routes
    until(lambda: httpx.get(logged.url + "healthz").status_code == 200)
    text = logged.log()
    for private in (
        EMAIL,
        "rex.owner",
        "rex%20",
        NAME,
        photo.name,
        ADDRESS,
        "Rex Owner",
        "Where does",
        "enough password",
    ):
        assert private not in text, private
    assert "Traceback" not in text


def test_text_has_the_id_in_brackets_and_no_line_a_request(server: Server) -> None:
    httpx.get(server.url + "api/breeds", headers={"X-Request-Id": "quiet"})
    body = {"data": [None], "fn_index": 10**6, "session_hash": "x"}
    headers = {"X-Request-Id": "spoken"}
    assert httpx.post(server.url + "gradio_api/queue/join", json=body, headers=headers).status_code == 400
    lines = server.log().splitlines()
    [line] = [line for line in lines if line.endswith(" [spoken]")]
    assert line.startswith("WARNING smartbreed.web.api.problems: POST ")
    assert not any("quiet" in line for line in lines)
