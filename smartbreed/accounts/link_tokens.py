"""Signed tokens for mailed links: they expire, and they become invalid when the account has changed."""

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

#: How long a link is valid, in seconds.
LASTS_S: dict[Purpose, int] = {"verify": 48 * 3600, "reset": 2 * 3600}


@dataclass(frozen=True)
class Link:
    """The content of a token.

    Attributes:
        id: random; used links are recorded by it. A hash of the token would not do, because base64 can
            spell the same signature in several ways.
        member: id of the account.
        mark: state of the account when the link was made, from `Members`; the link is invalid once that
            has changed.
        browser: mark of the browser that asked for the link; empty if unknown, which matches no browser.
    """

    id: str
    member: str
    mark: str
    browser: str = ""


def no_such_link() -> AccountError:
    """Return the one error for every link that is forged, expired, used or outdated."""
    return AccountError(
        "bad_link",
        "This link no longer works: it was used already, it is too old, or part of it is missing. "
        "Ask for a new one.",
        status=403,
    )


class LinkTokens:
    """Makes and reads tokens; a token made for one purpose is refused for another.

    Args:
        secret: of the installation.
        clock: returns the time in seconds.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float]) -> None:
        self._secret = secret
        self._by_purpose = {
            purpose: SignedValues(secret, purpose, lasts_s, clock) for purpose, lasts_s in LASTS_S.items()
        }

    def make(self, purpose: Purpose, member: str, mark: str, browser: str = "") -> str:
        """Return a token to put into a link.

        A signature hides nothing, and without a mail server links go to the log, which outlives the account.
        The member's id is therefore encrypted, and readable only with the secret.
        """
        number = secrets.token_hex(16)
        veiled = self._veil(number, member.encode("ascii")).hex()
        return self._by_purpose[purpose].sign([number, veiled, mark, browser])

    def read(self, purpose: Purpose, token: str) -> Link:
        """Return the content of a token with a valid signature.

        The caller checks whether the token was used before and whether its mark still matches.

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
        """XOR a member's id with a key derived for this token; applying it twice restores the id."""
        key = hmac.digest(self._secret, f"member of a link {number}".encode(), "sha256")
        return bytes(one ^ other for one, other in zip(text, key, strict=False))
