"""A message of the contact form is mailed to the people who run the site, by a real SMTP conversation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.smtp import mail_server

from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.pages.contact.page import contact_app

OPERATOR = "paws@example.org"


@pytest.fixture
def smtp() -> Iterator[Any]:
    with mail_server() as server:
        yield server


class Site:
    def __init__(self, home: Path, smtp: Any, **settings: str) -> None:
        wanted = {
            "smtp_url": "smtp://{}:{}".format(*smtp.server_address), "mail_from": "pets@example.org",
            "public_url": "http://pets.test", "operator_email": OPERATOR, **settings,
        }  # fmt: skip
        self.smtp = smtp
        self.services = Services(load_settings(home=home, hub="embedded", **wanted))

    def send(self, **fields: str) -> Any:
        base = "http://pets.test"
        browser = TestClient(contact_app(self.services), base_url=base, follow_redirects=False)
        token = re.findall(r'name="token" value="([0-9a-f]{64})"', browser.get("/contact").text)[0]
        answer = browser.post("/contact", data={"token": token, "topic": "idea", **fields})
        self.services.members.settle()  # mails go behind the answer
        return answer

    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(mail, policy=policy.default) for mail in self.smtp.mails]  # type: ignore[misc]


def test_the_operator_reads_it_and_answers_the_person(tmp_path: Path, smtp: Any) -> None:
    site = Site(tmp_path, smtp)
    assert (
        site.send(text="Zwei Kätzchen\n.\nBcc: eve@example.org", email="Rosa@Example.org").status_code == 303
    )
    [mail] = site.mails()
    assert (mail["to"], mail["from"], mail["reply-to"]) == (OPERATOR, "pets@example.org", "rosa@example.org")
    assert mail["subject"] == "SmartBreed, contact form: idea"
    assert mail["bcc"] is None
    [kept] = site.services.messages.list()
    text = mail.get_content().replace("\r\n", "\n")
    for words in ("Zwei Kätzchen\n", "Bcc: eve@example.org\n", "Answer to: rosa@example.org", kept.id):
        assert words in text, words
    assert [line[8:] for line in smtp.heard if line.upper().startswith("RCPT")] == [f"<{OPERATOR}>"]
    site.services.stop()


def test_who_wants_no_answer_is_not_named(tmp_path: Path, smtp: Any) -> None:
    site = Site(tmp_path, smtp)
    site.send(text="Thanks")
    [mail] = site.mails()
    assert mail["reply-to"] is None
    assert "Answer to: none is wanted" in mail.get_content()
    site.services.stop()


@pytest.mark.parametrize(
    "settings",
    [{"operator_email": ""}, {"operator_email": "refused@example.org"}],
    ids=["no address", "refused"],
)
def test_a_message_that_cannot_be_mailed_is_kept_all_the_same(
    tmp_path: Path, smtp: Any, settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path, smtp, **settings)
    assert site.send(text="Where does Rex live?", email="rosa@example.org").status_code == 303
    assert site.mails() == []
    assert len(site.services.messages.list()) == 1
    for private in ("Rex", "rosa", "refused@"):
        assert private not in caplog.text
    site.services.stop()


def test_a_message_that_is_refused_is_not_mailed(tmp_path: Path, smtp: Any) -> None:
    site = Site(tmp_path, smtp)
    assert site.send(text=" ").status_code == 422
    assert site.mails() == []
    site.services.stop()
