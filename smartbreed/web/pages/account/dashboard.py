"""A member's own data on the account page: their flags, what became of them, and kept photos."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from smartbreed.accounts.member_data import OwnFlag, own_flag, own_flags
from smartbreed.breeds.catalogue import get_breed
from smartbreed.dataset.accepted import sample_key
from smartbreed.i18n import gettext, mark
from smartbreed.imaging.photo import encode_jpeg, read_photo
from smartbreed.review.claims import label_of, said
from smartbreed.review.decisions import ACCEPTING
from smartbreed.review.pictures import stored_photo, surroundings
from smartbreed.web.components.sentences import percent
from smartbreed.web.pages.tour.versions import Known, known_versions

if TYPE_CHECKING:
    from smartbreed.services import Services

_UNNAMED = {"cat": mark("a cat"), "dog": mark("a dog"), "": mark("a pet")}
#: Maximum number of flags on the page; the download contains all.
SHOWN = 60
#: Longest side of a picture, in pixels.
_SIDE = 240


@dataclass(frozen=True)
class Row:
    """One flag on the page.

    Attributes:
        model: the model's answer at the time.
        said: the member's answer.
        became: what became of the flag, in a sentence.
        photo: whether the photo still exists.
    """

    id: str
    at: dt.datetime
    model: str
    said: str
    became: str
    photo: bool


def rows(services: Services, member_id: str) -> list[Row]:
    """Return the member's flags, newest first.

    Raises:
        StorageError: the database cannot be read.
    """
    found = own_flags(services.flags.sessions, member_id, SHOWN)
    known = Known()
    if any(one.decision is not None and one.decision.decision in ACCEPTING for one in found):
        known = known_versions(services, services.identifier.bundle)
    names = services.review.names() if found else {}
    return [_row(one, known, names) for one in found]


def _row(own: OwnFlag, known: Known, names: dict[str, str]) -> Row:
    flag = own.flag
    model = gettext("nothing there")
    if flag.predicted:
        share = "" if flag.probability is None else f", {percent(flag.probability)}"
        model = f"{names.get(flag.predicted) or get_breed(flag.predicted).name}{share}"
    words = said(flag, names.get(label_of(flag) or ""))
    return Row(flag.id, flag.flagged_at, model, words, became(own, known), flag.state != "withdrawn")


def browser_words(name: str) -> str:
    """Translate a name from `browser_name`, such as "Firefox on Linux", into the page's language."""
    browser, on, system = name.partition(" on ")
    browser = gettext("A browser") if browser == "A browser" else browser
    return gettext("%(browser)s on %(system)s", browser=browser, system=system) if on else browser


def became(own: OwnFlag, known: Known) -> str:
    """Say what became of a flag, such as "Version 1.3.0 learned from it."."""
    flag, decision = own.flag, own.decision
    if flag.state == "withdrawn":
        return gettext("You took it back.")
    if decision is None or decision.decision == "undo":
        return gettext("It waits for review.")
    if decision.decision not in ACCEPTING:
        return gettext("It was reviewed, and no version learns from it.")
    label = decision.label or label_of(flag) or ""
    version, unseen = known.learnt(sample_key(flag.sample_id, decision.box or flag.box), label)
    if version and unseen:
        return gettext("Version %(version)s was tested on it.", version=version)
    if version:
        return gettext("Version %(version)s learned from it.", version=version)
    return gettext("It was accepted; the next version learns from it.")


@dataclass(frozen=True)
class Kept:
    """One kept photo on the page.

    Attributes:
        answer: the model's answer about its pets, in one line.
    """

    id: str
    at: dt.datetime
    name: str
    answer: str


def kept(services: Services, member_id: str) -> list[Kept]:
    """Return the photos that are kept for a member, newest first.

    Raises:
        StorageError: the database cannot be read.
    """
    return [
        Kept(row.id, row.kept_at, row.name, _said_of(json.loads(row.answer)))
        for row in services.kept_photos.list(member_id)
    ]


def _said_of(answer: dict[str, Any]) -> str:
    """Describe an answer in one line, such as "Pug, 97 %; a dog"."""
    found = []
    for pet in answer["pets"]:
        guess = pet["group"] if pet["verdict"] == "group" else pet["breeds"][0]
        name = gettext(guess["name"]) if pet["verdict"] == "group" else guess["name"]
        sure = f"{name}, {percent(guess['probability'])}"
        found.append(gettext(_UNNAMED.get(pet["species"], "a pet")) if pet["verdict"] == "unknown" else sure)
    return "; ".join(found) or gettext("No cat or dog found")


def kept_picture(services: Services, member_id: str, photo_id: str) -> bytes:
    """Return a small JPEG of a kept photo.

    Raises:
        AccountError: ``no_such_photo``.
        StorageError, PhotoError: the photo cannot be read.
    """
    data = services.kept_photos.get(member_id, photo_id)
    photo = read_photo(data, max_bytes=2**31, max_pixels=2**31, admission=services.admission)
    return encode_jpeg(np.asarray(surroundings(photo, None, _SIDE)), 82)


def picture(services: Services, member_id: str, flag_id: str) -> bytes:
    """Return a small JPEG of the pet that a flag is about.

    Raises:
        AccountError: ``no_such_photo``.
        StorageError, PhotoError: the photo cannot be read.
    """
    flag = own_flag(services.flags, member_id, flag_id)
    photo = stored_photo(services.flags.blobs, flag.sample_id, services.admission)
    return encode_jpeg(np.asarray(surroundings(photo, flag.box, _SIDE)), 82)
