"""The pages ``/breeds``, ``/breeds/<id>`` and ``/breeds/compare``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from smartbreed.accounts.origin import public_origin
from smartbreed.breeds.catalogue import BREEDS
from smartbreed.core.errors import StorageError
from smartbreed.dataset.needs import FLAGGER_FLOOR, LEAST_PICTURES
from smartbreed.i18n import gettext, ngettext
from smartbreed.inference.breed_book import BreedBook, Entry
from smartbreed.services import Services
from smartbreed.training_jobs.accepted_photos import VisitorsBreed
from smartbreed.web.api.similar import Shown, gallery_note, shown
from smartbreed.web.components import nav, templates
from smartbreed.web.components.plain import file_address, files
from smartbreed.web.pages.breeds.listing import list_breeds
from smartbreed.web.pages.breeds.measured import measures_of, mixed_up, source_of

#: How long the breeds that visitors added are cached, in seconds; counting them reads every accepted photo.
_VISITORS_S = 30.0
#: Maximum number of pictures of each kind on a breed's page.
_PICTURES = 6
#: Maximum length of an id or name that is looked up.
_LONGEST = 200


class BreedPages:
    """The handlers of the breed pages; thread-safe.

    Args:
        services: provides the model and its breeds.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._visitors: tuple[float, tuple[VisitorsBreed, ...]] = (-_VISITORS_S, ())

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        return [
            Route("/breeds", self.index),
            Route("/breeds/compare", self.compare),
            Route("/breeds/{breed}", self.breed),
            Route("/files/{name}", files),
        ]

    def index(self, request: Request) -> Response:
        """Return the list of breeds, filtered by the query."""
        book = self._services.breed_book
        listing = list_breeds(book, request.query_params)
        return self._page(
            request,
            "list",
            book,
            path=f"{nav.root()}breeds",
            title=ngettext(
                "%(total)s breed it knows", "%(total)s breeds it knows", listing.total, total=listing.total
            ),
            about=gettext(
                "The %(total)s breeds that this model can name: what they look like and need, "
                "and how well it tells each from its look-alikes.",
                total=listing.total,
            ),
            listing=listing,
            added=self._visitors_breeds(),
            least=LEAST_PICTURES,
            most=FLAGGER_FLOOR,
        )

    def breed(self, request: Request) -> Response:
        """Return the page of one breed; a name or an alias redirects to it."""
        book, asked = self._services.breed_book, request.path_params["breed"][:_LONGEST]
        breed = book.breeds.get(asked)
        if breed is None:
            named = book.named(asked)
            if named is None:
                return self._missing(request, book, asked)
            return RedirectResponse(nav.breed(named.id), 302)
        entry = book.entry(breed)
        looks = entry.facts.look_alikes if entry.facts else ()
        alike = [(book.breeds[one.breed], one.tell_apart) for one in looks if one.breed in book.breeds]
        return self._page(
            request,
            "breed",
            book,
            path=nav.breed(breed.id),
            title=breed.name,
            about=entry.facts.summary
            if entry.facts
            else gettext("How well this model knows the %(breed)s.", breed=breed.name),
            entry=entry,
            alike=alike,
            added=self._visitors_breed(breed.id),
            measures=measures_of(book, entry),
            nearest=book.nearest(breed.name, breed.id),
            pictures=self._pictures(book, breed.id),
            gallery_note=gallery_note(self._services, request),
        )

    def compare(self, request: Request) -> Response:
        """Return the two breeds in the query side by side; the page lets visitors choose a missing one."""
        book = self._services.breed_book
        texts = [request.query_params.get(name, "").strip()[:_LONGEST] for name in ("a", "b")]
        found = [book.named(text) if text else None for text in texts]
        pair: list[Entry] = [book.entry(breed) for breed in found if breed]
        names = [entry.breed.name for entry in pair]
        both = len(pair) == 2 and pair[0].breed != pair[1].breed
        ids = [entry.breed.id for entry in pair]
        return self._page(
            request, "compare", book,
            path=nav.comparison(*ids) if both else f"{nav.root()}breeds/compare",
            title=gettext("%(first)s and %(second)s compared", first=names[0], second=names[1])
            if both else gettext("Compare two breeds"),
            about=gettext(
                "%(first)s and %(second)s side by side: size, coat, character and needs, "
                "and how to tell them apart.",
                first=names[0],
                second=names[1],
            )
            if both
            else gettext(
                "Two breeds side by side: size, coat, character and needs, and how to tell them apart."
            ),
            pair=pair if both else [], chosen=[breed.id if breed else "" for breed in found],
            unknown=[text for text, breed in zip(texts, found, strict=True) if text and breed is None],
            same=len(pair) == 2 and not both, mixed=mixed_up(book, *pair) if both else "",
            source=source_of(book, book.evaluation) if book.evaluation else "",
        )  # fmt: skip

    def _missing(self, request: Request, book: BreedBook, asked: str) -> Response:
        gone = BREEDS.get(asked)
        name = gone.name if gone else asked.replace("_", " ")
        added = self._visitors_breed(asked)
        return self._page(
            request, "missing", book, path=f"{nav.root()}breeds", title=gettext("No such breed"), status=404,
            about=gettext("This address names no breed that the model knows."),
            asked=added.name if added else name, gone=gone, added=added,
            nearest=book.nearest(name, most=6),
        )  # fmt: skip

    def _pictures(self, book: BreedBook, breed_id: str) -> dict[str, list[Shown]]:
        """Return gallery pictures: the breed named right, named wrong, and other breeds taken for it."""
        gallery = self._services.gallery
        with suppress(StorageError):
            found = {
                "right": gallery.answered(_PICTURES, label=breed_id, right=True),
                "wrong": gallery.answered(_PICTURES, label=breed_id),
                "taken": gallery.answered(_PICTURES, said=breed_id),
            }
            return {kind: [shown(one, book) for one in some] for kind, some in found.items()}
        return {}

    def _visitors_breed(self, breed_id: str) -> VisitorsBreed | None:
        return next((one for one in self._visitors_breeds() if one.id == breed_id), None)

    def _visitors_breeds(self) -> tuple[VisitorsBreed, ...]:
        made, found = self._visitors
        if time.monotonic() - made >= _VISITORS_S:
            try:
                found = self._services.visitors_breeds()
            except StorageError:  # the rest of the page needs no database
                return found
            self._visitors = (time.monotonic(), found)
        return found

    def _name(self, request: Request) -> str:
        """Return the signed-in member's name; empty for visitors."""
        with suppress(StorageError):
            member = self._services.members.of(request.headers)
            return member.shown if member else ""
        return ""

    def _page(
        self, request: Request, name: str, book: BreedBook, *, path: str, title: str, about: str,
        status: int = 200, **values: Any,
    ) -> Response:  # fmt: skip
        site = self._services.introduction[0] or "SmartBreed"
        origin = (
            public_origin(self._services.settings.public_url)
            or f"{request.url.scheme}://{request.url.netloc}"
        )
        maintainers, who = self._services.maintainers.reachable, self._name(request)
        off = self._services.switches.off
        text = templates.render(
            f"breeds/{name}.html",
            key="breeds",
            header=Markup(nav.header("breeds", maintainers=maintainers, account=who, off=off)),
            footer=Markup(nav.footer(off=off, here=path)),
            root=nav.root(),
            address=nav.breed,
            comparison=nav.comparison,
            file=file_address,
            book=book,
            site=site,
            title=title,
            about=about,
            url=origin + path,
            status=status,
            **values,
        )
        return HTMLResponse(text, status)
