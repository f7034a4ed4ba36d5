"""Signing in over HTTP: the cookie, and who does not get one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from smartbreed.api.maintainer import build_maintainer_router
from smartbreed.config import load_settings
from smartbreed.maintainer import COOKIE
from smartbreed.services import Services

PASSWORD = "a long enough password"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.delenv("SPACE_ID", raising=False)
    return Services(load_settings(home=tmp_path, maintainer_password=PASSWORD, salt="s"))


@pytest.fixture
def client(services: Services) -> TestClient:
    app = FastAPI()
    app.include_router(build_maintainer_router(services))
    return TestClient(app)


def test_in_and_out(client: TestClient, services: Services) -> None:
    done = client.post("/maintainer/enter", json={"password": PASSWORD})
    assert (done.status_code, done.content) == (204, b"")
    assert "HttpOnly" in done.headers["set-cookie"]
    cookie = f"{COOKIE}={client.cookies[COOKIE]}"

    asked = Request({"type": "http", "headers": [(b"cookie", cookie.encode()), (b"host", b"testserver")]})
    assert services.maintainers.entry(asked).state == "in"
    left = client.post("/maintainer/leave")
    assert left.status_code == 204
    assert "Max-Age=0" in left.headers["set-cookie"]


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b'{"password": 7}', b'{"password": "' + b"x" * 10_000 + b'"}', b"\xff"]
)
def test_what_is_no_password(client: TestClient, body: bytes) -> None:
    done = client.post("/maintainer/enter", content=body)
    assert done.status_code == 422
    assert done.json()["error"]["message"]
    assert "set-cookie" not in done.headers


def test_wrong_ones_and_other_sites(client: TestClient) -> None:
    elsewhere = {"origin": "https://evil.example"}
    assert client.post("/maintainer/leave", headers=elsewhere).status_code == 403
    assert client.post("/maintainer/enter", json={"password": PASSWORD}, headers=elsewhere).status_code == 403
    wrong = client.post("/maintainer/enter", content=b'{"password": "\\ud800"}')
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "wrong_password")
    # Everybody may come from the same address, as on a Space: a stranger's wrong one keeps nobody out.
    assert client.post("/maintainer/enter", json={"password": PASSWORD}).status_code == 204
    assert client.get("/maintainer/enter").status_code == 405
