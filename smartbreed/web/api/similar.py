"""``/similar/<name>.jpg``: thumbnails of photographs that the model finds alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from smartbreed.core.errors import RequestError, SmartBreedError, StorageError
from smartbreed.inference.results import Identification, Pet
from smartbreed.services import Services
from smartbreed.web.components import nav

_NAME = re.compile(r"[gf][0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True)
class Alike:
    """What a page shows of a photograph: two addresses, the name of the breed, and how near it is."""

    source: str
    about: str
    name: str
    words: str


def alike(services: Services, answer: Identification, pet: Pet) -> Sequence[Alike]:
    """Photographs that the model finds like a pet, the nearest first; empty where there is no gallery."""
    try:
        found = services.gallery.similar(pet, answer.model.revision, answer.sha256)
    except StorageError:  # the answer is what counts
        return ()
    known = answer.labels or services.identifier.known
    return [
        Alike(picture_address(one.name), nav.breed(one.label), known.breed(one.label).name, one.words)
        for one in found
    ]


def picture_address(name: str) -> str:
    """Address of the thumbnail of a photograph."""
    return f"{nav.root()}similar/{name}.jpg"


def similar_routes(services: Services) -> list[Route]:
    """The route of the thumbnails."""

    def thumbnail(request: Request) -> Response:
        name, _, suffix = request.path_params["picture"].partition(".")
        try:
            if suffix != "jpg" or not _NAME.fullmatch(name):
                raise RequestError("no_such_picture", "There is no such picture.", status=404)
            jpeg = services.gallery.thumbnail(name)
        except SmartBreedError as error:
            headers = {"Cache-Control": "no-store"}
            return Response(error.message, error.status, headers, "text/plain")
        # A visitor may take back what they flagged, so no cache keeps that.
        cached = "private, max-age=86400" if name[0] == "g" else "no-store"
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": cached})

    return [Route("/similar/{picture}", thumbnail)]
