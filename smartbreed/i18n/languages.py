"""Which language a visitor reads: what was chosen here, else what the browser asks for, else English."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from babel.core import negotiate_locale

ENGLISH = "en"
#: By code, each in its own words.
LANGUAGES = {ENGLISH: "English", "de": "Deutsch", "es": "Español"}

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)
#: Asked first; they answer an empty text where they do not know.
_SOURCES: list[Callable[[], str]] = []


def language() -> str:
    """The language of the page that is being made; English outside of pages."""
    return next(filter(None, (source() for source in _SOURCES)), "") or _spoken.get()


def ask_first(source: Callable[[], str]) -> None:
    """Ask ``source`` for the language before the context: gradio's events run outside of their request's."""
    if source not in _SOURCES:
        _SOURCES.append(source)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Within it, pages are made in this language."""
    token = _spoken.set(code)
    try:
        yield
    finally:
        _spoken.reset(token)


def negotiated(chosen: str, accepted: str) -> str:
    """The language of a request.

    Args:
        chosen: what the visitor chose here, if anything.
        accepted: the header ``Accept-Language``.
    """
    if chosen in LANGUAGES:
        return chosen
    wanted = [(_weight(quality), tag.strip()) for tag, _, quality in _parts(accepted)]
    tags = [tag for weight, tag in sorted(wanted, key=lambda one: -one[0]) if weight > 0 and tag]
    return negotiate_locale(tags, list(LANGUAGES), sep="-") or ENGLISH


def _parts(header: str) -> list[tuple[str, str, str]]:
    return [part.partition(";") for part in header[:400].split(",")]


def _weight(quality: str) -> float:
    """Of ``q=0.8``; one where it is missing, none where it is no number."""
    name, _, value = quality.strip().partition("=")
    try:
        return float(value) if name else 1.0
    except ValueError:
        return 0.0
