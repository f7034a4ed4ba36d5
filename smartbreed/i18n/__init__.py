"""The languages of the pages: which one a visitor reads, and the translations of English sentences."""

from smartbreed.i18n.languages import ENGLISH, LANGUAGES, language, negotiated, speaking
from smartbreed.i18n.sentences import (
    each_translated,
    gettext,
    mark,
    ngettext,
    plural,
    script_sentences,
    translated,
)
from smartbreed.i18n.things import about_things, of_things

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "about_things",
    "each_translated",
    "gettext",
    "language",
    "mark",
    "negotiated",
    "ngettext",
    "of_things",
    "plural",
    "script_sentences",
    "speaking",
    "translated",
]
