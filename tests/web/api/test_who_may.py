"""The table of docs/security.md against the running app: complete, and true of every row."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from starlette.testclient import TestClient
from support.events import completed
from support.processes import ROOT, free_port

from smartbreed.accounts.members import COOKIE
from smartbreed.accounts.tables import ROLES
from smartbreed.admin.switches import FEATURES
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web import server
from smartbreed.web.api.access import ROUTES, SPACE_ROUTES, Who, route_for
from smartbreed.web.api.access_events import EVENTS, Event, event_key, tables
from smartbreed.web.api.own_site import OwnSiteMiddleware
from smartbreed.web.components.nav import MAINTAINERS

PASSWORD = "a long enough password"
NEED_A_LINK = ("/account/verify", "/account/reset", "/account/hugging-face")
OTHER = {"Origin": "https://evil.example"}
#: What a handler of a maintainers' page shows instead of doing anything.
REFUSALS = ("sb-sign-in", "Only for maintainers", "sign-in has ended", "load it again")


@dataclass
class App:
    """The app in this process, and people who use it: by password, and by the role of their account."""

    blocks: Any
    visitor: httpx.Client
    maintainer: httpx.Client
    services: Services
    token: dict[str, str] = field(default_factory=dict)
    by_role: dict[str, httpx.Client] = field(default_factory=dict)

    def token_of(self, client: httpx.Client) -> dict[str, str]:
        """What a page of a maintainer sends along; nothing for those who are none."""
        answer = client.get("/maintainer/token")
        return {"X-SmartBreed-Token": answer.json()["token"]} if answer.status_code == 200 else self.token

    def call(self, client: httpx.Client, fn_id: int, **headers: str) -> str:
        """What an event of the page answers, as text."""
        inputs = self.blocks.fns[fn_id].inputs
        return completed(client, {"data": [None] * len(inputs), "fn_index": fn_id}, **headers)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.delenv("SPACE_ID", raising=False)
        services = Services(
            load_settings(home=home, maintainer_password=PASSWORD, hub="embedded", watch=0, gallery="")
        )
        services.maintainers.listening_on("127.0.0.1")
        blocks = server.build_server(services)
        url = server.launch(blocks, services, server.Address("127.0.0.1", free_port()))
        with httpx.Client(base_url=url, timeout=60) as one, httpx.Client(base_url=url, timeout=60) as two:
            assert two.post("/maintainer/enter", json={"password": PASSWORD}).status_code == 204
            token = two.get("/maintainer/token").json()["token"]
            made = App(blocks, one, two, services, {"X-SmartBreed-Token": token})
            for role in ROLES:
                made.by_role[role] = httpx.Client(base_url=url, timeout=60)
                _, link = services.roster.create(f"{role}@example.org", role)
                cookie = services.members.reset(link.partition("token=")[2], PASSWORD)
                made.by_role[role].cookies.set(COOKIE, cookie, domain="127.0.0.1")
                assert made.by_role[role].get("/account/name").json()["name"] == role
            yield made
            for client in made.by_role.values():
                client.close()
        blocks.close(verbose=False)
        services.stop()


def rows_of(app: App) -> dict[tuple[str, str], list[int]]:
    """Ids of the app's events by page and function."""
    found: dict[tuple[str, str], list[int]] = {}
    for fn in app.blocks.fns.values():
        if key := event_key(fn.fn):
            found.setdefault((fn.page, key), []).append(fn._id)
    return found


def test_every_handler_has_a_row_and_every_row_a_handler(app: App) -> None:
    assert set(rows_of(app)) == {(event.page, event.function) for event in EVENTS}
    assert len(EVENTS) == len({(event.page, event.function) for event in EVENTS})


def test_the_table_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    written = text.partition("<!-- tables -->\n")[2].partition("\n<!-- /tables -->")[0]
    assert written.strip() == tables(), "run: make docs"


def routes_of(app: App) -> set[str]:
    from fastapi import FastAPI
    from starlette.routing import Mount

    def walk(routes: Any, before: str = "") -> Iterator[str]:
        for route in routes:
            inner = getattr(route, "original_router", None) or getattr(route, "router", None)
            if isinstance(getattr(route, "app", None), FastAPI):  # of REST, whose paths are whole already
                yield from walk(route.app.routes)
            elif isinstance(route, Mount):
                yield before + route.path + "/{path:path}"
            elif inner is not None:
                yield from walk(inner.routes, before)
            elif path := getattr(route, "path", ""):
                yield before + path

    return set(walk(app.blocks.app.routes))


