"""Signed links that expire, and stop to work when what they are about has changed."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadData

from smartbreed.accounts.signed import SignedValues
from smartbreed.core.errors import AccountError

Purpose = Literal["verify", "reset"]

#: How long a link works, in seconds.
LASTS_S: dict[Purpose, int] = {"verify": 48 * 3600, "reset": 2 * 3600}


@dataclass(frozen=True)
class Link:
    """What a token says.

    Attributes:
        id: random; used links are remembered by it. Not a hash of the text, since base64 has several
            spellings of one signature.
        member: whom it is for.
        mark: of the password at the time; another one ends the link.
        browser: mark of the browser that asked; empty: any.
    """

    id: str
    member: str
    mark: str
    browser: str = ""


def no_such_link() -> AccountError:
    """One answer, whether a link is forged, expired, used or out of date."""
    return AccountError(
        "bad_link",
        "This link no longer works: it was used already, it is too old, or part of it is missing. "
        "Ask for a new one.",
        status=403,
    )


class LinkTokens:
    """Makes and reads tokens; one of one purpose never serves another.

    Args:
        secret: of the installation.
        clock: the time in seconds.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._by_purpose = {
            purpose: SignedValues(secret, purpose, lasts_s, clock) for purpose, lasts_s in LASTS_S.items()
        }

    def make(self, purpose: Purpose, member: str, mark: str, browser: str = "") -> str:
        """A token, to be put into a link.

        A signature hides nothing, and without a mail server links are in the log, which outlasts the account:
        there the member is only readable with the secret.
        """
        number = secrets.token_hex(16)
        veiled = self._veil(number, member.encode("ascii")).hex()
        return self._by_purpose[purpose].sign([number, veiled, mark, browser])

    def read(self, purpose: Purpose, token: str) -> Link:
        """What a token says; whether it was used, and whether the mark still fits, the caller looks up.

        Raises:
            AccountError: ``bad_link``.
        """
        try:
            number, veiled, mark, browser = self._by_purpose[purpose].read(token)
            member = self._veil(number, bytes.fromhex(veiled)).decode("ascii")
        except (BadData, ValueError, TypeError):
            raise no_such_link() from None
        return Link(str(number), member, str(mark), str(browser))

    def _veil(self, number: str, text: bytes) -> bytes:
        """A member's id with a key that no other token has; twice: the id again."""
        key = hmac.digest(self._secret, f"member of a link {number}".encode(), "sha256")
        return bytes(one ^ other for one, other in zip(text, key, strict=False))
