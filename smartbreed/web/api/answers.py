"""Answers that REST and the Gradio endpoints share: several photos, one pet of a photo, flags, breeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from smartbreed.accounts.members import COOKIE
from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.core.telemetry import failed
from smartbreed.imaging.photo import Photo
from smartbreed.inference.breed_book import BreedBook
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.labels import Labels
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure, Identification
from smartbreed.services import Services
from smartbreed.web.api.arguments import FlagArguments
from smartbreed.web.api.gate import Gate
from smartbreed.web.api.photos import Given


async def identify_all(
    services: Services, gate: Gate, items: Sequence[Given], options: dict[str, Any], interface: str
) -> list[dict[str, Any]]:
    """Identify the usable photos among ``items`` together; return all answers in the order of ``items``.

    Raises:
        RequestError: more photos than the settings allow.
    """
    usable = [(item.source, item.name) for item in items if item.error is None]
    for item in items:
        if item.error:
            failed(item.error.code)
    found = iter(await gate.run(services.identify_many, usable, interface=interface, **options))
    return [
        (next(found) if item.error is None else Failure(item.name, item.error)).as_dict() for item in items
    ]


def open_photo(
    services: Services, item: Given, whole: bool, score: float | None, model: Identifier
) -> tuple[Photo, Identification] | Failure:
    """Return the photo and what the model finds in it, or the failure if the photo cannot be used."""
    try:
        if item.error:
            raise item.error
        photo = services.read(item.source, item.name)
    except PhotoError as error:
        failed(error.code)
        return Failure(item.name, error)
    return photo, model.identify(photo, whole=whole, score=score)


def save_flag(
    services: Services, item: Given, said: FlagArguments, client: str, headers: Mapping[str, str]
) -> dict[str, Any] | Failure:
    """Save a flag of a photo; return its receipt as JSON once it is on disk.

    Args:
        services: of the app.
        item: the photo.
        said: the checked arguments of the flag.
        client: network address of the request.
        headers: of the request; with a member's cookie, the flag belongs to that member.
    """
    found = open_photo(services, item, said.whole, said.score, services.identifier)
    if isinstance(found, Failure):
        return found
    rest = said.model_dump(exclude={"whole", "score", "pet"})
    # Without a cookie the accounts are not opened, because opening them for the first time writes a secret.
    if COOKIE in headers.get("cookie", "") and (who := services.members.of(headers)):
        # A member is a flagger apart from visitors: a visitor's flag of the same photo stays when the account
        # is deleted. A browser's token never has a space, so a forged one cannot withdraw a member's flag.
        rest |= {"member": who.id, "flagger": f"member {who.id}"}
    return asdict(services.flag(*found, number=said.pet, client=client, **rest))


def breed_detail(book: BreedBook, text: str) -> dict[str, Any]:
    """Return what is known of the breed that ``text`` names, by id, name or alias; see `schemas.BreedDetail`.

    Raises:
        RequestError: ``unknown_breed`` (404), with the closest names.
    """
    breed = book.named(text)
    if breed is None:
        nearest = ", ".join(f"{one.name} ({one.id})" for one in book.nearest(text))
        raise RequestError(
            "unknown_breed",
            f"This model knows no breed called {text[:60]!r}.{f' Near it: {nearest}.' if nearest else ''}",
            status=404,
        )
    entry, evaluation = book.entry(breed), book.evaluation
    measured = None
    if evaluation and entry.measured:
        confusions = {"taken_for": evaluation.taken_for(breed.id), "taken_as": evaluation.taken_as(breed.id)}
        measured = {
            **entry.measured.model_dump(),
            "version": evaluation.version,
            "date": evaluation.date and evaluation.date.isoformat(),
            "data": evaluation.data,
            **{
                name: [{"id": label, "pictures": count} for label, count in found]
                for name, found in confusions.items()
            },
        }
    return {
        **asdict(breed),
        "aliases": list(breed.aliases),
        "facts": entry.facts and entry.facts.model_dump(mode="json"),
        "evaluation": measured,
    }


def breed_list(bundle: Bundle) -> list[dict[str, Any]]:
    """Return ``{"id", "name", "aliases", "species", "group"}`` for each breed, in the order of the model."""
    breeds = Labels(bundle.config.classifier).breeds
    return [{**asdict(breed), "aliases": list(breed.aliases)} for breed in breeds]
