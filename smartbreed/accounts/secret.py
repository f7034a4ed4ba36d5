"""The secret that signs sessions, forms and links: ``SMARTBREED_SECRET``, else one generated per home."""

from __future__ import annotations

import os

from smartbreed.accounts.origin import is_loopback
from smartbreed.core.errors import SettingError
from smartbreed.core.salt import load_random
from smartbreed.core.settings import Settings

#: Outside development: the minimum length of a secret, and of the set of its different characters.
SHORTEST, FEWEST = 32, 8
#: Words that examples and templates use as placeholders for a secret.
_PLACEHOLDERS = ("change", "example", "default", "placeholder", "insecure", "your-secret", "your_secret")


def load_secret(settings: Settings) -> bytes:
    """Return the secret of the settings, else the one in ``home/secret``, created on first use (mode 0600).

    Raises:
        StorageError: the file cannot be written or read, or is damaged.
    """
    if settings.secret:
        return settings.secret.encode()
    return load_random(settings.home_dir / "secret", "The secret that signs sessions cannot be used")


def check_secret(settings: Settings, host: str) -> None:
    """Refuse a weak secret, unless only this machine can reach the app (development).

    Args:
        host: address that the app listens on.

    Raises:
        SettingError: the secret is too short, has too few different characters, or is a placeholder. The
            message does not repeat it.
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