def test_every_route_has_a_row_or_is_not_there(app: App) -> None:
    found = routes_of(app)
    assert "/gradio_api/process_recording" in found, "gradio's own routes are not seen"
    assert "/maintainer/enter" in found
    missing = {path for path in found if route_for(path) is None}
    for path in sorted(missing):
        plain = path.replace("{path_or_url:path}", "http://a/").replace(":path", "")
        answer = app.visitor.get(plain.replace("{", "").replace("}", ""))
        assert answer.status_code == 404, path
    assert "/gradio_api/dev/reload" in missing
    assert "/openapi.json" in missing


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_another_website_gets_what_is_for_anyone(app: App, route: Any) -> None:
    path = route.path.replace("{path:path}", "a").replace("{file}", "/a").replace("{", "").replace("}", "")
    for client in (app.visitor, app.maintainer, *app.by_role.values()):
        for method in ("GET", "POST"):
            answer = client.request(method, path, headers={**OTHER, **app.token})
            refused = answer.status_code == 403 and answer.json()["error"]["code"] == "closed"
            assert refused is (route.who != "anyone"), (method, path, answer.text)
            assert "access-control-allow-credentials" not in answer.headers


def test_every_row_is_tried() -> None:
    """Each kind of person has a test of its own below; a new kind needs one."""
    kinds = {"anyone", "visitor", "member", "maintainer", "admin", "secret", "scraper"}
    assert {route.who for route in ROUTES} == set(get_args(Who)) == kinds


@pytest.mark.parametrize(
    "route",
    [
        route
        for route in ROUTES
        if route.who in ("anyone", "visitor", "scraper")
        and "GET HEAD" in route.methods
        and "{" not in route.path
    ],
    ids=lambda route: route.path,
)
def test_what_is_for_visitors_is_refused_to_no_role(app: App, route: Any) -> None:
    for client in (app.visitor, app.maintainer, *app.by_role.values()):
        answer = client.get(route.path)
        without = route.path in NEED_A_LINK  # they are opened by what a link or a provider brings along
        assert (answer.status_code == 403) is without, answer.text[:300]
        assert answer.status_code != 401
        assert answer.status_code < 500
        assert not answer.headers.get("location", "").startswith("/account/sign-in")


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if "{" in route.path], ids=lambda route: route.path
)
def test_what_no_one_has_is_there_for_no_role(app: App, route: Any) -> None:
    """An id of nothing: no role gets another answer than that it is not there, or that it is not for them."""
    if "GET HEAD" not in route.methods or ":path" in route.path or "{file}" in route.path:
        return
    path = re.sub(r"\{.*?\}", "0" * 26, route.path)
    for client in (app.visitor, app.maintainer, *app.by_role.values()):
        assert client.get(path).status_code in (303, 400, 403, 404, 410), (path, client.get(path).text[:300])


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.who == "maintainer"], ids=lambda route: route.path
)
def test_routes_for_maintainers(app: App, route: Any) -> None:
    if route.path.endswith("token"):
        assert app.visitor.get(route.path).status_code == 401
        assert app.maintainer.get(route.path).json()["token"] == app.token["X-SmartBreed-Token"]
    else:
        assert app.maintainer.post(route.path).status_code == 403, "without the token"
        assert app.maintainer.get("/maintainer/token").status_code == 200


@pytest.mark.parametrize("role", ROLES)
def test_the_token_of_maintainers_by_role(app: App, role: str) -> None:
    answer = app.by_role[role].get("/maintainer/token")
    assert answer.status_code == (401 if role == "member" else 200)
    assert app.by_role[role].post("/maintainer/leave").status_code in (204, 403)
    assert app.by_role[role].get("/account/name").json()["name"] == role, "without its token nothing ends"


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.who == "member"], ids=lambda route: route.path
)
def test_routes_of_members(app: App, route: Any) -> None:
    path = re.sub(r"\{.*\}", "0" * 26, route.path)
    for client in (app.visitor, app.maintainer):  # the maintainers' password is no account
        if "GET" in route.methods:
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/account/sign-in?next={path}")
        if "POST" in route.methods:
            assert client.post(path, data={"token": "0" * 64}).status_code == 403
    for client in app.by_role.values():
        if "GET" in route.methods:
            assert client.get(path).status_code == (404 if "{" in route.path else 200)
        if "POST" in route.methods:
            answer = client.post(path, data={"token": "0" * 64})
            assert answer.status_code == 403, "without the token of a form"
            assert "out of date" in answer.text


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.who == "admin"], ids=lambda route: route.path
)
def test_routes_of_admins(app: App, route: Any) -> None:
    path = re.sub(r"\{.*?\}", "0" * 26, route.path)
    forged = {"data": {"token": "0" * 64}}
    for client in (app.visitor, app.maintainer):
        if "GET" in route.methods:
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/account/sign-in?next={path}")
        if "POST" in route.methods:
            assert client.post(path, **forged).status_code == 403
    for role, client in app.by_role.items():
        if "GET" in route.methods:
            wanted = (404 if "{" in route.path else 200) if role == "admin" else 403
            assert client.get(path).status_code == wanted, role
        if "POST" in route.methods:
            assert client.post(path, **forged).status_code == 403, "without the token of a form"
            token = re.findall(r'name="token" value="([0-9a-f]{64})"', client.get("/contact").text)[0]
            answer = client.post(path, data={"token": token, "do": "delete", "name": "none"})
            assert (answer.status_code == 403) is (role != "admin"), role


