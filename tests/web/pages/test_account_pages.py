"""The pages of accounts over HTTP: forms, tokens, cookies, and what is not given away."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
import io
import json
import logging
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image
from starlette.testclient import TestClient
from support.languages import english_in, text_of

from smartbreed.accounts.members import Members
from smartbreed.accounts.tables import Member
from smartbreed.admin import switches
from smartbreed.core.database import write
from smartbreed.core.errors import StorageError
from smartbreed.core.settings import load_settings
from smartbreed.i18n.languages import LANGUAGES
from smartbreed.inference.results import Identification
from smartbreed.quiz.tables import QuizGame
from smartbreed.services import Services
from smartbreed.web.api.language import LanguageMiddleware
from smartbreed.web.api.own_site import OwnSiteMiddleware
from smartbreed.web.components.plain import not_found
from smartbreed.web.pages.account.page import account_app
from smartbreed.web.pages.account.visit import safe_next

EMAIL, PASSWORD = "rosa.valentin@example.org", "my two cats sing"
SCRIPT = "<script>alert(1)</script>{{7*7}}${1}\"'><img src=x onerror=alert(1)>"


class App:
    """The pages, and browsers that look at them."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.services = Services(load_settings(home=home, hub="embedded", **settings))
        self.asgi = account_app(self.services)
        self.services.members.site = "http://pets.test"

    def browser(self, **headers: str) -> Browser:
        return Browser(self.asgi, headers)


class Browser(TestClient):
    def __init__(self, asgi: Any, headers: dict[str, str]) -> None:
        super().__init__(asgi, base_url="http://pets.test", follow_redirects=False, headers=headers)

    def token(self, page: str) -> str:
        return re.findall(r'name="token" value="([0-9a-f]{64})"', self.get(page).text)[0]

    def fill(self, page: str, action: str = "", **fields: str) -> Any:
        """Fill in the form of a page and send it."""
        return self.post(action or page.partition("?")[0], data={"token": self.token(page), **fields})

    @property
    def name(self) -> str:
        return str(self.get("/account/name").json()["name"])


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    made = App(tmp_path / "home")
    yield made
    made.services.stop()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


def link(app: App, log: pytest.LogCaptureFixture) -> str:
    """The latest link of the log, without the site."""
    app.services.members.settle()
    return re.findall(r"http://pets\.test(/account/\S+)", log.text)[-1]


def join(app: App, log: pytest.LogCaptureFixture, email: str = EMAIL, **fields: str) -> Browser:
    browser = app.browser()
    answer = browser.fill("/account/sign-up", email=email, password=PASSWORD, name="Rosa", **fields)
    assert answer.status_code == 200
    there = link(app, log)
    answer = browser.fill(there, link=there.partition("token=")[2])
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    return browser


def problem(answer: Any) -> str:
    found = re.findall(r'class="sb-problem" role="alert">(.*?)</p>', answer.text)
    return html.unescape(found[0]) if found else ""


def test_sign_up_confirm_sign_out_sign_in(app: App, log: pytest.LogCaptureFixture) -> None:
    browser = join(app, log)
    assert browser.name == "Rosa"
    assert EMAIL in browser.get("/account").text
    assert EMAIL not in log.text
    answer = browser.fill("/account", "/account/sign-out")
    assert answer.headers["location"] == "/"
    assert browser.name == ""
    assert browser.get("/account").headers["location"] == "/account/sign-in?next=/account"
    answer = browser.fill("/account/sign-in?next=/tour", email=EMAIL, password=PASSWORD, next="/tour")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tour")
    assert browser.get("/account/sign-in?next=/tour").headers["location"] == "/tour"


def test_cookies_are_closed_to_scripts_and_other_websites(app: App, log: pytest.LogCaptureFixture) -> None:
    join(app, log)
    for scheme, secure in (("http", False), ("https", True)):
        browser = app.browser()
        browser.base_url = f"{scheme}://pets.test"
        answer = browser.fill("/account/sign-in", email=EMAIL, password=PASSWORD)
        cookies = answer.headers.get_list("set-cookie")
        [mine] = [one for one in cookies if one.startswith("smartbreed_member=")]
        parts = set(mine.split("; "))
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= parts
        assert ("Secure" in parts) is secure
        assert all("HttpOnly" in one for one in cookies)


