"""What people type into the forms of accounts: checked, and brought into one form."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress

from smartbreed.core.errors import AccountError

#: Fewest and most characters of a password; argon2 takes any length, a request should not.
SHORTEST, LONGEST = 10, 200

#: Parts without blanks, quotes or brackets, with dots between them; the domain in ASCII. A library would be
#: imported by FastAPI at each start, because it is installed.
_ADDRESS = re.compile(
    r"(?=.{1,64}@)[^\s@<>()\[\],;:\\\"\ud800-\udfff.]+(\.[^\s@<>()\[\],;:\\\"\ud800-\udfff.]+)*"
    r"@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
)


def normalise(email: str) -> str:
    """An address as it is kept: lower case, the domain as DNS has it.

    Raises:
        AccountError: ``bad_email``.
    """
    address = unicodedata.normalize("NFC", email.strip()[:400]).casefold()
    local, _, domain = address.rpartition("@")
    with suppress(UnicodeError):
        found = f"{local}@{domain.encode('idna').decode()}"
        if _ADDRESS.fullmatch(found) and found.isprintable() and len(found) <= 254:
            return found
    raise AccountError("bad_email", "This is no e-mail address; check how it is spelt.")


def check_password(password: str, address: str) -> None:
    """Refuse a password that is guessed at once.

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
