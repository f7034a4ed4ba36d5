"""Pictures of the gallery with what the model said of each, as pages show them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.errors import StorageError
from smartbreed.gallery.gallery import Answered
from smartbreed.inference.breed_book import BreedBook
from smartbreed.services import Services
from smartbreed.web.api.similar import picture_address


@dataclass(frozen=True)
class Shown:
    """A picture: its address, ids and names of its breed and of the first guess, and how sure that was."""

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
    """What a page shows of a photograph."""
    name, said_name = ((book.breeds.get(key) or get_breed(key)).name for key in (one.label, one.said))
    return Shown(picture_address(one.name), one.label, name, one.said, said_name, one.probability, one.part)


def gallery_note(services: Services, request: Request) -> str:
    """What maintainers do where pictures are missing; empty for everyone else, and where none are."""
    if services.maintainers.session(request).state == "in":
        with suppress(StorageError):
            status = services.gallery.status()
            return status.sentence if status.embedded < max(status.kept, 1) else ""
    return ""
