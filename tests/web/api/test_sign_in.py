"""Signing in over HTTP: the cookie, and who does not get one."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from smartbreed.accounts.maintainer_sessions import COOKIE, DEVICE_COOKIE
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.api.rest import rest_app
from smartbreed.web.api.sign_in import build_maintainer_router

PASSWORD = "a long enough password"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.delenv("SPACE_ID", raising=False)
    return Services(load_settings(home=tmp_path, maintainer_password=PASSWORD, salt="s"))


@pytest.fixture
def client(services: Services) -> TestClient:
    return TestClient(rest_app(build_maintainer_router(services)))


def test_in_and_out(client: TestClient, services: Services) -> None:
    assert client.get("/maintainer/token").status_code == 401
    done = client.post("/maintainer/enter", json={"password": PASSWORD})
    assert (done.status_code, done.content) == (204, b"")
    cookies = done.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == [COOKIE, DEVICE_COOKIE]
    assert all("HttpOnly" in cookie and "SameSite=Strict" in cookie for cookie in cookies)
    cookie = client.cookies[COOKIE]
    token = {"X-SmartBreed-Token": client.get("/maintainer/token").json()["token"]}

    def state() -> str:
        headers = [(b"cookie", f"{COOKIE}={cookie}".encode()), (b"host", b"testserver")]
        headers += [(name.lower().encode(), value.encode()) for name, value in token.items()]
        return services.maintainers.authenticate(Request({"type": "http", "headers": headers})).state

    assert state() == "in"
    assert client.post("/maintainer/leave").status_code == 403, "without the token"
    assert state() == "in"
    left = client.post("/maintainer/leave", headers=token)
    assert left.status_code == 204
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert state() == "login", "a kept cookie is out too"
    again = client.post("/maintainer/enter", json={"password": PASSWORD})
    assert len(again.headers.get_list("set-cookie")) == 1, "this browser is known by now"


@pytest.mark.parametrize(
    "foreign", [{"origin": "https://b.example"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}]
)
def test_the_token_is_for_our_own_pages(client: TestClient, foreign: dict[str, str]) -> None:
    client.post("/maintainer/enter", json={"password": PASSWORD})
    assert "token" in client.get("/maintainer/token").json()
    refused = client.get("/maintainer/token", headers=foreign)
    assert (refused.status_code, "token" in refused.json()) == (403, False)


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b'{"password": 7}', b'{"password": "' + b"x" * 10_000 + b'"}', b"\xff"]
)
def test_what_is_no_password(client: TestClient, body: bytes) -> None:
    done = client.post("/maintainer/enter", content=body, headers={"content-type": "application/json"})
    assert done.status_code == 422
    assert done.json()["error"]["message"]
    assert "set-cookie" not in done.headers


def test_wrong_ones_and_other_sites(client: TestClient) -> None:
    elsewhere = {"origin": "https://evil.example"}
    assert client.post("/maintainer/leave", headers=elsewhere).status_code == 403
    forwarded = {**elsewhere, "x-forwarded-host": "evil.example"}
    assert client.post("/maintainer/enter", json={"password": PASSWORD}, headers=forwarded).status_code == 403
    form = client.post("/maintainer/enter", content=b'{"password": "%s"}' % PASSWORD.encode())
    assert form.status_code == 422, "what a form of another website can send"
    assert client.post("/maintainer/enter", json={"password": PASSWORD}, headers=elsewhere).status_code == 403
    wrong = client.post(
        "/maintainer/enter",
        content=b'{"password": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "wrong_password")
    # All may come from one address, as on a Space: another caller's wrong password does not lock others out.
    assert client.post("/maintainer/enter", json={"password": PASSWORD}).status_code == 204
    assert client.get("/maintainer/enter").status_code == 405
