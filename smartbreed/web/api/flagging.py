"""Flags from programs: the arguments that go with a photo, and the photo itself with what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smartbreed.core.errors import PhotoError
from smartbreed.feedback.flags import Receipt
from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure, Identification
from smartbreed.services import Services
from smartbreed.web.api.arguments import check_box, check_flag, check_pet, check_text
from smartbreed.web.api.photos import Given

#: Arguments of a flag, beside the photo and what `identify` takes.
ARGUMENTS = ("pet", "verdict", "label", "label_text", "species", "box", "consent")


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """Checked arguments for `smartbreed.services.Services.flag`; what is missing has its default.

    Raises:
        RequestError: ``bad_`` and the name of the argument.
    """
    return {
        "number": check_pet(values.get("pet")),
        "verdict": check_text(values.get("verdict"), "verdict"),
        "label": check_text(values.get("label"), "label"),
        "label_text": check_text(values.get("label_text"), "label_text"),
        "species": check_text(values.get("species"), "species"),
        "box": check_box(values.get("box")),
        "consent": check_flag(values.get("consent"), "consent"),
    }


def open_photo(
    services: Services, item: Given, whole: bool, score: float | None, model: Identifier
) -> tuple[Photo, Identification] | Failure:
    """The photo and what is in it, for endpoints that go on with one of its pets."""
    if item.error:
        return Failure(item.name, item.error)
    try:
        photo = services.read(item.source, item.name)
    except PhotoError as error:
        return Failure(item.name, error)
    return photo, model.identify(photo, whole=whole, score=score)


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """What a caller is answered once the flag is on the disk."""
    return {
        "flag_id": receipt.flag_id,
        "sample_id": receipt.sample_id,
        "created": receipt.created,
        "receipt": receipt.receipt,
    }
