"""Links by a real SMTP conversation, or in the log without an address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from support.smtp import mail_server

from smartbreed.accounts.mail import Mail
from smartbreed.core.errors import SettingError
from smartbreed.core.settings import load_settings

SITE = "https://pets.example.org"
LINK = f"{SITE}/account/verify?token=abc"


@pytest.fixture
def smtp() -> Iterator[Any]:
    with mail_server() as server:
        yield server


def mail(server: Any, **settings: str) -> Mail:
    host, port = server.server_address
    wanted = {"smtp_url": f"smtp://us%40er:pass@{host}:{port}", "mail_from": "pets@example.org",
              "public_url": SITE, **settings}  # fmt: skip
    return Mail(load_settings(**wanted))


def test_a_link_arrives(smtp: Any) -> None:
    sender = mail(smtp)
    assert sender.configured
    sender.send("verify", "01ABC", "rosa@example.org", LINK, 48)
    message = message_from_bytes(smtp.mails[0], policy=policy.default)
    assert (message["to"], message["from"]) == ("rosa@example.org", "pets@example.org")
    assert LINK in message.get_content().replace("=\n", "")
    assert "48 hours" in message.get_content()
    assert any(line.startswith("AUTH PLAIN") for line in smtp.heard)


@pytest.mark.parametrize("kind", ["verify", "known", "reset"])
def test_what_a_server_refuses_is_logged_without_the_address(
    smtp: Any, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mail(smtp).send(kind, "01ABC", "refused@example.org", LINK, 2)
    assert "01ABC was not sent" in caplog.text
    assert "refused@" not in caplog.text


def test_a_server_that_is_not_there(smtp: Any, caplog: pytest.LogCaptureFixture) -> None:
    sender = mail(smtp, smtp_url="smtp://127.0.0.1:9")
    sender.send("reset", "01ABC", "rosa@example.org", LINK, 2)
    assert "was not sent: ConnectionRefusedError" in caplog.text


def test_without_a_server_the_link_is_in_the_log_and_the_address_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sender = Mail(load_settings())
    assert not sender.configured
    with caplog.at_level(logging.WARNING):
        sender.send("verify", "01ABC", "rosa@example.org", LINK, 48)
    assert LINK in caplog.text
    assert "01ABC" in caplog.text
    assert "rosa" not in caplog.text


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"smtp_url": "smtp://a:hunter22@m.example.org", "public_url": SITE}, "SMARTBREED_MAIL_FROM"),
        ({"smtp_url": "smtp://a:hunter22@m.example.org", "mail_from": "a@b.org"}, "SMARTBREED_PUBLIC_URL"),
        ({"smtp_url": "imap://a:hunter22@m.example.org", "mail_from": "a@b.org"}, "SMARTBREED_SMTP_URL"),
        ({"smtp_url": "hunter22", "mail_from": "a@b.org"}, "SMARTBREED_SMTP_URL"),
    ],
)
def test_half_a_mail_server_stops_the_start(settings: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named) as error:
        Mail(load_settings(**settings))
    assert "hunter22" not in error.value.message