def test_a_session_that_was_planted_is_not_taken_over(app: App, log: pytest.LogCaptureFixture) -> None:
    attacker = join(app, log, "mallory@example.org")
    planted = attacker.cookies["smartbreed_member"]
    join(app, log)
    victim = app.browser()
    for name, value in attacker.cookies.items():
        victim.cookies.set(name, value, domain="pets.test", path="/")
    victim.fill("/account", "/account/sign-in", email=EMAIL, password=PASSWORD)
    assert victim.name == "Rosa"
    assert victim.cookies["smartbreed_member"] != planted
    assert attacker.name == ""


def test_no_page_of_an_error_reads_the_database_on_the_event_loop(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def refuses(*given: Any) -> Any:
        try:
            asked.append(bool(asyncio.get_running_loop()))
        except RuntimeError:
            asked.append(False)
        raise StorageError("The database cannot be reached.")

    monkeypatch.setattr(switches, "_rows", refuses)
    monkeypatch.setattr(Members, "has_maintainers", property(refuses))
    site = OwnSiteMiddleware(app.asgi, app.services.settings, partial(not_found, app.services))
    browser = Browser(LanguageMiddleware(site, app.services.settings, lambda: False), {})
    for method, path, status, said in (
        ("POST", "/account/sign-in", 400, "Das ist keines unserer Formulare."),
        ("GET", "/nowhere", 404, "Hier ist nichts"),
    ):
        asked.clear()
        answer = browser.request(method, path, headers={"accept": "text/html", "accept-language": "de"})
        assert (answer.status_code, said in answer.text) == (status, True), path
        assert asked, path
        assert not any(asked), path


FORMS = {
    "/account/sign-up": ("/account/sign-up", {"email": "new@example.org", "password": PASSWORD}),
    "/account/sign-in": ("/account/sign-in", {"email": EMAIL, "password": PASSWORD}),
    "/account/forgot": ("/account/forgot", {"email": EMAIL}),
    "/account/password": ("/account", {"old": PASSWORD, "new": "a dog under the table"}),
    "/account/sessions/end": ("/account", {}),
    "/account/sign-out": ("/account", {}),
    "/account/kept": ("/account", {"do": "keep"}),
    "/account/delete": ("/account/delete", {"password": PASSWORD}),
}


@pytest.mark.parametrize("action", FORMS)
def test_a_form_needs_the_token_of_its_browser_and_sign_in(
    app: App, log: pytest.LogCaptureFixture, action: str
) -> None:
    page, fields = FORMS[action]
    browser, other = join(app, log), join(app, log, "other@example.org")
    if page.startswith(("/account/sign", "/account/forgot")):
        browser, other = app.browser(), app.browser()
    before = browser.name
    for token in ("", "0" * 64, other.token(page), browser.token(page)[:-1] + "é"):
        answer = browser.post(action, data={**fields, "token": token})
        assert answer.status_code == 403
        assert "out of date" in problem(answer)
    assert browser.name == before
    assert len(app.services.roster.list()) == 2
    if action != "/account/sign-up":
        assert app.services.members.log_in(EMAIL, PASSWORD, "x")
    token = browser.token(page)
    for kind in ("text/plain", "multipart/form-data; boundary=b", "application/json", ""):
        answer = browser.post(action, content=f"token={token}", headers={"Content-Type": kind})
        assert answer.status_code == 400
    for body in (b"token=%ff", b"a=1&" * 30, b"\xff\xfe", b"x" * 30_000):
        answer = browser.post(
            action, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code in (400, 403, 413)


def test_a_token_from_before_the_sign_in_is_worth_nothing_after_it(
    app: App, log: pytest.LogCaptureFixture
) -> None:
    join(app, log)
    browser = app.browser()
    before = browser.token("/account/sign-in")
    browser.fill("/account/sign-in", email=EMAIL, password=PASSWORD)
    assert browser.post("/account/sign-out", data={"token": before}).status_code == 403
    assert browser.name == "Rosa"


MEMBERS = (
    "/account",
    "/account/kept/01ABCDEFGHJKMNPQRSTVWXYZ00",
    "/account/download",
    "/account/photo/01ABCDEFGHJKMNPQRSTVWXYZ00",
    "/account/delete",
)


@pytest.mark.parametrize("path", MEMBERS)
def test_a_visitor_is_sent_to_sign_in(app: App, path: str) -> None:
    answer = app.browser().get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/account/sign-in?next={path}")


@pytest.mark.parametrize("path", ["password", "sessions/end", "sign-out", "delete"])
def test_a_visitor_changes_nothing(app: App, path: str) -> None:
    browser = app.browser()
    answer = browser.fill("/account/sign-in", f"/account/{path}", password="x")
    assert answer.status_code == 401
    assert "Please sign in first" in problem(answer)


def test_known_and_unknown_addresses_get_the_same_page(app: App, log: pytest.LogCaptureFixture) -> None:
    join(app, log)

    def pages(email: str) -> list[tuple[int, str]]:
        browser, found = app.browser(), []
        for page, fields in (("sign-up", {"password": PASSWORD, "name": ""}), ("forgot", {}),
                             ("sign-in", {"password": "a wrong password"})):  # fmt: skip
            answer = browser.fill(f"/account/{page}", email=email, **fields)
            text = re.sub(r'value="[0-9a-f]{64}"', "", answer.text).replace(email, "")
            found.append((answer.status_code, text))
        return found

    assert pages(EMAIL) == pages("missing@example.org")


def test_scripts_in_every_text_field(app: App, log: pytest.LogCaptureFixture) -> None:
    browser = app.browser()
    for page, fields in (
        ("/account/sign-up", {"email": SCRIPT, "name": SCRIPT, "password": SCRIPT}),
        ("/account/sign-up", {"email": f'"{SCRIPT[:20]}"@example.org', "name": SCRIPT, "password": "x"}),
        ("/account/sign-in", {"email": SCRIPT, "password": SCRIPT, "next": SCRIPT}),
        ("/account/forgot", {"email": SCRIPT}),
    ):
        text = browser.fill(page, **fields).text
        assert "<script>" not in text
        assert "onerror=alert(1)>" not in text.replace("&gt;", "")
        assert "{{" not in text
    for path in ("verify", "reset"):
        answer = browser.get(f"/account/{path}", params={"token": SCRIPT})
        assert answer.status_code == 403
        assert "<script>" not in answer.text
    browser.fill("/account/sign-up", email=EMAIL, password=PASSWORD, name=SCRIPT)
    there = link(app, log)
    browser.fill(there, link=there.partition("token=")[2])
    page = browser.get("/account", headers={"User-Agent": SCRIPT}).text
    assert "<script>" not in page
    assert "49" not in re.findall(r"<h2>(.*?)</h2>", page)[0]
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
     "http:evil", "javascript:alert(1)", "/account/../..//evil.example", "/nowhere", "", "tour", "/tour\n",
     "/tour\r\nX: y",
     "/\t/evil.example", "/é", "/account/password", "/account/sign-out", "//[", "/" + "a" * 600,
     "https://pets.test@evil.example/account", "/%2f%2fevil.example"],
)  # fmt: skip
def test_next_leads_nowhere_else(text: str) -> None:
    assert safe_next(text) == "/account"


