"""The quiz over HTTP: forms without a script, and a bot that looks, forges, replays and hurries."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.clock import Clock
from support.gallery import fill, photographs
from support.languages import english_in, text_of

from smartbreed.accounts.tables import Member
from smartbreed.core.database import read, write
from smartbreed.core.settings import load_settings
from smartbreed.quiz.quiz import ROUNDS, question_of
from smartbreed.quiz.tables import QuizGame
from smartbreed.services import Services
from smartbreed.web.api.language import LanguageMiddleware
from smartbreed.web.pages.quiz.page import quiz_app

SCRIPT = "<script>alert(1)</script>{{7*7}}\"'>"


class Site:
    """The pages, with a clock of their own."""

    def __init__(self, home: Path) -> None:
        self.services = Services(load_settings(home=home, hub="embedded"))
        self.clock = Clock()
        self.services.quiz.clock = self.clock.seconds
        self.asgi = quiz_app(self.services)

    def browser(self) -> Browser:
        return Browser(self)

    def game(self, address: str) -> QuizGame:
        """What only the server sees."""
        with read(self.services.flags.sessions) as session:
            game = session.get(QuizGame, address.rpartition("/")[2])
            assert game is not None
            return game


class Browser(TestClient):
    def __init__(self, site: Site) -> None:
        super().__init__(site.asgi, base_url="http://pets.test", follow_redirects=False)
        self.site = site

    def begin(self, kind: str = "facts", mode: str = "endless") -> str:
        """Start a game; its address."""
        page = self.get("/quiz")
        answer = self.post("/quiz/start", data={"token": field(page, "token"), "kind": kind, "mode": mode})
        assert answer.status_code == 303, problem(answer)
        return str(answer.headers["location"])

    def fill(self, address: str, what: str, **fields: str) -> Any:
        """Send a form of the page of a game."""
        page = self.get(address)
        names = [name for name in ("token", "round", "number") if f'name="{name}"' in page.text]
        known = {name: field(page, name) for name in names}
        return self.post(f"{address}/{what}", data={**known, **fields})


def field(page: Any, name: str) -> str:
    return html.unescape(re.findall(rf'name="{name}" value="([^"]*)"', page.text)[0])


def problem(page: Any) -> str:
    found = re.findall(r'class="sb-problem" role="alert">(.*?)</p>', page.text)
    return html.unescape(found[0]) if found else ""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "home")
    yield made
    made.services.stop()


@pytest.fixture(scope="module")
def photo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    pictures = photographs(tmp_path_factory.mktemp("pictures"), 3)
    made = Site(tmp_path_factory.mktemp("site") / "home")
    services = made.services
    fill(services, pictures)
    yield made
    services.stop()


def test_a_game_from_start_to_card(site: Site) -> None:
    browser = site.browser()
    start = browser.get("/quiz")
    assert "not enough photographs" in start.text
    assert "No games yet" in start.text
    address = browser.begin(mode="timed")
    for number in range(1, ROUNDS + 1):
        page = browser.get(address)
        assert f"Round <b>{number}</b> of {ROUNDS}" in page.text
        site.clock.forward(3)
        question = question_of(site.game(address))
        answer = browser.fill(address, "answer", choice=question.answer)
        assert answer.status_code == 303
        shown = browser.get(address)
        assert "Right!" in shown.text
        assert f'href="/breeds/{question.breed}"' in shown.text
        assert html.escape(question.source, quote=True)[:60] in shown.text.replace("&#34;", "&quot;")
        assert browser.fill(address, "next").status_code == 303
    over = browser.get(address)
    assert f"{ROUNDS} of {ROUNDS} questions right" in over.text
    card = browser.get(re.findall(r'<img class="sb-share" src="([^"]+)"', over.text)[0])
    assert card.headers["content-type"] == "image/png"
    assert "(you)" in browser.get("/quiz?kind=facts&mode=timed").text
    assert "(you)" not in site.browser().get("/quiz?kind=facts&mode=timed").text


@pytest.mark.parametrize("code", ["de", "es"])
def test_a_game_in_the_language_of_its_player(site: Site, code: str) -> None:
    plain = site.asgi
    site.asgi = LanguageMiddleware(plain, site.services.settings, lambda: False)
    browser = site.browser()
    browser.headers["accept-language"] = code
    address, pages = browser.begin(mode="timed"), [browser.get("/quiz")]
    for number in range(ROUNDS):
        pages.append(browser.get(address))
        site.clock.forward(30 if number == 1 else 3)  # once too late
        question = question_of(site.game(address))
        wrong = next(key for key, _ in question.options if key != question.answer)
        pages.append(browser.fill(address, "answer", choice=wrong if number == 2 else question.answer))
        pages.append(browser.get(address))
        browser.fill(address, "next")
    pages += [
        browser.get(address),
        browser.get("/quiz?kind=facts&mode=timed"),
        browser.get("/quiz/play/none"),
    ]
    for page in pages:
        assert english_in(text_of(page.text), code) == [], page.url
    card = f"/quiz/card/{address.rpartition('/')[2]}.png"
    drawn = {browser.get(card, headers={"accept-language": spoken}).content for spoken in ("en", "de", "es")}
    assert len(drawn) == 3, "the card's words are those of its reader"


def test_the_answer_is_nowhere_to_be_seen(photo_site: Site) -> None:
    """Everything that a bot gets of an open round, the answer's own option aside."""
    browser = photo_site.browser()
    address = browser.begin("photos")
    for _ in range(4):
        page = browser.get(address)
        question = question_of(photo_site.game(address))
        options = re.findall(r'name="choice" value="([^"]*)"', page.text)
        assert question.answer in options
        without = re.sub(r'<button class="sb-option".*?</button>', "", page.text)
        signed = field(page, "round")
        assert json.dumps(question.photo)[1:-1] not in page.text
        for secret in (question.answer, question.right, question.photo, question.nonce):
            assert secret not in without.replace(signed, "")
        [picture] = re.findall(r'<img src="([^"]+)"', page.text)
        assert question.answer not in picture
        got = browser.get(picture)
        headers = str(got.headers)
        assert "no-store" in headers
        for secret in (question.answer, question.photo, "filename", "etag"):
            assert secret not in headers
            assert secret.encode() not in got.content
        for kind in ("heat", "guess", "answer", "../photo", "gallery"):
            assert browser.get(picture.replace("/photo", f"/{kind}")).status_code == 404
        photo_site.clock.forward(3)
        assert browser.fill(address, "answer", choice=question.answer).status_code == 303
        browser.fill(address, "next")


