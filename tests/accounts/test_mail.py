"""Links by a real SMTP conversation, or in the log without an address."""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from smartbreed.accounts.mail import Mail
from smartbreed.core.errors import SettingError
from smartbreed.core.settings import load_settings

SITE = "https://pets.example.org"
LINK = f"{SITE}/account/verify?token=abc"


class Conversation(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs, with AUTH PLAIN."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            verb = line.split()[0].upper() if line.split() else b""
            self.server.heard.append(line.strip().decode())  # type: ignore[attr-defined]
            if verb == b"EHLO":
                self.wfile.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif verb == b"AUTH":
                self.wfile.write(b"235 welcome\r\n")
            elif verb == b"RCPT" and b"refused" in line:
                self.wfile.write(b"550 no such mailbox as " + line[8:].strip() + b"\r\n")
            elif verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part
                self.server.mails.append(body)  # type: ignore[attr-defined]
                self.wfile.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def smtp() -> Iterator[Any]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.heard, server.mails = [], []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


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