@pytest.mark.parametrize("text", ["/", "/tour", "/review?x=1", "/account/delete", "/train#a"])
def test_next_leads_to_our_pages(text: str) -> None:
    assert safe_next(text) == text


def test_a_wrong_password_keeps_what_was_typed(app: App, log: pytest.LogCaptureFixture) -> None:
    join(app, log)
    answer = app.browser().fill(
        "/account/sign-in?next=/tour", email=EMAIL, password="wrong one", next="/tour"
    )
    assert answer.status_code == 403
    assert f'value="{EMAIL}"' in answer.text
    assert 'name="next" value="/tour"' in answer.text
    assert "wrong one" not in answer.text
    assert "do not go together" in problem(answer)


def test_forgotten_password(app: App, log: pytest.LogCaptureFixture) -> None:
    old = join(app, log)
    browser = app.browser()
    browser.fill("/account/forgot", email=EMAIL)
    there = link(app, log)
    assert there.startswith("/account/reset?token=")
    token = there.partition("token=")[2]
    short = browser.fill(there, link=token, password="short")
    assert short.status_code == 422
    assert "10 to 200 characters" in problem(short)
    assert browser.fill(there, link=token, password="a dog under the table").status_code == 303
    assert browser.name == "Rosa"
    assert old.name == ""
    used = browser.get(there)
    assert used.status_code == 403
    assert "no longer works" in problem(used)


