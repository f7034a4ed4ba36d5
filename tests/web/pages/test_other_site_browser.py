"""What a page of another website gets in the browser of a signed-in maintainer, behind TLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.browser import open_chromium
from support.processes import Server
from support.tls_proxy import certificate, tls_proxy

PASSWORD = "a long enough password"
#: A sibling subdomain, whose requests carry even strict cookies; and a site of its own.
SIBLING, FOREIGN = "evil.pets.test", "evil.test"
OURS = "app.pets.test"


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title><body>")

    def log_message(self, *_: Any) -> None:
        pass


@dataclass(frozen=True)
class Web:
    """The app and another website, both behind TLS, and a browser to go there."""

    app: str
    port: int
    server: Server
    browser: Any
    seen: list[tuple[str, int]]

    def other(self, host: str) -> str:
        return f"https://{host}:{self.port}/"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    context = certificate(folder)
    seen: list[tuple[str, int]] = []
    site = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    arguments = "--ignore-certificate-errors", "--host-resolver-rules=MAP *.test 127.0.0.1"
    with (
        Server(folder, SMARTBREED_MAINTAINER_PASSWORD=PASSWORD) as server,
        tls_proxy(context, server.port, seen) as ours,
        tls_proxy(context, site.server_port) as theirs,
        open_chromium(*arguments) as browser,
    ):
        yield Web(f"https://{OURS}:{ours}/", theirs, server, browser, seen)
        assert "Traceback" not in server.log()
    site.shutdown()


@pytest.fixture
def maintainer(web: Web) -> Iterator[Any]:
    """A browser context that has signed in, with the page open."""
    context = web.browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{web.app}train")
    page.fill("#sb-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#retrain")
    yield context
    context.close()


def handler(web: Web, name: str) -> int:
    """Number of an event handler of the retraining page, as any visitor can look it up."""
    import httpx

    config = httpx.get(f"{web.server.url}config").json()
    return next(dep["id"] for dep in config["dependencies"] if dep["api_name"] == name)


#: Tries everything a script can; answers what it could read, by name.
ATTACK = """async ([app, handler]) => {
  const got = {};
  const attempt = async (name, path, options = {}) => {
    try {
      const answer = await fetch(app + path, { credentials: "include", ...options });
      const text = answer.type === "opaque" ? "" : await answer.text();
      if (text) got[name] = `${answer.status} ${text.slice(0, 80)}`;
    } catch { /* the browser kept the answer back */ }
  };
  const body = JSON.stringify({ data: [], fn_index: handler, session_hash: "evil" });
  const json = { "Content-Type": "application/json" };
  const forwarded = { "X-Forwarded-Host": location.host, "X-Forwarded-Proto": "https" };
  const posed = [{}, forwarded, { "X-SmartBreed-Token": "x" }];
  const post = (more) => ({ method: "POST", body, headers: { ...json, ...more } });
  for (const [n, more] of posed.entries()) {
    await attempt(`config${n}`, "config", { headers: more });
    await attempt(`token${n}`, "maintainer/token", { headers: more });
    await attempt(`join${n}`, "gradio_api/queue/join", post(more));
    await attempt(`run${n}`, "gradio_api/run/_back", post(more));
    await attempt(`data${n}`, "gradio_api/queue/data?session_hash=evil", { headers: more });
    await attempt(`leave${n}`, "maintainer/leave", post(more));
    await attempt(`cors${n}`, "api/breeds", { headers: more });
  }
  const blind = { method: "POST", body, mode: "no-cors", headers: { "Content-Type": "text/plain" } };
  await attempt("blind", "gradio_api/queue/join", blind);
  await attempt("blind leave", "maintainer/leave", blind);
  for (const path of ["maintainer/leave", "gradio_api/queue/join", "gradio_api/upload"]) {
    const frame = document.createElement("iframe");
    frame.name = "target" + path.length;
    const form = document.createElement("form");
    Object.assign(form, { method: "POST", action: app + path, target: frame.name, enctype: "text/plain" });
    form.innerHTML = `<input name='${body.slice(0, -1)},"x":"' value='"}'>`;
    document.body.append(frame, form);
    const loaded = new Promise((done) => { frame.onload = done; setTimeout(done, 3000); });
    form.submit();
    await loaded;
  }
  return got;
}"""


@pytest.mark.parametrize("host", [SIBLING, FOREIGN])
def test_another_website_reads_nothing_and_does_nothing(web: Web, maintainer: Any, host: str) -> None:
    maintainer.pages[0].goto("about:blank")  # what the page itself asks for is not counted
    page = maintainer.new_page()
    page.goto(web.other(host))
    web.seen.clear()
    got = page.evaluate(ATTACK, [web.app, handler(web, "_back")])
    assert got == {}
    asked = [line for line, _ in web.seen]
    assert {"POST /maintainer/leave", "POST /gradio_api/queue/join", "GET /maintainer/token"} <= set(asked)
    assert "OPTIONS /gradio_api/queue/join" in asked
    # The browser itself looks for a newer service worker of a page that was open.
    harmless = ("/api/breeds", "/service-worker.js")
    done = [one for one in web.seen if one[1] < 400 and not any(path in one[0] for path in harmless)]
    assert done == [], "the server carried something out"
    # The maintainer is signed in as before.
    own = maintainer.pages[0]
    own.goto(f"{web.app}train")
    own.wait_for_selector("#retrain")


def test_our_own_page_may(web: Web, maintainer: Any) -> None:
    page = maintainer.pages[0]
    page.click("#use")
    page.wait_for_function("document.querySelector('#chosen')?.innerText.trim()")
    assert "website" not in page.inner_text("#chosen")
    token = page.evaluate("fetch('maintainer/token').then((answer) => answer.json())")["token"]
    body = {"data": [], "fn_index": handler(web, "_use"), "session_hash": "mine"}
    send = """([body, headers]) => fetch("gradio_api/queue/join", {method: "POST", body: JSON.stringify(body),
        headers: {"Content-Type": "application/json", ...headers}}).then((answer) => answer.status)"""
    assert page.evaluate(send, [body, {"X-SmartBreed-Token": token}]) == 200


@pytest.mark.parametrize("host", [SIBLING, FOREIGN])
def test_another_website_shows_no_page_of_ours(web: Web, maintainer: Any, host: str) -> None:
    page = maintainer.new_page()
    page.goto(web.other(host))
    for path in ("", "train", "review", "tour", "api/docs"):
        page.evaluate(
            """(address) => new Promise((done) => {
              const frame = document.createElement("iframe");
              frame.onload = done;
              frame.src = address;
              document.body.append(frame);
            })""",
            web.app + path,
        )
        shown = page.frames[-1].evaluate("document.documentElement.innerHTML")
        assert "gradio" not in shown
        assert "SmartBreed" not in shown


def test_other_websites_may_use_the_public_routes_without_cookies(web: Web, maintainer: Any) -> None:
    page = maintainer.new_page()
    page.goto(web.other(FOREIGN))
    ask = """([address, options]) => fetch(address, options)
        .then((answer) => answer.json()).then((found) => found.length ?? found.error?.code ?? "ok")"""
    assert page.evaluate(ask, [f"{web.app}api/breeds", {}]) > 100
    assert page.evaluate(ask, [f"{web.app}api/health", {}]) == "ok"
    sent = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"}
    assert page.evaluate(ask, [f"{web.app}api/identify", sent]) == "no_photo"


def test_signing_out_ends_the_session_everywhere(web: Web, maintainer: Any) -> None:
    kept = [cookie for cookie in maintainer.cookies() if cookie["name"] == "smartbreed_maintainer"]
    assert kept
    page = maintainer.pages[0]
    page.goto(f"{web.app}review")
    page.click(".sb-sign-out")
    page.wait_for_selector("form.sb-sign-in")
    maintainer.add_cookies(kept)  # a copy of the cookie from before
    page.goto(f"{web.app}train")
    page.wait_for_selector("form.sb-sign-in")


@pytest.mark.parametrize(
    "path",
    ["", "api/docs", *(pytest.param(path, marks=pytest.mark.slow) for path in ("tour", "review", "train"))],
)
def test_pages_work_under_their_policy_and_added_scripts_do_not(web: Web, maintainer: Any, path: str) -> None:
    page = maintainer.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type} {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error {error}"))
    answer = page.goto(web.app + path)
    page.wait_for_load_state("networkidle") if path == "api/docs" else page.wait_for_function(
        "typeof smartbreed === 'object' && document.querySelector('nav.sb-nav')"
    )
    assert [line for line in said if line.startswith("error") or "Content Security" in line] == []
    assert "unsafe-inline" not in answer.headers["content-security-policy"].split("style-src")[0]
    ran = page.evaluate(
        """async (elsewhere) => {
          const place = document.createElement("div");
          place.innerHTML = "<img src=x onerror='window.ran=1'>";
          const inline = document.createElement("script");
          inline.textContent = "window.ran=2";
          const remote = document.createElement("script");
          remote.src = elsewhere + "x.js";
          document.body.append(place, inline, remote);
          await new Promise((done) => setTimeout(done, 500));
          const sent = await fetch(elsewhere, { mode: "no-cors" }).then(() => true, () => false);
          return [window.ran ?? null, sent];
        }""",
        web.other(FOREIGN),
    )
    assert ran == [None, False]
