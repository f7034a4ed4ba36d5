"""Validation and normalisation of the fields of account forms: e-mail address and password."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from smartbreed.core.errors import AccountError

#: Minimum and maximum length of a password, in characters. Argon2 has no maximum, but requests need one.
SHORTEST, LONGEST = 10, 200

#: Dot-separated parts without blanks, quotes or brackets, and an ASCII domain. ``=?`` would begin an encoded
#: word, which mail programs decode into another address. No validation library is used,
#: because FastAPI would import it at every start once it is installed.
_ADDRESS = re.compile(
    r"(?=.{1,64}@)(?!.*=\?)[^\s@<>()\[\],;:\\\"\ud800-\udfff.]+(\.[^\s@<>()\[\],;:\\\"\ud800-\udfff.]+)*"
    r"@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
)


def normalise(email: str) -> str:
    """Return an address in the form in which it is stored: case-folded, with the domain in IDNA ASCII.

    Raises:
        AccountError: ``bad_email``.
    """
    address = unicodedata.normalize("NFC", email.strip()[:400]).casefold()
    local, _, domain = address.rpartition("@")
    with suppress(UnicodeError):
        found = f"{local}@{domain.encode('idna').decode()}"
        if _ADDRESS.fullmatch(found) and found.isprintable() and len(found) <= 254:
            return found
    raise AccountError("bad_email", "This is not an e-mail address; check the spelling.")


def check_password(password: str, address: str) -> None:
    """Refuse a password that is too short, too long or easy to guess.

    Args:
        address: the normalised address of the account; empty if it has none.

    Raises:
        AccountError: ``bad_password``.
    """
    plain = password.casefold()
    if not SHORTEST <= len(password) <= LONGEST:
        problem = (
            f"Use {SHORTEST} to {LONGEST} characters; a few words that belong together only for you are good."
        )
    elif len(set(plain)) < 5 or (address and plain in (address, address.partition("@")[0])):
        problem = "This password is easy to guess; a few words that belong together only for you are better."
    else:
        return
    raise AccountError("bad_password", problem)