def test_what_is_switched_off_is_gone_at_once(app: App) -> None:
    services, feature = app.services, {"quiz": "/quiz", "ask": "/ask", "contact": "/contact"}
    feature |= {"sign_up": "/account/sign-up", "teach": "/teach"}
    assert set(feature) | {"flags"} == set(FEATURES), "the flags have no page of their own"
    for name, path in feature.items():
        assert app.visitor.get(path).status_code == 200
        services.switches.set(name, 0)
        try:
            answer = app.visitor.get(path)
            assert answer.status_code == 404
            assert FEATURES[name].closed in html.unescape(answer.text)
            assert name in app.visitor.get("/account/name").json()["off"]
            assert f'data-page="{name}"' not in app.visitor.get("/breeds").text
            assert app.visitor.post(path, data={}).status_code == 404
        finally:
            services.switches.set(name, None)
        assert app.visitor.get(path).status_code == 200
    services.switches.set("ask", 0)
    try:
        ids = rows_of(app)["ask", "AskPage._ask"]
        assert FEATURES["ask"].closed[:20] in app.call(app.visitor, ids[0])
    finally:
        services.switches.set("ask", None)


def test_hugging_face_is_reached_on_a_space_alone(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere gradio has a mock there, which signs anyone in."""
    assert not routes_of(app) & {route.path for route in SPACE_ROUTES}
    for path in ("/login/huggingface", "/login/callback", "/login/callback/", "/logout", "/login"):
        assert app.visitor.get(path).status_code == 404
    # Not even where another part of the process had made gradio add it.
    import gradio as gr
    from gradio.routes import App as GradioApp

    monkeypatch.setattr("gradio.oauth._get_mocked_oauth_info", dict)
    with gr.Blocks() as blocks:
        gr.LoginButton()
    with pytest.warns(UserWarning, match="mock"):
        mock = GradioApp.create_app(blocks)
    assert "/login/huggingface" in {getattr(route, "path", "") for route in mock.routes}
    with TestClient(OwnSiteMiddleware(mock, load_settings())) as client:
        for route in SPACE_ROUTES:
            assert client.get(route.path, follow_redirects=False).status_code == 404
    for name, value in {"SYSTEM": "spaces", "SPACE_ID": "me/app", "OAUTH_CLIENT_ID": "i",
                        "OAUTH_CLIENT_SECRET": "s", "OAUTH_SCOPES": "openid"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
        assert route_for("/login/huggingface") is None, "as long as something is missing"
    monkeypatch.setenv("OPENID_PROVIDER_URL", "https://huggingface.co")
    assert route_for("/login/huggingface") in SPACE_ROUTES
    monkeypatch.delenv("SYSTEM")
    assert route_for("/login/huggingface") is None


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.who == "secret"])
def test_routes_with_a_secret(app: App, path: str) -> None:
    assert app.visitor.post(path, json={}).status_code == 403


def names(event: Event) -> str:
    return f"{event.page}/{event.function}"


@pytest.mark.parametrize("event", EVENTS, ids=names)
def test_events(app: App, event: Event) -> None:
    ids = rows_of(app)[event.page, event.function]
    body = {"data": [], "fn_index": ids[0], "session_hash": "x"}
    for client in (app.visitor, app.maintainer):
        for foreign in (OTHER, {"Sec-Fetch-Site": "same-site"}):
            refused = client.post("/gradio_api/queue/join", json=body, headers={**foreign, **app.token})
            assert refused.status_code == 403
    if event.who == "visitor":
        assert event.page not in MAINTAINERS or event.function in ("groups_of", "Acts.wire.<locals>.<lambda>")
        answer = app.call(app.visitor, ids[0])
        assert not any(sign in answer for sign in REFUSALS)
        return
    for fn_id in ids:
        for answer in (
            app.call(app.visitor, fn_id),
            app.call(app.visitor, fn_id, **app.token),
            app.call(app.maintainer, fn_id),
            app.call(app.maintainer, fn_id, **{"X-SmartBreed-Token": "0" * 64}),
        ):
            assert any(sign in answer for sign in REFUSALS), answer[:300]
        answer = app.call(app.maintainer, fn_id, **app.token)
        assert not any(sign in answer for sign in REFUSALS), answer[:300]
        for role, client in app.by_role.items():
            assert any(sign in app.call(client, fn_id) for sign in REFUSALS), "without the token"
            answer = app.call(client, fn_id, **app.token_of(client))
            assert any(sign in answer for sign in REFUSALS) is (role == "member"), (role, answer[:300])


def test_mcp_tools_are_the_public_endpoints(app: App) -> None:
    listed = app.visitor.get("/gradio_api/mcp/schema").json()
    endpoints = {
        event.function.rsplit(".", 1)[1] for event in EVENTS if event.function.startswith("_endpoints.")
    }
    assert {tool["name"] for tool in listed} == endpoints


def test_a_page_for_maintainers_is_named_as_one() -> None:
    assert {event.page for event in EVENTS if event.who == "maintainer"} == set(MAINTAINERS)
    assert Path(ROOT / "smartbreed" / "web" / "static" / "maintainer.js").is_file()
