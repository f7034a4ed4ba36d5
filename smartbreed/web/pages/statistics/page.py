"""The page ``/statistics`` and its tables, ``/statistics/<table>.csv``."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from smartbreed import feedback_loop
from smartbreed.accounts.origin import public_origin
from smartbreed.core.errors import SmartBreedError, StorageError
from smartbreed.i18n import gettext
from smartbreed.services import Services
from smartbreed.statistics import csv_tables
from smartbreed.statistics.breed_mix import LEAST_DAYS
from smartbreed.statistics.report import DAYS, DRIFT_DAYS, LEAST_SEEN, Confusion
from smartbreed.web.api.similar import Shown, gallery_note, picture_address, shown
from smartbreed.web.components import nav, templates
from smartbreed.web.components.plain import file_address
from smartbreed.web.pages.statistics import view
from smartbreed.web.pages.train.cards import accuracy

#: Number of mix-ups shown with pictures of both breeds.
_PICTURED = 6
#: Maximum number of gallery pictures that show a mix-up itself.
_EACH = 3
_FRESH = {"Cache-Control": "no-store"}


class StatisticsPages:
    """The handlers of the page and its tables; thread-safe.

    Args:
        services: provides the model and the record of its answers.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        """Return the routes of the page and its tables."""
        return [Route("/statistics", self.index), Route("/statistics/{name}", self.table)]

    def index(self, request: Request) -> Response:
        """Return the page; only maintainers get the figures that are reserved for them."""
        services = self._services
        try:
            report = feedback_loop.statistics(services)
            own = feedback_loop.statistics_for_maintainers(services) if self._maintains(request) else None
        except SmartBreedError as error:
            return self._page(request, error.status, problem=error.message)
        matrix = view.matrix(report)
        want = view.asked(request.query_params, matrix.families if matrix else ())
        mixed = view.mixed_up(report, want)
        today = dt.datetime.now(dt.UTC).date()
        return self._page(
            request, problem="", report=report, own=own, want=want, matrix=matrix, columns=view.COLUMNS,
            breeds=view.breeds(report, services.breed_book, want), shown=view.SHOWN, change=view.change_of,
            mixed=mixed, pictures=self._pictures(mixed), mistakes=self._mistakes(mixed),
            gallery_note=gallery_note(services, request), troubles=view.TROUBLES,
            days=view.day_bars(report.use, today),
            drift_bars=view.drift_bars, lines=view.growth_lines(report.growth), days_listed=DAYS,
            drift_days=DRIFT_DAYS, least=LEAST_SEEN, least_days=LEAST_DAYS,
            shifts=view.shifts(own.mix, own.names) if own else [],
            chart=Markup(accuracy(feedback_loop.releases(services))),
        )  # fmt: skip

    def table(self, request: Request) -> Response:
        """Return the numbers behind a chart as CSV."""
        name = request.path_params["name"].removesuffix(".csv")
        plain = "text/plain"
        if name not in csv_tables.PUBLIC and name not in csv_tables.MAINTAINERS:
            return Response("There is no such table.", 404, _FRESH, plain)
        if name in csv_tables.MAINTAINERS and not self._maintains(request):
            return Response("This table is for maintainers; sign in first.", 403, _FRESH, plain)
        try:
            if name in csv_tables.PUBLIC:
                found = csv_tables.PUBLIC[name](feedback_loop.statistics(self._services))
            else:
                own = feedback_loop.statistics_for_maintainers(self._services)
                found = csv_tables.MAINTAINERS[name](own)
        except StorageError as error:
            return Response(error.message, error.status, _FRESH, plain)
        headers = {**_FRESH, "Content-Disposition": f'attachment; filename="smartbreed-{name}.csv"'}
        return Response(csv_tables.csv_text(found), 200, headers, "text/csv; charset=utf-8")

    def _pictures(self, mixed: list[Confusion]) -> dict[str, str]:
        """Return the address of a picture for each breed in the first mix-ups, if the gallery has one."""
        breeds = {breed for one in mixed[:_PICTURED] for breed in (one.breed, one.said)}
        with suppress(StorageError):
            found = {breed: self._services.gallery.of_breed(breed, 1) for breed in breeds}
            return {breed: picture_address(names[0]) for breed, names in found.items() if names}
        return {}

    def _mistakes(self, mixed: list[Confusion]) -> dict[str, list[Shown]]:
        """Return gallery pictures that show the first mix-ups, by the ids of the two breeds."""
        gallery, book = self._services.gallery, self._services.breed_book
        with suppress(StorageError):
            return {
                f"{one.breed} {one.said}": [
                    shown(photo, book) for photo in gallery.answered(_EACH, label=one.breed, said=one.said)
                ]
                for one in mixed[:_PICTURED]
            }
        return {}

    def _maintains(self, request: Request) -> bool:
        return self._services.maintainers.session(request).state == "in"

    def _page(self, request: Request, status: int = 200, **values: Any) -> Response:
        services, who, off = self._services, "", self._services.switches.off
        with suppress(StorageError):
            member = services.members.of(request.headers)
            who = member.shown if member else ""
        header = nav.header("statistics", maintainers=services.maintainers.reachable, account=who, off=off)
        origin = public_origin(services.settings.public_url) or f"{request.url.scheme}://{request.url.netloc}"
        text = templates.render(
            "statistics.html",
            key="statistics",
            header=Markup(header),
            footer=Markup(nav.footer(off=off, here=f"{nav.root()}statistics")),
            root=nav.root(),
            address=nav.breed,
            comparison=nav.comparison,
            file=file_address,
            site=services.introduction[0] or "SmartBreed",
            title=gettext("Statistics"),
            about=gettext("How well this model works: measured on test pictures, and in use."),
            url=f"{origin}{nav.root()}statistics",
            status=status,
            **values,
        )
        return HTMLResponse(text, status, _FRESH)
