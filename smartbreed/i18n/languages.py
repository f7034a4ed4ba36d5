"""Choose the language of a page: the visitor's choice here, else what the browser asks for, else English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from babel.core import negotiate_locale

ENGLISH = "en"
#: Code → the language's own name.
LANGUAGES = {ENGLISH: "English", "de": "Deutsch", "es": "Español"}

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)
#: Asked before the context variable; each returns an empty text if it does not know.
_SOURCES: list[Callable[[], str]] = []


def language() -> str:
    """Return the language of the page being rendered; English outside of pages."""
    return next(filter(None, (source() for source in _SOURCES)), "") or _spoken.get()


def ask_first(source: Callable[[], str]) -> None:
    """Ask ``source`` before the context variable: Gradio's events run outside of their request's context."""
    if source not in _SOURCES:
        _SOURCES.append(source)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Render pages in this language inside the block."""
    token = _spoken.set(code)
    try:
        yield
    finally:
        _spoken.reset(token)


def negotiated(chosen: str, accepted: str) -> str:
    """Return the language for a request.

    Args:
        chosen: what the visitor chose on this site; may be empty.
        accepted: the header ``Accept-Language``.
    """
    if chosen in LANGUAGES:
        return chosen
    # Tags are case-insensitive, and `negotiate_locale` returns one as it was written.
    wanted = [(_weight(quality), tag.strip().lower()) for tag, _, quality in _parts(accepted)]
    tags = [tag for weight, tag in sorted(wanted, key=lambda one: -one[0]) if weight > 0 and tag]
    return negotiate_locale(tags, list(LANGUAGES), sep="-") or ENGLISH


def _parts(header: str) -> list[tuple[str, str, str]]:
    return [part.partition(";") for part in header[:400].split(",")]


def _weight(quality: str) -> float:
    """Parse a weight such as ``q=0.8``: 1 if it is missing, 0 if it is not a number."""
    name, _, value = quality.strip().partition("=")
    try:
        return float(value) if name else 1.0
    except ValueError:
        return 0.0
