"""Sign-in with providers: a real OpenID provider on a port, and one that lies, fails and refuses."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import User, run_server_in_thread
from starlette.testclient import TestClient

from smartbreed.accounts import providers
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.pages.account.page import account_app
from smartbreed.web.server import build_routes, build_server

EMAIL = "rosa@example.org"


@contextmanager
def app_with(home: Path, issuer: str, **settings: Any) -> Iterator[tuple[TestClient, Services]]:
    """The pages of accounts and a browser; the app really calls the provider."""
    wanted = {"home": home, "hub": "embedded", "oidc_issuer": issuer, "oidc_client_id": "pets",
              "oidc_client_secret": "s", "oidc_name": "Pets ID", **settings}  # fmt: skip
    services = Services(load_settings(**wanted))
    app = account_app(services)
    with TestClient(app, base_url="http://pets.test", follow_redirects=False) as browser:
        yield browser, services
    services.stop()


def signed_in(browser: TestClient) -> str:
    return str(browser.get("/account/name").json()["name"])


def begin(browser: TestClient, **query: str) -> dict[str, str]:
    """Click on the button; what the provider is asked."""
    answer = browser.get("/account/with/openid", params=query)
    assert answer.status_code == 302, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@pytest.fixture
def honest() -> Iterator[str]:
    people = (
        User(sub="rosa", claims={"email": EMAIL, "email_verified": True, "name": "Rosa"}),
        User(sub="mallory", claims={"email": EMAIL, "email_verified": False, "name": "Mallory"}),
        User(sub="shy", claims={"name": "<script>alert(1)</script>"}),
    )
    with run_server_in_thread(user_claims=people, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


def through(browser: TestClient, sub: str, **query: str) -> httpx.Response:
    """The whole way: to the provider, its form, and back."""
    away = browser.get("/account/with/openid", params=query).headers["location"]
    back = httpx.post(away, data={"sub": sub} if sub else {"action": "deny"}, timeout=30)
    assert back.status_code == 302, back.text
    return browser.get(back.headers["location"])


def test_with_a_real_provider(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, services):
        page = browser.get("/account/sign-in").text
        assert "Continue with Pets ID" in page
        assert "Google" not in page
        assert "GitHub" not in page
        asked = begin(browser)
        assert asked["redirect_uri"] == "http://pets.test/account/with/openid/back"
        assert asked["code_challenge_method"] == "S256"
        assert asked["nonce"]
        assert len(asked["state"]) >= 20
        done = through(browser, "rosa", next="/tour")
        assert (done.status_code, done.headers["location"]) == (303, "/tour")
        assert signed_in(browser) == "Rosa"
        [member] = services.roster.list()
        assert (member.email, member.password_hash) == (EMAIL, None)
        assert member.verified_at is not None
        browser.cookies.clear()
        through(browser, "rosa")
        assert signed_in(browser) == "Rosa"
        assert len(services.roster.list()) == 1


def test_an_address_that_the_provider_has_not_verified_joins_nothing(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, services):
        member, link = services.roster.create(EMAIL, "admin")
        services.members.reset(link.partition("token=")[2], "a long enough password")
        answer = through(browser, "mallory")
        assert answer.status_code == 403
        assert "Pets ID has not confirmed your e-mail address" in answer.text
        assert signed_in(browser) == ""
        through(browser, "rosa")
        assert signed_in(browser)
        assert [one.id for one in services.roster.list()] == [member.id]


def test_a_person_without_an_address_and_with_a_script_for_a_name(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, services):
        through(browser, "shy")
        assert services.roster.list()[0].email is None
        page = browser.get("/account").text
        assert "<script>" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_person_who_says_no(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, _):
        answer = through(browser, "")
        assert answer.status_code == 403
        assert "Pets ID did not sign you in" in answer.text


def test_what_comes_back_has_to_belong_to_what_was_begun_here(honest: str, tmp_path: Path) -> None:
    """Login CSRF: an attacker's own code, put into the browser of another person."""
    with app_with(tmp_path, honest) as (browser, _), app_with(tmp_path / "b", honest) as (attacker, _):
        away = attacker.get("/account/with/openid").headers["location"]
        back = httpx.post(away, data={"sub": "mallory"}, timeout=30).headers["location"]
        for path in (back, "/account/with/openid/back?code=x&state=y", "/account/with/openid/back",
                     "/account/with/openid/back?error=%3Cscript%3E&error_description=%3C"):  # fmt: skip
            for start in (False, True):
                if start:
                    begin(browser)
                answer = browser.get(path)
                assert answer.status_code == 403, path
                assert "<script>" not in answer.text
                assert signed_in(browser) == ""


