"""``/similar/<name>.jpg``: thumbnails of the gallery, and the data that pages show with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.errors import RequestError, SmartBreedError, StorageError
from smartbreed.gallery.gallery import Answered
from smartbreed.inference.breed_book import BreedBook
from smartbreed.inference.results import Identification, Pet
from smartbreed.services import Services
from smartbreed.web.components import nav

_NAME = re.compile(r"[gf][0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True)
class Alike:
    """A similar photograph on a page.

    Attributes:
        source: address of its thumbnail.
        about: address of the page of its breed.
        name: name of its breed.
        words: how similar it is.
    """

    source: str
    about: str
    name: str
    words: str


def alike(services: Services, answer: Identification, pet: Pet) -> Sequence[Alike]:
    """Return photographs that the model finds similar to a pet, nearest first; empty without a gallery."""
    try:
        found = services.gallery.similar(pet, answer.model.revision, answer.sha256)
    except StorageError:  # the answer must not fail because of the gallery
        return ()
    known = answer.labels or services.identifier.known
    return [
        Alike(picture_address(one.name), nav.breed(one.label), known.breed(one.label).name, one.words)
        for one in found
    ]


@dataclass(frozen=True)
class Shown:
    """A photograph of the gallery on a page, with the model's answer.

    Attributes:
        source: address of its thumbnail.
        label, name: id and name of its breed.
        said, said_name: id and name of the breed that was the first guess.
        probability: of that guess, 0…1.
        part: ``train``, ``test`` or empty: the part of its source.
    """

    source: str
    label: str
    name: str
    said: str
    said_name: str
    probability: float
    part: str

    @property
    def is_right(self) -> bool:
        return self.said == self.label


def shown(one: Answered, book: BreedBook) -> Shown:
    """Return what a page shows of a photograph and its answer."""
    name, said_name = ((book.breeds.get(key) or get_breed(key)).name for key in (one.label, one.said))
    return Shown(picture_address(one.name), one.label, name, one.said, said_name, one.probability, one.part)


def gallery_note(services: Services, request: Request) -> str:
    """Return a note for maintainers if the gallery lacks pictures or embeddings; empty for everyone else."""
    if services.maintainers.session(request).state == "in":
        with suppress(StorageError):
            status = services.gallery.status()
            return status.sentence if status.embedded < max(status.kept, 1) else ""
    return ""


def picture_address(name: str) -> str:
    """Return the address of a photograph's thumbnail."""
    return f"{nav.root()}similar/{name}.jpg"


def similar_routes(services: Services) -> list[Route]:
    """Build the route of the thumbnails."""

    def thumbnail(request: Request) -> Response:
        name, _, suffix = request.path_params["picture"].partition(".")
        try:
            if suffix != "jpg" or not _NAME.fullmatch(name):
                raise RequestError("no_such_picture", "There is no such picture.", status=404)
            jpeg = services.gallery.thumbnail(name)
        except SmartBreedError as error:
            headers = {"Cache-Control": "no-store"}
            return Response(error.message, error.status, headers, "text/plain")
        # A visitor may withdraw a flagged photo (its name begins with f), so no cache may keep it.
        cached = "private, max-age=86400" if name[0] == "g" else "no-store"
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": cached})

    return [Route("/similar/{picture}", thumbnail)]
