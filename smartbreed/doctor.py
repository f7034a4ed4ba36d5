"""Diagnose an installation: what works, what does not, and how to fix it.

Nothing is changed, except that files may be created which a start creates anyway, such as the embedded Hub's
folder.
"""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import sqlalchemy as sa

from smartbreed.accounts.mail import Mail
from smartbreed.accounts.maintainers import SHORTEST
from smartbreed.accounts.origin import is_loopback, public_origin
from smartbreed.accounts.secret import check_secret
from smartbreed.core.database import database_errors, make_engine
from smartbreed.core.errors import SmartBreedError
from smartbreed.core.migrate import head
from smartbreed.core.settings import Settings, load_settings
from smartbreed.health import check_hub
from smartbreed.hub.connection import chosen_hub
from smartbreed.registry.live import LiveModel

State = Literal["ok", "warning", "failed"]
#: Free bytes on the disk of the home below which the check warns, and below which it fails.
_LOW, _LEAST = 2_000_000_000, 200_000_000
#: Timeout for a connection to a proxy, in seconds.
_PATIENCE_S = 8.0


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        part: what was checked.
        said: what was found, in a sentence that contains no secret.
        do: what to do about it; empty if all is well.
    """

    part: str
    state: State
    said: str
    do: str = ""


def examine() -> list[Finding]:
    """Check every part, in the order in which a start needs them; only the settings if they are invalid."""
    try:
        settings = load_settings()
    except SmartBreedError as error:
        return [
            Finding(
                "settings",
                "failed",
                error.message,
                "Correct the variable that is named; see docs/settings.md.",
            )
        ]
    findings = [Finding("settings", "ok", f"{len(settings.model_fields_set)} are set, all of them usable.")]
    looks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("disk", disk), ("database", database), ("model", model), ("hub", hub), ("mail", mail),
        ("secrets", secrets), ("proxies", proxies),
    )  # fmt: skip
    for part, look in looks:
        try:
            findings += look(settings)
        except SmartBreedError as error:
            findings.append(Finding(part, "failed", error.message, _ADVICE.get(part, "")))
    return findings


_ADVICE = {
    "database": "Check SMARTBREED_DATABASE_URL, and that the server runs and lets this user in.",
    "model": "Take the model that ships: leave SMARTBREED_MODEL empty; or check what it names.",
    "hub": "Check SMARTBREED_HUB, HF_TOKEN and the network. Flags wait here until the Hub answers.",
    "mail": "Correct the variable that is named; see docs/accounts.md.",
    "secrets": "Correct the variable that is named.",
}


def disk(settings: Settings) -> Iterator[Finding]:
    """Check that the home is writable, has free space and is not open to other users."""
    home = settings.home_dir
    # `os.path.exists` is False, too, for what lies in a folder that this user may not enter.
    there = next(folder for folder in (home, *home.parents) if os.path.exists(folder))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        yield Finding(
            "disk", "failed", f"{there} cannot be written by this user.", f"chown {os.getuid()} {there}"
        )
        return
    free = shutil.disk_usage(there).free
    state: State = "failed" if free < _LEAST else "warning" if free < _LOW else "ok"
    do = (
        ""
        if state == "ok"
        else "Free some space, or move SMARTBREED_HOME; SMARTBREED_QUOTA bounds the photos of flags."
    )
    made = "" if home == there else " It is made at the first start."
    yield Finding("disk", state, f"{free / 1e9:.1f} GB are free for {home}.{made}", do)
    if home == there and home.stat().st_mode & 0o077:
        yield Finding(
            "disk", "warning", f"{home} is open to other users of this machine.", f"chmod 700 {home}"
        )


def database(settings: Settings) -> Iterator[Finding]:
    """Check that the database answers and that its schema is that of this version."""
    if not settings.database_url and not os.path.exists(settings.home_dir / "smartbreed.db"):
        yield Finding("database", "ok", "SQLite; the file is made at the first start.")
        return
    engine = make_engine(settings.resolved_database_url)
    kind = engine.dialect.name
    try:
        with database_errors(), engine.connect() as connection:
            found = ""
            if sa.inspect(connection).has_table("alembic_version"):
                found = str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar())
    finally:
        engine.dispose()
    newest = head()
    if not found:
        yield Finding("database", "ok", f"{kind} answers; the tables are made at the first start.")
    elif found != newest:
        do = "The next start brings it up to date; make a copy before. A newer one needs a newer program."
        yield Finding(
            "database", "warning", f"{kind} answers; its tables are of revision {found}, not {newest}.", do
        )
    else:
        yield Finding("database", "ok", f"{kind} answers, with the tables of revision {found}.")


def model(settings: Settings) -> Iterator[Finding]:
    """Check that the model that a start would use loads and passes its self-test."""
    live = LiveModel(settings)
    version = live.current.version
    where = version.repo or settings.model or "the program"
    said = f"Version {version.version} of {where} loads and passes its self-test."
    yield Finding(
        "model",
        "warning" if live.problem else "ok",
        f"{said} {live.problem}".strip(),
        live.problem and _ADVICE["model"],
    )


def hub(settings: Settings) -> Iterator[Finding]:
    """Check that the Hub answers, and that there is a token for any Hub but the embedded one."""
    check_hub(settings)
    chosen = chosen_hub(settings)
    yield Finding("hub", "ok", "The embedded Hub answers." if chosen.embedded else f"{chosen.name} answers.")
    if not chosen.embedded and not os.environ.get("HF_TOKEN"):
        do = "Set HF_TOKEN to a token that may write to SMARTBREED_DATASET and SMARTBREED_MODEL_REPO."
        yield Finding("hub", "warning", "There is no token, so nothing can be published.", do)


def mail(settings: Settings) -> Iterator[Finding]:
    """Check that the mail server accepts a connection, and the sign-in if one is configured."""
    if not Mail(settings).configured:
        do = "Set SMARTBREED_SMTP_URL, SMARTBREED_MAIL_FROM and SMARTBREED_PUBLIC_URL where people sign up."
        state: State = "warning" if settings.public_url else "ok"
        yield Finding("mail", state, "No mail server is set: links to confirm an address go to the log.", do)
        return
    try:
        Mail(settings).connect().quit()
    except (OSError, smtplib.SMTPException) as error:
        do = "Check host, port, user and password of SMARTBREED_SMTP_URL, and that this machine may connect."
        yield Finding("mail", "failed", f"The mail server does not take us: {type(error).__name__}.", do)
        return
    yield Finding("mail", "ok", "The mail server takes a connection.")


def secrets(settings: Settings) -> Iterator[Finding]:
    """Check that the secrets are set where others can reach the app, and that none is weak or an example."""
    host = os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    check_secret(settings, host)
    reachable = not is_loopback(host) or bool(public_origin(settings.public_url))
    found = False
    password = settings.maintainer_password
    if password and len(password) < SHORTEST:
        found = True
        yield Finding(
            "secrets",
            "failed",
            "SMARTBREED_MAINTAINER_PASSWORD is too short.",
            f"Use at least {SHORTEST} characters.",
        )
    elif password.lower() in _DEFAULTS:
        found = True
        yield Finding(
            "secrets",
            "failed",
            "SMARTBREED_MAINTAINER_PASSWORD is one of those that are tried first.",
            "Choose another.",
        )
    elif reachable and not password:
        found = True
        do = "Set SMARTBREED_MAINTAINER_PASSWORD, or give a member that role: smartbreed accounts."
        yield Finding(
            "secrets", "warning", "Others can reach the app, and there is no maintainers' password.", do
        )
    if not settings.resolved_database_url.startswith("sqlite"):
        for name, value in (("SMARTBREED_SECRET", settings.secret), ("SMARTBREED_SALT", settings.salt)):
            if not value:
                found = True
                do = f"Replicas that share a database need the same one; this makes one: {_MAKE}"
                yield Finding(
                    "secrets", "warning", f"{name} is not set, so that each home makes its own.", do
                )
    if not found:
        yield Finding("secrets", "ok", "None is one of an example.")


_MAKE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
_DEFAULTS = {"password", "passwort", "smartbreed", "changeme", "change me", "12345678", "administrator"}


def proxies(settings: Settings) -> Iterator[Finding]:
    """Check that the proxies in the environment are reachable, and that the reverse proxy is trusted."""
    found = False
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        value = os.environ.get(name) or os.environ.get(name.lower()) or ""
        if not value:
            continue
        found = True
        yield _proxy(name, value)
    if public_origin(settings.public_url) and not settings.proxies:
        found = True
        do = "Set SMARTBREED_TRUSTED_PROXIES to the address of the proxy."
        yield Finding(
            "proxies",
            "warning",
            "SMARTBREED_PUBLIC_URL is set and no proxy is trusted: all visitors count as one.",
            do,
        )
    if not found:
        yield Finding("proxies", "ok", "The environment names none.")


def _proxy(name: str, value: str) -> Finding:
    do = f"Correct or unset {name}."
    with suppress(ValueError):
        parts = urlsplit(value if "://" in value else f"http://{value}")
        if parts.hostname:
            try:
                socket.create_connection((parts.hostname, parts.port or 80), _PATIENCE_S).close()
            except (OSError, ssl.SSLError) as error:
                return Finding(
                    "proxies",
                    "failed",
                    f"{name}: {parts.hostname} cannot be reached ({type(error).__name__}).",
                    do,
                )
            return Finding("proxies", "ok", f"{name}: {parts.hostname} takes connections.")
    return Finding("proxies", "failed", f"{name} is no address of a proxy.", do)