def test_the_options_do_not_give_it_away(photo_site: Site) -> None:
    """A bot that always takes the same place wins no more often than chance."""
    browser, first = photo_site.browser(), 0
    places = set()
    for _ in range(24):
        question = question_of(photo_site.game(browser.begin("photos")))
        place = [key for key, _ in question.options].index(question.answer)
        places.add(place)
        first += place == 0
    assert len(places) > 2
    assert first < 18


def test_a_bot_that_forges_replays_and_hurries_wins_nothing(site: Site) -> None:
    browser = site.browser()
    address = browser.begin()
    page = browser.get(address)
    question = question_of(site.game(address))
    right = {"token": field(page, "token"), "round": field(page, "round"), "choice": question.answer}
    hurried = browser.post(f"{address}/answer", data=right)
    assert (hurried.status_code, "faster than anyone" in problem(hurried)) == (429, True)
    site.clock.forward(5)
    other = site.browser()
    elsewhere = other.begin()
    stolen = field(other.get(elsewhere), "round")
    for forged in ("", "x", right["round"][:-2], right["round"] + "x", stolen, SCRIPT, "." * 9_000):
        refused = browser.post(f"{address}/answer", data={**right, "round": forged})
        assert (refused.status_code, "nothing was counted" in problem(refused)) == (409, True)
        assert SCRIPT not in refused.text
    for data in ({**right, "token": "0" * 64}, {"round": right["round"], "choice": question.answer}):
        assert browser.post(f"{address}/answer", data=data).status_code == 403
    theirs = {**right, "token": field(other.get("/quiz"), "token")}
    assert other.post(f"{address}/answer", data=theirs).status_code == 404
    assert other.get(address).status_code == 404
    for choice in (SCRIPT, "x" * 500, "0x0"):
        assert browser.post(f"{address}/answer", data={**right, "choice": choice}).status_code == 422
    assert site.game(address).rounds == 0
    assert browser.post(f"{address}/answer", data=right).status_code == 303
    points = site.game(address).points
    for _ in range(3):
        assert browser.post(f"{address}/answer", data=right).status_code == 409
    browser.fill(address, "next", number="7")
    browser.fill(address, "next", number="-1")
    browser.fill(address, "next", number=SCRIPT)
    for number in ("9" * 5000, "٣", "²"):
        assert browser.fill(address, "next", number=number).status_code == 303, number[:9]
    assert site.game(address).stage == "shown"
    assert (site.game(address).points, site.game(address).rounds) == (points, 1)


def test_nonsense_is_answered_kindly(site: Site) -> None:
    browser = site.browser()
    for path in (
        "/quiz/play/x", "/quiz/play/%00", "/quiz/play/" + "9" * 300, "/quiz/picture/a/b/c", "/quiz/card/x",
        "/quiz/picture/a/99999999999999999999999/photo", "/quiz/nothing", "/quiz/play/é",
    ):  # fmt: skip
        assert browser.get(path).status_code in (404, 422), path
    for query in ("?kind=x&mode=y", "?kind=" + SCRIPT, "?mode=%00", "?" + "a=1&" * 300):
        page = browser.get("/quiz" + query)
        assert page.status_code == 200
        assert SCRIPT not in page.text
    token = field(browser.get("/quiz"), "token")
    for kind, mode in (("photos", "timed"), ("x", "y"), (SCRIPT, SCRIPT)):
        answer = browser.post("/quiz/start", data={"token": token, "kind": kind, "mode": mode})
        assert answer.status_code in (409, 422)
        assert problem(answer)
        assert SCRIPT not in answer.text
    plain = browser.post("/quiz/start", content=b"\xff", headers={"content-type": "text/plain"})
    assert plain.status_code == 400


def test_a_name_is_shown_as_text(site: Site) -> None:
    browser = site.browser()
    address = browser.begin(mode="endless")
    with write(site.services.flags.sessions) as session:
        session.add(
            Member(id="M" * 26, email="a@example.org", name=SCRIPT[:50], role="member",
                   created_at=dt.datetime.now(dt.UTC))
        )  # fmt: skip
        session.flush()
        game = session.get(QuizGame, address.rpartition("/")[2])
        assert game is not None
        game.member_id, game.stage, game.points, game.ended_at = "M" * 26, "over", 5, site.clock()
    page = browser.get("/quiz?kind=facts&mode=endless").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert browser.get(f"/quiz/card/{address.rpartition('/')[2]}.png").status_code == 200


def test_under_a_prefix_every_address_has_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://example.org/pets/")
    browser = site.browser()
    page = browser.get("/quiz")
    found = re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text)
    assert found
    assert all(address.startswith("/pets/") for address in found), found
    answer = browser.post(
        "/quiz/start", data={"token": field(page, "token"), "kind": "facts", "mode": "timed"}
    )
    assert answer.headers["location"].startswith("/pets/quiz/play/")
