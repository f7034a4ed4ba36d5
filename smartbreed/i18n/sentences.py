"""Translate sentences into the language of the page being rendered.

The catalogues are gettext's (``locales/<language>/LC_MESSAGES/messages.po``); a sentence without a
translation stays English. Placeholders are named: ``gettext("%(count)s photos", count=3)``.
"""

from __future__ import annotations

import re
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from smartbreed.i18n.languages import ENGLISH, language
from smartbreed.i18n.things import SCRIPT_TWINS, fitting, fitting_number, of_things

LOCALES = Path(__file__).with_name("locales")
#: Comments that ``make messages`` writes into the catalogues to say where a sentence is used.
SCRIPT, ERROR, REPORTED = "script", "error", "reported"
_SENTENCE_END = re.compile(r"(?<=[.?!]) (?=[A-Z])")
#: Separates the phrases of a list in which each phrase ends with figures in brackets.
_LISTED = re.compile(r"(?<=\)), ")
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
#: A number whose digits are grouped as in English.
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+")


def gettext(sentence: str, /, **values: Any) -> str:
    """Translate a sentence and fill in its values."""
    said = _translations(language()).gettext(fitting(sentence)) if sentence else ""
    return said % values if values else said


def ngettext(one: str, many: str, number: int, /, **values: Any) -> str:
    """Translate the singular or plural that fits a number, and fill in the values."""
    return plural(one, many, number) % {"number": number, **values}


def plural(one: str, many: str, number: int) -> str:
    """Like `ngettext`, but with the placeholders left in."""
    return _translations(language()).ngettext(*fitting_number(one, many), number)


def mark(sentence: str) -> str:
    """Return the sentence unchanged: ``make messages`` finds it, and `gettext` translates it where shown."""
    return sentence


def translated(message: str) -> str:
    """Translate an English sentence whose values are already filled in, such as an error message."""
    code, message = language(), fitting(message)
    if code == ENGLISH or not message:
        return message
    said = _translations(code).gettext(message)
    if said != message:
        return said
    for pattern, sentence in _patterns(code, ERROR):
        if found := pattern.fullmatch(message):
            values = {name: _value(code, text) for name, text in found.groupdict().items()}
            return _translations(code).gettext(sentence) % values
    return message


def _value(code: str, text: str) -> str:
    """Translate a value inside an error: group digits with points, translate phrases, and keep names."""
    if _GROUPED.fullmatch(text):
        return text.replace(",", ".")
    return _error_phrases(code).get(text, text)


@cache
def _error_phrases(code: str) -> dict[str, str]:
    return {
        str(one.id): str(one.string)
        for one in catalogue(code)
        if ERROR in one.auto_comments and one.string and not _PLACEHOLDER.search(str(one.id))
    }


def each_translated(text: str) -> str:
    """Translate the English sentences that a retraining reported, one by one, with the phrases in them."""
    if language() == ENGLISH or not text:
        return text
    return " ".join(_reported(sentence) for sentence in _SENTENCE_END.split(text))


def _reported(text: str) -> str:
    code = language()
    said = _translations(code).gettext(text)
    if said != text:
        return said
    for pattern, sentence in _patterns(code, REPORTED):
        whole = sentence.endswith(".") is text.endswith(".")  # else a phrase could match a whole sentence
        if whole and (found := pattern.fullmatch(text)):
            values = {name: _phrases(value) for name, value in found.groupdict().items()}
            return _translations(code).gettext(sentence) % values
    return translated(text)


def _phrases(text: str) -> str:
    """Translate a value inside a sentence: keep figures, translate phrases and names."""
    before = ": " if text.startswith(": ") else ""
    return before + ", ".join(_phrase(one) for one in _LISTED.split(text.removeprefix(before)))


def _phrase(text: str) -> str:
    if " " not in text and not text.islower():
        return text
    said = _reported(text)
    return said if said != text else ", ".join(map(translated, text.split(", ")))


def script_sentences(code: str) -> dict[str, str]:
    """Return translations for page scripts, keyed by English sentence; empty if all stay as they are."""
    return _script_sentences(code, of_things())


@cache
def _script_sentences(code: str, things: bool) -> dict[str, str]:
    said = {
        str(one.id): str(one.string)
        for one in ([] if code == ENGLISH else catalogue(code))
        if SCRIPT in one.auto_comments and one.string
    }
    if not things:
        return said
    # The translation of a twin is keyed by the sentence that it replaces.
    return said | {one: _translations(code).gettext(twin) for one, twin in SCRIPT_TWINS.items()}


@cache
def catalogue(code: str) -> Catalog:
    """Load all sentences of a language."""
    with (LOCALES / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


@cache
def _translations(code: str) -> NullTranslations:
    if code == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue(code))
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _patterns(code: str, kind: str) -> list[tuple[re.Pattern[str], str]]:
    """Return a pattern for each sentence of a kind with placeholders, the longest fixed text first."""
    sentences = [
        str(one.id)
        for one in catalogue(code)
        if kind in one.auto_comments and one.string and _PLACEHOLDER.search(str(one.id))
    ]
    sentences.sort(key=lambda sentence: -len(_PLACEHOLDER.sub("", sentence)))
    return [(_pattern(sentence), sentence) for sentence in sentences]


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(sentence)
    texts = [
        f"(?P<{part}>.*?)" if place % 2 else re.escape(part.replace("%%", "%"))
        for place, part in enumerate(parts)
    ]
    return re.compile("".join(texts), re.DOTALL)
