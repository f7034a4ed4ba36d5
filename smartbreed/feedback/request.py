"""What a person may send as a flag, and the checks that it has to pass.

Everything is checked before anything is stored, so a refused flag leaves no trace.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartbreed.breeds.catalogue import Breed, resolve
from smartbreed.core.errors import FlagError
from smartbreed.feedback.tables import VERDICTS
from smartbreed.imaging.photo import Box

#: Maximum lengths of texts, in characters after cleaning.
MAX_LABEL_TEXT = 80
MAX_NOTE = 500
MAX_REVISION = 200
#: Smallest side of a drawn box, in pixels; the smallest photo is as large.
MIN_DRAWN = 8
#: Pixels that a drawn box may reach beyond the photo, because boxes in answers are rounded.
_ROUNDING = 1.0
_SPECIES = ("dog", "cat")
_NUMBERS = (int, float, np.integer, np.floating)


@dataclass(frozen=True, kw_only=True)
class FlagRequest:
    """What a person says about one pet, before the checks.

    Attributes:
        pixels: the upright photo, uint8, height × width × 3, RGB.
        verdict: one of `smartbreed.feedback.tables.VERDICTS`.
        model_revision: the model that answered.
        consent: whether the person agreed to the photo being kept and published.
        flagger_token: any stable text that stands for the person; only a salted hash is kept.
        box: ``(x0, y0, x1, y1)`` in pixels; None for the whole photo. For a missed pet: the box that
            the person drew; None if they did not say where it is.
        found: ``(box, species)`` of each pet that the model found beside a missed one; species may be
            empty. None if not recorded.
        pet_index: number of the pet in the identification's list, from 1.
        predicted: breed id that the model gave.
        probability: of `predicted`, in [0, 1].
        species: ``"dog"``, ``"cat"`` or None; replaced by the label's species if there is a label.
        label: the right breed: its id, name or an alias.
        label_text: the person's own words for a breed the catalogue lacks.
        note: a remark to the maintainers.
        more_breeds: breeds that the model knows; it may have learnt some that the catalogue lacks.
    """

    pixels: NDArray[np.uint8]
    verdict: str
    model_revision: str
    consent: bool
    flagger_token: str
    box: Box | None = None
    found: Sequence[tuple[Box, str]] | None = None
    pet_index: int | None = None
    predicted: str | None = None
    probability: float | None = None
    species: str | None = None
    label: str | None = None
    label_text: str | None = None
    note: str | None = None
    more_breeds: tuple[Breed, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckedFlag:
    """A request that passed the checks: texts cleaned, the box clipped, the label resolved to a breed id."""

    photo_width: int
    photo_height: int
    box: Box | None
    found: tuple[tuple[Box, str], ...] | None
    pet_index: int | None
    predicted: str | None
    probability: float | None
    species: str | None
    verdict: str
    label: str | None
    label_text: str | None
    model_revision: str
    note: str | None


def check(request: FlagRequest) -> CheckedFlag:
    """Check and clean a request.

    Contradictions are resolved in favour of the person: "wrong" with the predicted breed as
    its label becomes "correct" (the page may have shown only the group), and "not_a_pet"
    drops the label.

    Raises:
        FlagError: ``consent_required``, ``unknown_verdict``, ``flagger_required``,
            ``bad_photo``, ``bad_box``, ``bad_pet_index``, ``bad_probability``,
            ``unknown_species``, ``label_required``, ``unknown_breed`` or ``text_too_long``.
    """
    if request.consent is not True:
        raise FlagError(
            "consent_required",
            ("Tick the box to say that the photo may be kept and published; otherwise it is not saved."),
        )
    if request.verdict not in VERDICTS:
        raise FlagError(
            "unknown_verdict", f"A verdict is one of {', '.join(VERDICTS)}. Received: {request.verdict!r:.50}"
        )
    if not request.flagger_token:
        raise FlagError("flagger_required", "A flag needs a token that stands for the person who sends it.")
    width, height = _photo_size(request.pixels)
    index = request.pet_index
    if index is not None and not (isinstance(index, (int, np.integer)) and 1 <= index <= 10_000):
        raise FlagError("bad_pet_index", f"A pet's number starts at 1. Received: {index!r:.50}")
    probability = request.probability
    # NaN fails here too.
    if probability is not None and not (isinstance(probability, _NUMBERS) and 0 <= probability <= 1):
        raise FlagError(
            "bad_probability", f"A probability lies between 0 and 1. Received: {probability!r:.50}"
        )
    if request.species not in (None, *_SPECIES):
        raise FlagError("unknown_species", f"A species is dog or cat. Received: {request.species!r:.50}")
    verdict, label, label_text, species = _label(request)
    box = request.box
    if box is not None:
        box = drawn_box(box, width, height) if verdict == "missed" else clip_box(box, width, height)
    found = None
    if request.found is not None:
        found = tuple((clip_box(pet, width, height), kind or "") for pet, kind in request.found)
        if bad := [kind for _, kind in found if kind not in ("", *_SPECIES)]:
            raise FlagError("unknown_species", f"A species is dog or cat. Received: {bad[0]!r:.50}")
    return CheckedFlag(
        photo_width=width,
        photo_height=height,
        box=box,
        found=found,
        pet_index=None if index is None else int(index),
        predicted=clean(request.predicted, MAX_LABEL_TEXT, "The predicted breed"),
        probability=None if probability is None else float(probability),
        species=species,
        verdict=verdict,
        label=label,
        label_text=label_text,
        model_revision=clean(request.model_revision, MAX_REVISION, "The model's revision") or "unknown",
        note=clean(request.note, MAX_NOTE, "The note"),
    )


def drawn_box(box: Box, width: int, height: int) -> Box:
    """Check and clip a box that a person drew on a photo; rounded to hundredths of a pixel.

    Raises:
        FlagError: ``bad_box``: not four finite numbers, not inside the photo, or a side under
            `MIN_DRAWN` pixels.
    """
    x0, y0, x1, y1 = _numbers(box)
    if min(x0, y0) < -_ROUNDING or x1 > width + _ROUNDING or y1 > height + _ROUNDING:
        raise FlagError(
            "bad_box", f"The box is not inside the photo of {width}×{height} pixels. Received: {box!r:.100}"
        )
    x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
    if x1 - x0 < MIN_DRAWN or y1 - y0 < MIN_DRAWN:
        raise FlagError(
            "bad_box",
            f"A box is x0, y0, x1, y1, at least {MIN_DRAWN} pixels wide and high. Received: {box!r:.100}",
        )
    return clip_box((x0, y0, x1, y1), width, height)


def clip_box(box: Box, width: int, height: int) -> Box:
    """Return the part of `box` inside a photo, rounded to hundredths of a pixel.

    Raises:
        FlagError: ``bad_box``: not four finite numbers, or under a pixel wide or high inside the photo.
    """
    x0, y0, x1, y1 = _numbers(box)
    # Rounding keeps the same box equal after a trip through JSON or a browser.
    x0, x1 = (round(min(max(x, 0.0), width), 2) for x in (x0, x1))
    y0, y1 = (round(min(max(y, 0.0), height), 2) for y in (y0, y1))
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise FlagError(
            "bad_box", f"The box is empty inside the photo of {width}×{height}. Received: {box!r:.100}"
        )
    return (x0, y0, x1, y1)


def _numbers(box: Box) -> Box:
    try:
        x0, y0, x1, y1 = (float(value) for value in box)
    except (TypeError, ValueError, OverflowError):
        x0 = y0 = x1 = y1 = math.nan
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        raise FlagError("bad_box", f"A box is four numbers x0, y0, x1, y1. Received: {box!r:.100}")
    return x0, y0, x1, y1


def _photo_size(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Return width and height in pixels; raise if the pixels are not a photo."""
    array = isinstance(pixels, np.ndarray)
    if not array or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise FlagError("bad_photo", "A flag needs the photo as uint8 pixels, height × width × 3.")
    return int(pixels.shape[1]), int(pixels.shape[0])


