"""Translates the entries of the audit log, which are stored in English, into the page's language."""

from __future__ import annotations

import re
from collections.abc import Callable

from smartbreed.admin.tables import AuditEntry
from smartbreed.i18n import ENGLISH, gettext, language, mark, ngettext
from smartbreed.training_jobs.job import TRIGGERS
from smartbreed.web.pages.train.cards import MODE_NAMES

_DECISIONS = {
    "accept": mark("accepted: %(flags)s"),
    "relabel": mark("relabelled: %(flags)s"),
    "reject": mark("rejected: %(flags)s"),
    "new_breed": mark("new breed: %(flags)s"),
    "undo": mark("taken back: %(flags)s"),
}
_VALUES = {"on": mark("on"), "off": mark("off"), "as the settings say": mark("as the settings say")}
#: Entries whose text is always the same.
_FIXED = {
    "stopped": mark("stopped"),
    "closed": mark("closed"),
    "opened again": mark("opened again"),
    "deleted": mark("deleted"),
    "message deleted": mark("message deleted"),
    "chosen: the newest": mark("chosen: the newest"),
    "member": mark("member"),
    "maintainer": mark("maintainer"),
    "admin": mark("admin"),
}


def _review(found: re.Match[str]) -> str:
    flags = ngettext("%(number)s flag", "%(number)s flags", int(found["number"])) + found["breeds"]
    return gettext(_DECISIONS[found["decision"]], flags=flags)


def _retraining(found: re.Match[str]) -> str:
    return gettext(
        "%(mode)s, %(trigger)s, %(number)s new photos",
        mode=gettext(MODE_NAMES[found["mode"]]), trigger=gettext(TRIGGERS[found["trigger"]]),
        number=found["number"],
    )  # fmt: skip


def _switch(found: re.Match[str]) -> str:
    return f"{found['name']}: {gettext(_VALUES.get(found['value'], found['value']))}"


#: Entries with values in them: action, pattern, and the function that translates a match.
_WITH_VALUES: tuple[tuple[str, str, Callable[[re.Match[str]], str]], ...] = (
    ("review", rf"(?P<decision>{'|'.join(_DECISIONS)}): (?P<number>\d+) flags?(?P<breeds>.*)", _review),
    (
        "retrain",
        rf"(?P<mode>{'|'.join(MODE_NAMES)}), started by (?P<trigger>{'|'.join(TRIGGERS)}), "
        r"(?P<number>\d+) new photos",
        _retraining,
    ),
    ("switch", r"(?P<name>\w+): (?P<value>.*)", _switch),
    (
        "message",
        r"message marked as (?P<state>\w+)",
        lambda one: gettext("message marked as %(state)s", state=gettext(one["state"])),
    ),
    ("model", r"chosen: (?P<version>.*)", lambda one: gettext("chosen: %(version)s", version=one["version"])),
    ("model", r"back to (?P<version>.*)", lambda one: gettext("back to %(version)s", version=one["version"])),
    (
        "account",
        r"made as (?P<role>\w+)",
        lambda one: gettext("made as %(role)s", role=gettext(one["role"])),
    ),
)


def in_words(entry: AuditEntry) -> str:
    """Return an entry in the page's language; an unknown one, as from an older version, stays as it is."""
    if language() == ENGLISH:
        return entry.words
    if entry.words in _FIXED:
        return gettext(_FIXED[entry.words])
    for action, pattern, said in _WITH_VALUES:
        if action == entry.action and (found := re.fullmatch(pattern, entry.words)):
            return said(found)
    return entry.words
