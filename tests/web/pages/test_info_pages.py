"""About, Privacy, Terms and Contact over HTTP: they say what is true of this app, and a message arrives."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from smartbreed.contact.messages import LONGEST
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.pages.contact.page import contact_app
from smartbreed.web.pages.info.page import info_app

SCRIPT = "<script>alert(1)</script>{{7*7}}${1}\"'><img src=x onerror=alert(1)>"


class Site:
    def __init__(self, home: Path, **settings: Any) -> None:
        self.services = Services(load_settings(home=home, hub="embedded", **settings))
        self.info = TestClient(info_app(self.services), base_url="http://pets.test")
        self.contact = self.browser()

    def browser(self) -> TestClient:
        return TestClient(contact_app(self.services), base_url="http://pets.test", follow_redirects=False)

    def text(self, page: str) -> str:
        answer = self.info.get(page)
        assert answer.status_code == 200
        assert "<script>" not in answer.text
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

    def send(self, browser: TestClient | None = None, **fields: str) -> Any:
        browser = browser or self.contact
        token = re.findall(r'name="token" value="([0-9a-f]{64})"', browser.get("/contact").text)[0]
        return browser.post("/contact", data={"token": token, "topic": "idea", "text": "Hello", **fields})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "home")
    yield made
    made.services.stop()


def test_the_pages_follow_the_settings_and_the_model(tmp_path: Path, site: Site) -> None:
    config = site.services.identifier.bundle.config
    about = site.text("/about")
    assert f"{config.name} {config.version}" in about
    assert f"Breeds it can name {len(config.classifier.labels)}" in about
    assert "given no name and no address" in about
    privacy = site.text("/privacy")
    assert (
        "Every flag is published with its photo in the dataset smartbreed/flags that this server hosts"
        in privacy
    )
    assert "deleted after 365 days" in privacy
    assert "smartbreed_member" in privacy
    assert "30 days" in privacy
    other = Site(
        tmp_path / "other", operator=f"Paws {SCRIPT}", operator_email="paws@example.org", take_flags=False,
        keep_messages=7, client_flags=3, dataset="paws/flags", publish="off",
    )  # fmt: skip
    try:
        for page in ("/about", "/privacy", "/terms"):
            raw = other.info.get(page).text
            assert f"Paws {SCRIPT}" in html.unescape(raw)
            assert "paws@example.org" in other.text(page)
        assert "Flags are not accepted here at the moment" in other.text("/privacy")
        assert "deleted after 7 days" in other.text("/privacy")
        assert "can save 3 flags a day" in other.text("/terms")
    finally:
        other.services.stop()


def test_what_an_admin_switched_is_said(site: Site) -> None:
    site.services.switches.set("client_flags", 7)
    assert "can save 7 flags a day" in site.text("/terms")
    assert "A flag is saved only if you agree" in site.text("/privacy")
    site.services.switches.set("flags", 0)
    assert "Only if you agree is a flag saved" not in site.text("/privacy")


def test_a_message_arrives(site: Site) -> None:
    sent = site.send(text="Hello", email="Rosa@Example.org")
    assert (sent.status_code, sent.headers["location"]) == (303, "/contact?sent=answer")
    assert "has arrived" in site.contact.get(sent.headers["location"]).text
    assert site.send(text="No answer, please").headers["location"] == "/contact?sent=yes"
    assert [(one.text, one.email, one.topic, one.member_id) for one in site.services.messages.list()] == [
        ("No answer, please", "", "idea", None),
        ("Hello", "rosa@example.org", "idea", None),
    ]


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"text": "  "}, 422, "the message is empty"),
        ({"email": "no address"}, 422, "not an e-mail address"),
        ({"email": "a@b.org\r\nBcc: c@d.org"}, 422, "not an e-mail address"),
        ({"topic": SCRIPT}, 422, "Choose what"),
        ({"text": "é" * (LONGEST + 1)}, 413, "Please shorten it"),
        ({"text": "x" * 200_000}, 413, "please shorten it"),
        ({"token": "0" * 64}, 403, "out of date"),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_kindly(site: Site, fields: dict[str, str], status: int, said: str) -> None:
    answer = site.send(**fields)
    assert answer.status_code == status
    assert said in html.unescape(answer.text)
    assert site.services.messages.list() == []


def test_what_was_typed_is_not_lost_and_not_run(site: Site) -> None:
    answer = site.send(text=SCRIPT, email=SCRIPT)
    assert "<script>" not in answer.text
    assert SCRIPT in html.unescape(answer.text)


def test_a_network_sends_only_so_many(site: Site) -> None:
    answers = [site.send(text=f"number {n}").status_code for n in range(8)]
    assert answers == [303] * 6 + [429] * 2
    assert len(site.services.messages.list()) == 6
