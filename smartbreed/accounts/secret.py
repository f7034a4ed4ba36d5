"""What signs sessions, forms and mailed links: ``SMARTBREED_SECRET``, or a secret made for this home."""

from __future__ import annotations

import os

from smartbreed.accounts.origin import is_loopback
from smartbreed.core.errors import SettingError
from smartbreed.core.salt import load_random
from smartbreed.core.settings import Settings

#: Shortest secret accepted outside development, and fewest different characters in it.
SHORTEST, FEWEST = 32, 8
#: What examples and templates put where a secret belongs.
_PLACEHOLDERS = ("change", "example", "default", "placeholder", "insecure", "your-secret", "your_secret")


def load_secret(settings: Settings) -> bytes:
    """The secret of this installation, made on first use and kept in ``home/secret`` (mode 0600).

    Raises:
        StorageError: the file cannot be written or read, or is damaged.
    """
    if settings.secret:
        return settings.secret.encode()
    return load_random(settings.home_dir / "secret", "The secret that signs sessions cannot be used")


def check_secret(settings: Settings, host: str) -> None:
    """Refuse a secret that others can guess, unless only this machine can reach the app (development).

    Args:
        host: address the app listens on.

    Raises:
        SettingError: the sentence for the administrator; it does not repeat the secret.
    """
    secret = settings.secret
    weak = len(secret) < SHORTEST or len(set(secret)) < FEWEST
    weak = weak or any(word in secret.lower() for word in _PLACEHOLDERS)
    development = is_loopback(host) and not os.environ.get("SPACE_ID") and not settings.public_url
    if secret and weak and not development:
        raise SettingError(
            "SMARTBREED_SECRET: it can be guessed, and others can reach this address. Use at least "
            f"{SHORTEST} random characters, such as those of "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`, or leave it empty."
        )