def test_an_answer_works_once(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, _):
        away = browser.get("/account/with/openid").headers["location"]
        kept = dict(browser.cookies)
        back = httpx.post(away, data={"sub": "rosa"}, timeout=30).headers["location"]
        assert browser.get(back).status_code == 303
        browser.cookies.clear()
        assert browser.get(back).status_code == 403
        browser.cookies.update(kept)  # with the state of that sign-in still there, the code is used up
        assert browser.get(back).status_code == 403
        assert signed_in(browser) == ""


def test_a_forged_state_cookie(honest: str, tmp_path: Path) -> None:
    with app_with(tmp_path, honest) as (browser, _):
        begin(browser)
        name, value = next((n, v) for n, v in browser.cookies.items() if n == "smartbreed_provider")
        browser.cookies.clear()
        browser.cookies.set(name, value[:-2] + "xx")
        assert browser.get("/account/with/openid/back?code=x&state=y").status_code == 403


@pytest.mark.parametrize("where", ["https://evil.example", "//evil.example", "/\\evil.example", "/nowhere"])
def test_next_stays_here(honest: str, tmp_path: Path, where: str) -> None:
    with app_with(tmp_path, honest) as (browser, _):
        assert through(browser, "rosa", next=where).headers["location"] == "/account"


def test_providers_that_are_not_set_up_are_not_there(tmp_path: Path) -> None:
    with app_with(tmp_path, "", google_client_id="g", google_client_secret="s") as (browser, _):
        page = browser.get("/account/sign-in").text
        assert "Continue with Google" in page
        assert "Pets ID" not in page
        for path in ("openid", "github", "nothing", "openid/back"):
            assert browser.get(f"/account/with/{path}").status_code == 404


