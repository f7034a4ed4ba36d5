"""The file of tokens that ``smartbreed hub serve --token-file`` reads."""

from __future__ import annotations

import json
from pathlib import Path

from localhub.access import Token, User
from smartbreed.core.errors import SettingError

_FIELDS = {"name", "role", "secret"}


def read_tokens(path: Path) -> list[Token]:
    """Tokens, one JSON object a line: ``{"name": "ada", "role": "write", "secret": "hf_…"}``.

    Empty lines, and lines that begin with ``#``, are left out.

    Args:
        path: a file only its owner may read; the secrets in it open the Hub.

    Raises:
        SettingError: it cannot be read, others may read it, or a line makes no sense; the
            sentence names the line and repeats nothing of it.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise SettingError(f"Other people may read the token file; run: chmod 600 {path}")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SettingError(f"The token file cannot be read: {reason}.") from None
    found: list[Token] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found.append(_token(number, line))
    if not found:
        raise SettingError("The token file holds no token, so nobody could use the Hub.")
    if len({token.secret for token in found}) < len(found):
        raise SettingError("Two lines of the token file have the same secret.")
    return found


def _token(number: int, line: str) -> Token:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        item = None
    if (
        not isinstance(item, dict)
        or set(item) != _FIELDS
        or not all(isinstance(v, str) for v in item.values())
    ):
        raise SettingError(
            f"Line {number} of the token file is no JSON object with the texts name, role and secret."
        )
    try:
        return Token(item["secret"], User(item["name"], item["role"]))
    except SettingError as error:
        raise SettingError(f"Line {number} of the token file: {error.message}") from None
