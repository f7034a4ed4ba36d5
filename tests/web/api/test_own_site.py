"""What every answer carries, which addresses there are, and what other sites' scripts may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from support.processes import Server

from smartbreed.core.errors import SettingError
from smartbreed.web.api.access import ROUTES, route_for

FOREIGN = {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(scope="module")
def app(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=60)


UNUSED = [
    "/gradio_api/process_recording", "/gradio_api/dev/reload", "/gradio_api/deep_link",
    "/gradio_api/vibe-code",
    "/gradio_api/vibe-code/", "/gradio_api/vibe-edit", "/gradio_api/undo-vibe-edit", "/gradio_api/runs",
    "/gradio_api/vibe-starter-queries", "/gradio_api/run-history/records", "/gradio_api/proxy=http://a/",
    "/gradio_api/component_server", "/gradio_api/custom_component/a/client/b/c.js", "/gradio_api/token",
    "/gradio_api/user", "/gradio_api/login_check", "/gradio_api/openapi.json", "/gradio_api/api/identify",
    "/gradio_api/file/etc/passwd", "/gradio_api/file=http://169.254.169.254/latest",
    "/gradio_api/file=HTTPS%3A%2F%2Fexample.org/a.jpg", "/gradio_api/stream/a", "/gradio_api/queue/status",
    "/gradio_api/profiling/traces", "/login", "/login/", "/logout", "/monitoring", "/monitoring/summary",
    "/monitoring/key", "/openapi.json", "/docs", "/redoc", "/pwa_icon/99999", "/nothing",
    "/gradio_api", "/maintainer", "/.env", "/gradio_api/%2e%2e/config",
]  # fmt: skip


@pytest.mark.parametrize("path", UNUSED)
def test_what_is_not_used_is_not_there(app: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        answer = app.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_page")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_every_row_is_met() -> None:
    for route in ROUTES:
        path = (
            route.path.replace("{path:path}", "a/b")
            .replace("{file}", "/tmp/a.jpg")
            .replace("{", "")
            .replace("}", "")
        )
        assert route_for(path) is not None, route.path
        if "{" not in route.path:
            assert route_for(route.path) == route


@pytest.mark.parametrize(
    "path",
    ["/", "/tour", "/review", "/train", "/config", "/api/docs", "/api/health", "/api/nothing", "/favicon.ico",
     "/nothing", "/gradio_api/info", "/gradio_api/queue/join", "/maintainer/token", "/theme.css"],
)  # fmt: skip
def test_headers_of_every_answer(app: httpx.Client, path: str) -> None:
    answer = app.get(path)
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]
    assert "microphone=()" in headers["permissions-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert "strict-transport-security" not in headers, "this was plain HTTP"
    if headers["content-type"].startswith("text/html"):
        assert "frame-ancestors 'self' https://huggingface.co" in headers["content-security-policy"]
        assert "'unsafe-inline'" not in headers["content-security-policy"].split("style-src")[0]
    else:
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    behind_tls = app.get(path, headers={"X-Forwarded-Proto": "https"})
    assert "max-age=" in behind_tls.headers["strict-transport-security"]


def test_a_policy_fits_the_page_however_it_is_compressed(app: httpx.Client) -> None:
    policies = {
        app.get("/", headers={"Accept-Encoding": kind}).headers["content-security-policy"]
        for kind in ("identity", "br", "gzip")
    }
    assert len(policies) == 1
    assert next(iter(policies)).count("sha256-") >= 5


def test_no_versions(app: httpx.Client) -> None:
    import gradio

    for path in ("/", "/config"):
        assert f'"version":"{gradio.__version__}"' not in app.get(path).text.replace(" ", "")
    assert app.get("/config").json()["version"] == "6.0.0"


def test_other_sites_are_refused_but_for_the_public_routes(app: httpx.Client) -> None:
    body = {"data": [], "fn_index": 0, "session_hash": "x"}
    for method, path in (
        ("GET", "/config"), ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/call/flag"), ("GET", "/maintainer/token"), ("POST", "/gradio_api/mcp/"),
    ):  # fmt: skip
        for headers in (FOREIGN, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
            answer = app.request(method, path, json=body if method == "POST" else None, headers=headers)
            assert answer.status_code == 403, (method, path, headers)
            assert not [name for name in answer.headers if name.startswith("access-control")]
    public = app.get("/api/breeds", headers=FOREIGN)
    assert public.status_code == 200
    assert public.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in public.headers


def test_preflights(app: httpx.Client) -> None:
    ask = {**FOREIGN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-evil"}
    yes = app.options("/api/identify", headers=ask)
    assert yes.headers["access-control-allow-origin"] == "*"
    assert "credentials" not in " ".join(yes.headers)
    assert yes.headers["access-control-allow-headers"] == "content-type"
    no = app.options("/gradio_api/queue/join", headers=ask)
    assert no.status_code == 403
    assert "access-control-allow-origin" not in no.headers


def test_a_link_from_elsewhere_opens_a_page(app: httpx.Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert app.get("/", headers=link).status_code == 200
    assert app.post("/maintainer/leave", headers=link).status_code == 403


def test_a_made_up_host_reaches_no_page(app: httpx.Client) -> None:
    for path in ("/", "/config", "/gradio_api/mcp/schema"):
        assert "evil.example" not in app.get(path, headers={"X-Forwarded-Host": "evil.example"}).text


def test_the_query_opens_no_other_page_at_the_front_page(app: httpx.Client) -> None:
    """gradio reads ``page`` from it, past the switches, and raises where there is no such page."""
    front = app.get("/").text.partition("<title>")[2].partition("<")[0]
    for query in ("page=x", "page=ask", "pag%65=train", "a=1&page=review&page=ask", "page", "page=%00"):
        answer = app.get(f"/?{query}")
        assert answer.status_code == 200, query
        assert answer.text.partition("<title>")[2].partition("<")[0] == front, query
        assert '"current_page":""' in answer.text.replace(" ", ""), query


def test_websockets_are_closed(app: httpx.Client) -> None:
    answer = app.get(
        "/gradio_api/queue/join",
        headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="},
    )  # fmt: skip
    assert answer.status_code >= 400


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8,192.168.1.2"])
def test_uvicorn_believes_the_configured_proxies_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str
) -> None:
    from gradio import http_server
    from gradio.exceptions import ServerFailedToStartError
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    from smartbreed.core.settings import load_settings
    from smartbreed.services import Services
    from smartbreed.web import server as web

    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    made: list[Any] = []

    class NoServer:
        def __init__(self, config: Any) -> None:
            made.append(config)

        def run_in_thread(self) -> None:
            raise ServerFailedToStartError

    class Blocks:
        def launch(self, **options: object) -> None:
            http_server.start_server(None, "127.0.0.1", 1)  # type: ignore[arg-type]

    monkeypatch.setattr(http_server, "Server", NoServer)
    services = Services(load_settings(home=tmp_path, trusted_proxies=trusted))
    with pytest.raises(SettingError):
        web.launch(Blocks(), services, web.Address("127.0.0.1", 1))  # type: ignore[arg-type]
    hosts = ProxyHeadersMiddleware(None, made[0].forwarded_allow_ips).trusted_hosts  # type: ignore[arg-type]
    assert "127.0.0.1" not in hosts
    assert "8.8.8.8" not in hosts
    assert ("10.1.2.3" in hosts) is bool(trusted)