def test_a_provider_that_is_down(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with app_with(tmp_path, "http://127.0.0.1:9") as (browser, _):
        answer = browser.get("/account/with/openid")
        assert answer.status_code == 503
        assert "Pets ID cannot be reached at the moment" in answer.text
        assert "Traceback" not in caplog.text


class Liar(BaseHTTPRequestHandler):
    """A provider that does what its server's ``lie`` says."""

    def log_message(self, *given: Any) -> None: ...

    def do_GET(self) -> None:
        server: Any = self.server
        issuer = f"http://127.0.0.1:{server.server_port}"
        lie = server.lie
        if self.path.startswith("/.well-known") and lie == "metadata is garbage":
            self.answer(b"<html>not json", 200)
        elif self.path.startswith("/.well-known") and lie == "metadata fails":
            self.answer({"error": "x"}, 500)
        elif self.path.startswith("/.well-known"):
            self.answer({
                "issuer": issuer, "authorization_endpoint": f"{issuer}/go",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks", "id_token_signing_alg_values_supported": ["RS256"],
            })  # fmt: skip
        elif self.path == "/jwks":
            self.answer({"keys": [server.key.as_dict(private=False)]})
        else:
            self.answer({}, 404)

    def do_POST(self) -> None:
        server: Any = self.server
        sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        server.sent = sent
        lie, now = server.lie, int(time.time())
        if lie == "token fails":
            return self.answer({"error": "server_error"}, 500)
        if lie == "token is garbage":
            return self.answer(b"\xff\xfe", 200)
        if lie == "refuses the code":
            return self.answer({"error": "invalid_grant", "error_description": "<script>"}, 400)
        here = f"http://127.0.0.1:{server.server_port}"
        claims: dict[str, Any] = {
            "iss": here, "aud": "pets", "sub": "1", "iat": now, "exp": now + 600, "nonce": server.nonce,
            "email": EMAIL, "email_verified": True,
        }  # fmt: skip
        claims |= {
            "another nonce": {"nonce": "x"},
            "another audience": {"aud": "other"},
            "another issuer": {"iss": "https://accounts.google.com"},
            "expired": {"exp": now - 9999},
            "verified is a word": {"email_verified": "true"},
            "address is a list": {"email": [EMAIL]},
        }.get(lie, {})
        for name in {"no nonce": ["nonce"], "no subject": ["sub"]}.get(lie, []):
            del claims[name]
        key = RSAKey.generate_key(2048) if lie == "another key" else server.key
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        if lie == "no signature":
            parts = token.split(".")
            head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
            token = f"{head}.{parts[1]}."
        answer = {"access_token": "a", "token_type": "Bearer", "id_token": token}
        if lie == "no id token":
            del answer["id_token"]
            answer["userinfo"] = {"sub": "1", "email": EMAIL, "email_verified": True}  # type: ignore[assignment]
        return self.answer(answer)

    def answer(self, content: Any, status: int = 200) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def liar() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    server.lie, server.nonce, server.sent = "", "", {}
    server.key = RSAKey.generate_key(2048, {"kid": "1"})
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def from_liar(browser: TestClient, liar: Any) -> tuple[dict[str, str], httpx.Response]:
    asked = begin(browser)
    liar.nonce = asked["nonce"]
    return asked, browser.get(f"/account/with/openid/back?code=c&state={asked['state']}")


def test_the_liar_that_tells_the_truth_gets_the_verifier_of_its_challenge(liar: Any, tmp_path: Path) -> None:
    with app_with(tmp_path, f"http://127.0.0.1:{liar.server_port}") as (browser, _):
        asked, answer = from_liar(browser, liar)
        assert answer.status_code == 303
        assert signed_in(browser) == "rosa"
        digest = hashlib.sha256(liar.sent["code_verifier"][0].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]


@pytest.mark.parametrize(
    "lie",
    ["another key", "no signature", "another nonce", "no nonce", "another audience", "another issuer",
     "expired", "no subject", "no id token", "token fails", "token is garbage", "refuses the code"],
)  # fmt: skip
def test_lies_end_in_a_sentence(
    liar: Any, tmp_path: Path, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    with app_with(tmp_path, f"http://127.0.0.1:{liar.server_port}") as (browser, services):
        liar.lie = lie
        _, answer = from_liar(browser, liar)
        assert answer.status_code in (403, 503)
        assert "Pets ID" in answer.text
        assert "sb-problem" in answer.text
        assert "<script>" not in answer.text
        assert signed_in(browser) == ""
        assert services.roster.list() == []
        assert "Traceback" not in caplog.text
        assert EMAIL not in caplog.text


@pytest.mark.parametrize("lie", ["metadata is garbage", "metadata fails"])
def test_a_provider_that_is_broken_and_then_mended(liar: Any, tmp_path: Path, lie: str) -> None:
    with app_with(tmp_path, f"http://127.0.0.1:{liar.server_port}") as (browser, _):
        liar.lie = lie
        assert browser.get("/account/with/openid").status_code in (403, 503)
        liar.lie = ""
        assert from_liar(browser, liar)[1].status_code == 303


@pytest.mark.parametrize("lie", ["verified is a word", "address is a list"])
def test_half_a_claim_joins_nothing(liar: Any, tmp_path: Path, lie: str) -> None:
    with app_with(tmp_path, f"http://127.0.0.1:{liar.server_port}") as (browser, services):
        member, link = services.roster.create(EMAIL, "admin")
        services.members.reset(link.partition("token=")[2], "a long enough password")
        liar.lie = lie
        from_liar(browser, liar)
        for one in services.roster.list():
            assert one.id == member.id or one.email is None


class GitHub(Liar):
    """As much of GitHub as a sign-in needs."""

    def do_GET(self) -> None:
        server: Any = self.server
        if self.headers.get("authorization", "").lower() != "bearer a":
            return self.answer({}, 401)
        answers: dict[str, Any] = {
            "/user": {"id": 7, "login": "rosa-v", "name": None},
            "/user/emails": server.mails,
        }
        return self.answer(answers[self.path])

    def do_POST(self) -> None:
        self.answer({"access_token": "a", "token_type": "bearer", "scope": "read:user,user:email"})


@pytest.mark.parametrize(
    ("mails", "email"),
    [
        ([{"email": "x@example.org", "primary": False, "verified": True},
          {"email": EMAIL, "primary": True, "verified": True}], EMAIL),
        ([{"email": EMAIL, "primary": True, "verified": False}], None),
        ([], None),
    ],
)  # fmt: skip
def test_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mails: Any, email: str | None) -> None:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    server.mails = mails
    Thread(target=server.serve_forever, daemon=True).start()
    here = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(providers, "GITHUB", here)
    monkeypatch.setattr(providers, "GITHUB_API", f"{here}/")
    with app_with(tmp_path, "", github_client_id="g", github_client_secret="s") as (browser, services):
        asked = dict(parse_qsl(urlsplit(browser.get("/account/with/github").headers["location"]).query))
        assert asked["scope"] == "read:user user:email"
        answer = browser.get(f"/account/with/github/back?code=c&state={asked['state']}")
        assert answer.status_code == 303, answer.text
        assert [(one.email, one.name) for one in services.roster.list()] == [(email, "rosa-v")]
    server.shutdown()
    server.server_close()


def test_hugging_face_is_a_spaces_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYSTEM", "SPACE_ID", "OAUTH_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    with app_with(tmp_path, "") as (browser, _):
        assert "Hugging Face" not in browser.get("/account/sign-in").text
        assert browser.get("/account/hugging-face").status_code == 403


def test_on_a_space_gradios_own_sign_in_opens_the_account(
    honest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio import oauth
    from gradio.routes import App

    here = "me-app.hf.space"
    given = {"OAUTH_CLIENT_ID": "pets", "OAUTH_CLIENT_SECRET": "s", "OAUTH_SCOPES": "openid profile email",
             "OPENID_PROVIDER_URL": honest}  # fmt: skip
    for name, value in {**given, "SYSTEM": "spaces", "SPACE_ID": "me/app", "SPACE_HOST": here}.items():
        monkeypatch.setenv(name, value)
    for name, value in given.items():
        monkeypatch.setattr(oauth, name, value)
    services = Services(load_settings(home=tmp_path, hub="embedded", gallery=""))
    app = App.create_app(build_server(services), app_kwargs={"routes": build_routes(services)})
    with TestClient(app, base_url=f"https://{here}", follow_redirects=False) as browser:
        page = browser.get("/account/sign-in").text
        assert "Continue with Hugging Face" in page
        assert "sb-password" not in page, "a Space has no mail to confirm an address with"
        assert browser.get("/account/hugging-face").status_code == 403, "before signing in there"
        [button] = re.findall(r'href="(/login/huggingface[^"]*)"', page)
        away = browser.get(html.unescape(button)).headers["location"]
        assert away.startswith(honest)
        back = httpx.post(away, data={"sub": "rosa"}, timeout=30).headers["location"]
        assert back.startswith(f"https://{here}/login/callback")
        onwards = browser.get(back)
        assert onwards.headers["location"] == "/account/hugging-face"
        done = browser.get("/account/hugging-face")
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        mine = [one for one in done.headers.get_list("set-cookie") if one.startswith("smartbreed_member=")]
        assert {"SameSite=None", "Secure", "Partitioned", "HttpOnly"} <= set(mine[0].split("; "))
        assert signed_in(browser) == "Rosa"
        assert browser.get("/account/hugging-face").status_code == 403, "what gradio kept has done its work"
    services.stop()