def test_a_link_in_another_browser_asks_for_the_password(app: App, log: pytest.LogCaptureFixture) -> None:
    app.browser().fill("/account/sign-up", email=EMAIL, password=PASSWORD, name="")
    there = link(app, log)
    token = there.partition("token=")[2]
    other = app.browser()
    assert 'type="password"' in other.get(there).text
    assert other.fill(there, link=token).status_code == 403
    assert other.fill(there, link=token, password="wrong one it is").status_code == 403
    assert other.fill(there, link=token, password=PASSWORD).status_code == 303
    assert other.name == "rosa.valentin"


def test_sessions_are_listed_and_ended(app: App, log: pytest.LogCaptureFixture) -> None:
    here = join(app, log)
    there = app.browser(**{"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"})
    there.fill("/account/sign-in", email=EMAIL, password=PASSWORD)
    page = here.get("/account").text
    assert "Firefox on Windows" in page
    [other] = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
    here.fill("/account", "/account/sessions/end", session=other)
    assert (here.name, there.name) == ("Rosa", "")
    there.fill("/account/sign-in", email=EMAIL, password=PASSWORD)
    here.fill("/account", "/account/sessions/end")
    assert (here.name, there.name) == ("", "")


def test_changing_the_password(app: App, log: pytest.LogCaptureFixture) -> None:
    browser = join(app, log)
    refused = browser.fill(
        "/account", "/account/password", old="not the old one", new="a dog under the table"
    )
    assert refused.status_code == 403
    assert "do not go together" in problem(refused)
    done = browser.fill("/account", "/account/password", old=PASSWORD, new="a dog under the table")
    assert "Your password is changed" in done.text
    assert browser.name == "Rosa"


def flag(app: App, photo: Path, member: str) -> str:
    read = app.services.read(photo)
    answer = app.services.identifier.identify(read)
    assert isinstance(answer, Identification)
    return app.services.flag(
        read, answer, number=1, verdict="wrong", label="keeshond", consent=True, flagger="a browser " * 2,
        member=member,
    ).flag_id  # fmt: skip


def test_ones_own_flags_are_shown_downloaded_and_deleted(
    app: App, log: pytest.LogCaptureFixture, tmp_path: Path, photos: Any
) -> None:
    browser, other = join(app, log), join(app, log, "other@example.org")
    path = tmp_path / "rex.png"
    photos[0].save(path)
    saved = flag(app, path, app.services.roster.find(EMAIL).id)
    page = browser.get("/account").text
    assert "It is a Keeshond" in page
    assert "It waits for review." in page
    picture = browser.get(f"/account/photo/{saved}")
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.content)).size[0] > 50
    refused = other.get(f"/account/photo/{saved}")
    assert refused.status_code == 404
    assert "Keeshond" not in other.get("/account").text
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/account/download").content))
    assert {"account.json", "flags.json"} < set(archive.namelist())
    assert any(name.startswith("photos/") for name in archive.namelist())

    wrong = browser.fill("/account/delete", password="not the password")
    assert wrong.status_code == 403
    assert browser.name == "Rosa"
    done = browser.fill("/account/delete", password=PASSWORD)
    assert done.status_code == 303
    receipt = browser.get(done.headers["location"]).text
    assert browser.name == ""
    for step in ("Account, sign-ins and sessions", "1 answer about photos", "none of them was in it"):
        assert step in re.sub(r"</?b>", "", receipt)
    for word in (EMAIL, "Rosa", saved):
        assert word not in receipt
    assert app.browser().get("/account/receipt/" + "0" * 32).status_code == 404
    assert [one.email for one in app.services.roster.list()] == ["other@example.org"]
    assert not list((app.services.settings.home_dir / "blobs").glob("??/??/*"))


