"""The languages of the pages: which one a visitor reads, and the sentences of each by the English one."""

from smartbreed.i18n.languages import ENGLISH, LANGUAGES, language, negotiated, speaking
from smartbreed.i18n.sentences import gettext, mark, ngettext, plural, script_sentences, translated

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "gettext",
    "language",
    "mark",
    "negotiated",
    "ngettext",
    "plural",
    "script_sentences",
    "speaking",
    "translated",
]