def _label(request: FlagRequest) -> tuple[str, str | None, str | None, str | None]:
    """Return verdict, breed id, free text and species, made to agree with each other."""
    verdict = request.verdict
    if verdict == "not_a_pet":
        return verdict, None, None, None
    if verdict == "correct":
        if not request.predicted:
            raise FlagError("label_required", "There is no prediction to agree with; say which breed it is.")
        breed = resolve(request.predicted, request.more_breeds)
        # A retrained model may know breeds this catalogue lacks; they keep their id.
        label = breed.id if breed else clean(request.predicted, MAX_LABEL_TEXT, "The predicted breed")
        return verdict, label, None, (breed.species or None) if breed else request.species
    name = clean(request.label, MAX_LABEL_TEXT, "The breed")
    text = clean(request.label_text, MAX_LABEL_TEXT, "The breed in your own words")
    if name is None and text is not None and (breed := resolve(text, request.more_breeds)):
        name, text = breed.id, None  # the breed is known after all
    if name is None:
        if verdict == "wrong" and text is None:
            raise FlagError("label_required", "Say which breed it is, or describe it in your own words.")
        return verdict, None, text, request.species
    if (breed := resolve(name, request.more_breeds)) is None:
        raise FlagError(
            "unknown_breed", f"No breed of that name; choose one, or use your own words. Received: {name!r}"
        )
    if verdict == "wrong" and breed.id == request.predicted:
        verdict = "correct"
    return verdict, breed.id, text, breed.species or None


def clean(text: str | None, limit: int, what: str) -> str | None:
    """Return `text` in one line without control, formatting or surrogate characters; None if empty.

    Those characters can reorder what a reviewer reads, and lone surrogates cannot be stored.
    """
    if text is None:
        return None
    if len(text) > 10 * limit:  # do not clean a megabyte only to refuse it
        raise FlagError("text_too_long", f"{what} is too long: at most {limit} characters.")
    visible = "".join(
        " " if unicodedata.category(c) == "Cc" else "" if unicodedata.category(c)[0] == "C" else c
        for c in text
    )
    cleaned = " ".join(unicodedata.normalize("NFC", visible).split())
    if len(cleaned) > limit:
        raise FlagError("text_too_long", f"{what} is too long: at most {limit} characters.")
    return cleaned or None