@pytest.mark.parametrize("code", ["de", "es"])
def test_ones_own_pages_in_the_language_of_the_page(
    app: App, log: pytest.LogCaptureFixture, tmp_path: Path, photos: Any, code: str
) -> None:
    browser = join(app, log)
    path = tmp_path / "rex.png"
    photos[0].save(path)
    flag(app, path, app.services.roster.find(EMAIL).id)
    spoken = LanguageMiddleware(app.asgi, app.services.settings, lambda: False)
    asking = Browser(spoken, {"accept-language": code, "user-agent": "Firefox/140.0 on Windows"})
    asking.cookies.update(browser.cookies)
    for page in ("/account", "/account/delete"):
        assert english_in(text_of(asking.get(page).text), code) == [], page
    refused = asking.fill("/account", "/account/password", old="not the old one", new="a dog under the table")
    assert english_in(text_of(refused.text), code) == []
    done = asking.fill("/account/delete", password=PASSWORD)
    receipt = asking.get(done.headers["location"]).text
    assert english_in(text_of(receipt), code) == []
    assert english_in(text_of(asking.get("/account/verify?token=nonsense").text), code) == []


def test_languages_at_the_foot_lead_to_the_same_page(app: App, log: pytest.LogCaptureFixture) -> None:
    joined = join(app, log)
    joined.post("/account/sign-out", data={"token": joined.token("/account")})
    joined.fill("/account/forgot", email=EMAIL)
    reset = link(app, log)
    spoken = LanguageMiddleware(app.asgi, app.services.settings, lambda: False)
    for page in (
        "/account/sign-in?next=%2Fteach%3Fa%3D1%26b%3D2",
        "/account/sign-up",
        "/account/forgot",
        reset,
    ):
        visitor = Browser(spoken, {})
        for code in ("de", "es", "en"):
            there = other_language(visitor.get(page).text, code)
            assert there.split("lang=")[0].rstrip("&?") == html.unescape(page)
            shown = visitor.get(there)
            assert shown.status_code == 200
            assert f'<html lang="{code}">' in shown.text
            assert f"aria-current=true>{LANGUAGES[code]}</a>" in shown.text
    visitor = Browser(spoken, {})
    wrong = visitor.fill("/account/sign-in", email=EMAIL, password="not the password")
    assert wrong.status_code == 403
    assert other_language(wrong.text, "de") == "/account/sign-in?lang=de"
    sent = visitor.fill("/account/forgot", email=EMAIL)
    assert other_language(sent.text, "es") == "/account?lang=es"


def other_language(page: str, code: str) -> str:
    [there] = re.findall(rf'href="([^"]+lang={code})"', page)
    return html.unescape(there)


