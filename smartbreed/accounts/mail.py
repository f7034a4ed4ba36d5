"""Outgoing mail by SMTP: links (written to the log if no server is configured) and messages to operators."""

from __future__ import annotations

import logging
from email.message import EmailMessage
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from smartbreed.accounts.origin import public_origin
from smartbreed.core.errors import SettingError
from smartbreed.core.settings import Settings

if TYPE_CHECKING:
    import smtplib

log = logging.getLogger(__name__)

Kind = Literal["verify", "known", "reset"]

#: Timeout in seconds for each answer of the mail server; a shutdown waits for the mail in progress.
_PATIENCE_S = 8.0
_TEXTS: dict[Kind, tuple[str, str]] = {
    "verify": (
        "Confirm your e-mail address",
        "Welcome to SmartBreed. Confirm that this address is yours:\n\n{link}\n\n"
        "The link works once, for {hours} hours. If you did not sign up, ignore this mail: "
        "without the link nothing is opened.",
    ),
    "known": (
        "You already have an account",
        "A person, perhaps you, signed up at SmartBreed with this address, which has an account already. "
        "Nothing was changed. If you forgot your password, choose a new one:\n\n{link}\n\n"
        "The link works once, for {hours} hours.",
    ),
    "reset": (
        "Choose a new password",
        "Choose a new password for your SmartBreed account:\n\n{link}\n\n"
        "The link works once, for {hours} hours. If you did not ask for it, ignore this mail: "
        "your password stays as it is.",
    ),
}


class Mail:
    """Sends links and messages through the mail server of the settings.

    Args:
        settings: the mail server, the sender's address and the app's public URL.

    Raises:
        SettingError: the mail server's URL is malformed, or a server is set without a sender or without the
            public URL. The URL for links never comes from a request, whose Host header can be forged.
    """

    def __init__(self, settings: Settings) -> None:
        self._server, self._sender = urlsplit(settings.smtp_url), settings.mail_from
        if settings.smtp_url and not (self._server.scheme in ("smtp", "smtps") and self._server.hostname):
            raise SettingError("SMARTBREED_SMTP_URL: write smtp://host:port or smtps://host:port.")
        if settings.smtp_url and not settings.mail_from:
            raise SettingError("SMARTBREED_MAIL_FROM: mails need an address that they come from.")
        if settings.smtp_url and not public_origin(settings.public_url):
            raise SettingError("SMARTBREED_PUBLIC_URL: links in mails need the address of this app.")

    @property
    def configured(self) -> bool:
        """Whether mail can be sent; if not, links go to the log."""
        return bool(self._server.hostname)

    def send(self, kind: Kind, who: str, address: str, link: str, hours: int) -> None:
        """Send a link, or log it if no mail server is configured. Never raises.

        Args:
            who: the account's pseudonym from `Members.log_name`, so that no address appears in the log.
        """
        if not self.configured:
            log.warning("no mail server is set; %s link for account %s: %s", kind, who, link)
            return
        subject, text = _TEXTS[kind]
        try:
            message = EmailMessage()
            message["Subject"], message["From"], message["To"] = subject, self._sender, address
            message.set_content(text.format(link=link, hours=hours))
            self._deliver(message)
        except Exception as error:  # only its type is logged: a server's answer may repeat the address
            log.error("a mail to account %s was not sent: %s", who, type(error).__name__)

    def forward(self, to: str, subject: str, text: str, reply_to: str = "") -> None:
        """Send a text to the operators of this site, if a mail server is configured. Never raises.

        Args:
            to: their address; if empty, nothing is sent.
            reply_to: normalised address of the person who wrote the text; empty if unknown.
        """
        if not (self.configured and to):
            return
        try:
            message = EmailMessage()
            message["Subject"], message["From"], message["To"] = subject, self._sender, to
            if reply_to.isascii() and reply_to:
                message["Reply-To"] = reply_to
            message.set_content(text)
            self._deliver(message)
        except Exception as error:
            log.error("a mail to the people who run this site was not sent: %s", type(error).__name__)

    def connect(self) -> smtplib.SMTP:
        """Return an authenticated connection to the mail server. The caller closes it.

        Raises:
            OSError, smtplib.SMTPException: the server is unreachable or refuses the connection.
        """
        import smtplib
        import ssl

        server, context = self._server, ssl.create_default_context()
        host, tls = server.hostname or "", server.scheme == "smtps"
        port = server.port or (465 if tls else 587)
        client: smtplib.SMTP = (
            smtplib.SMTP_SSL(host, port, timeout=_PATIENCE_S, context=context)
            if tls
            else smtplib.SMTP(host, port, timeout=_PATIENCE_S)
        )
        try:
            client.ehlo()
            if not tls and client.has_extn("starttls"):
                client.starttls(context=context)
            if server.username:
                client.login(unquote(server.username), unquote(server.password or ""))
        except BaseException:
            client.close()
            raise
        return client

    def _deliver(self, message: EmailMessage) -> None:
        with self.connect() as client:
            client.send_message(message)
