"""Reads and renders everything that the review page shows for a desk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from smartbreed.breeds.catalogue import AnySpecies, Breed, breed_of_label
from smartbreed.review.claims import label_of
from smartbreed.review.decisions import NewBreed, breed_name
from smartbreed.review.queue import Item
from smartbreed.services import Services
from smartbreed.web.components.breed_list import breed_choices, catalogue
from smartbreed.web.pages.review import cards
from smartbreed.web.pages.review.desk import Desk
from smartbreed.web.pages.review.pictures import Views, thumbnail, views

#: Maximum number of near-duplicates shown beside a flag.
ALIKE = 6


@dataclass(frozen=True)
class Shown:
    """Values of the page's components; HTML unless stated otherwise.

    Attributes:
        breeds: choices as ``(text, id)``, the model's likeliest first.
        flaggers: people in the list as ``(text, hash)``, those with most flags first.
        acceptable: whether the flag shown names something that can be accepted.
        gold: whether the flag shown is a known answer.
        species: the model's guess of the species; empty if there is none.
        ever: True if anything was ever flagged here.
    """

    progress: str
    pictures: str
    words: str
    listed: str
    breeds: list[tuple[str, str]]
    flaggers: list[tuple[str, str]]
    acceptable: bool
    gold: bool
    species: str
    ever: bool


def show(services: Services, desk: Desk, as_list: bool) -> Shown:
    """Read and render what the page shows for a desk.

    Raises:
        StorageError: the database cannot be read.
    """
    review = services.review
    new = review.new_breeds()
    names = review.names(new)

    def name(breed: str | None) -> str:
        return breed_name(breed, names)

    item, progress = desk.item, review.progress()
    seen = Views() if item is None or as_list else views(services, item)
    few = [] if as_list else desk.alike[:ALIKE]
    alike = cards.strip(few, _thumbnails(services, few), len(desk.alike) - len(few))
    people = Counter(item.flag.flagger for item in desk.items).most_common(30)
    return Shown(
        progress=cards.progress(progress, desk.place, 0 if as_list else len(desk.items), desk.here),
        pictures="" if item is None or as_list else cards.pictures(item, seen, name, alike),
        words="" if item is None or as_list else cards.words(item, seen, name),
        listed=_list(services, desk, name) if as_list else "",
        breeds=_breeds(services.identifier.known.breeds, new, seen),
        flaggers=[(f"{person[:8]} ({count})", person) for person, count in people],
        acceptable=item is not None
        and (label_of(item.flag) is not None or item.flag.verdict in ("not_a_pet", "missed")),
        gold=item is not None and item.state != "open" and review.is_gold(item.id),
        species=seen.pet.species if seen.pet else "",
        ever=progress.open + progress.decided > 0,
    )


def _list(services: Services, desk: Desk, name: cards.Name) -> str:
    listed = desk.listed
    more = len(desk.items) - len(listed) + desk.beyond
    return cards.rows(listed, _thumbnails(services, listed), name, more, desk.number)


def _thumbnails(services: Services, items: Sequence[Item]) -> dict[str, str]:
    with ThreadPoolExecutor(services.identifier.threads) as pool:
        thumbs = list(pool.map(lambda item: thumbnail(services, item), items))
    return {item.id: thumb for item, thumb in zip(items, thumbs, strict=True)}


def _breeds(known: tuple[Breed, ...], new: Mapping[str, NewBreed], seen: Views) -> list[tuple[str, str]]:
    introduced = [breed_of_label(one.id, one.name, _species(one.species), one.group) for one in new.values()]
    return breed_choices(catalogue(known), seen.pet.breeds if seen.pet else (), introduced)


def _species(text: str) -> AnySpecies:
    return "cat" if text == "cat" else "dog" if text == "dog" else ""