def test_photos_are_kept_if_asked_for_shown_and_deleted(
    app: App, log: pytest.LogCaptureFixture, tmp_path: Path, photos: Any
) -> None:
    browser, other = join(app, log), join(app, log, "other@example.org")
    path = tmp_path / "rex & co.png"
    photos[0].save(path)
    answer = app.services.identify(path)
    assert isinstance(answer, Identification)
    mine = app.services.roster.find(EMAIL).id

    def kept() -> list[str]:
        app.services.keep_photo(mine, path, answer)
        app.services.members.settle()
        return re.findall(r"/account/kept/([0-9A-Z]{26})", browser.get("/account").text)

    assert kept() == []
    browser.fill("/account", "/account/kept", do="keep")
    [photo] = kept()
    page = browser.get("/account").text
    assert answer.pets[0].breeds[0].name in page
    assert "rex &amp; co.png" in page
    picture = browser.get(f"/account/kept/{photo}")
    assert Image.open(io.BytesIO(picture.content)).size[0] > 50
    assert other.get(f"/account/kept/{photo}").status_code == 404
    other.fill("/account", "/account/kept", do="forget", photo=photo)
    for fields in ({"do": "forget"}, {"do": "forget", "photo": "x"}, {"do": ""}, {}):
        assert browser.fill("/account", "/account/kept", **fields).status_code == 400
    assert kept() == [photo]
    browser.fill("/account", "/account/kept", do="stop")
    assert "are not kept" in browser.get("/account").text
    browser.fill("/account", "/account/kept", do="forget", photo=photo)
    assert kept() == []
    assert not list((app.services.settings.home_dir / "members").glob("??/??/*"))


def test_a_page_that_is_not_there(app: App) -> None:
    for path in ("/account/nothing", "/account/photo", "/account/receipt/%00"):
        answer = app.browser().get(path)
        assert answer.status_code == 404
        assert "sb-problem" in answer.text
    assert app.browser().get("/account/password").status_code == 405
    assert app.browser().post("/account/with/openid").status_code == 405


def test_each_page_of_an_account_introduces_itself(app: App, log: pytest.LogCaptureFixture) -> None:
    visitor, member = app.browser(), join(app, log)
    member.fill("/account/forgot", email=EMAIL)
    seen = {
        "/account/sign-in?next=/tour": visitor, "/account/sign-up": visitor, "/account/forgot": visitor,
        link(app, log): visitor, "/account": member, "/account/delete": member,
    }  # fmt: skip
    said = set()
    for address, browser in seen.items():
        head = browser.get(address).text.partition("</head>")[0]
        (title,) = re.findall(r"<title>([^<]+) – SmartBreed</title>", head)
        metas = dict(re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', head))
        assert metas["og:title"] == title
        assert len(metas["description"]) > 20
        assert metas["og:description"] == metas["description"]
        assert metas["og:url"] == f"http://pets.test{address.partition('?')[0]}", "nothing of a link's token"
        assert metas["robots"] == "noindex"
        said |= {title, metas["description"]}
    assert len(said) == 2 * len(seen)
    german = app.browser(**{"accept-language": "de"})
    assert "token=" not in german.get("/account/sign-in?token=abc").text.partition("</head>")[0]
    refused = visitor.get("/account/reset?token=wrong").text
    assert "<title>That did not work – SmartBreed</title>" in refused
    assert "og:url" not in refused


def test_pages_are_kept_by_no_cache_and_have_no_script(app: App) -> None:
    for path in ("sign-in", "sign-up", "forgot", "name", "nothing"):
        answer = app.browser().get(f"/account/{path}")
        assert answer.headers["cache-control"] == "no-store"
        assert "<script>" not in answer.text


def test_ones_quiz_record_stands_there_and_comes_along(app: App, log: pytest.LogCaptureFixture) -> None:
    browser = join(app, log)
    assert "My quiz record" not in browser.get("/account").text
    with write(app.services.flags.sessions) as session:
        member = session.scalars(sa.select(Member.id)).one()
        session.add(
            QuizGame(
                mark="m" * 32, member_id=member, kind="facts", mode="timed", stage="over", rounds=5, right=4,
                points=512, best_streak=3, started_at=dt.datetime.now(dt.UTC),
            )
        )  # fmt: skip
    assert "1 game, best score 512, 4 of 5 right" in browser.get("/account").text
    archive = zipfile.ZipFile(io.BytesIO(browser.get("/account/download").content))
    [game] = json.loads(archive.read("quiz.json"))
    assert (game["points"], "mark" in game, "member_id" in game) == (512, False, False)
