"""Addresses of every page, from the app's own table: what is asked of pages is asked of each."""

from __future__ import annotations

from smartbreed.web.api.access import ROUTES, Route

#: Every row that is answered with a page.
PAGES: tuple[Route, ...] = tuple(
    route for route in ROUTES if "GET" in route.methods and route.what.startswith("page: ")
)
#: One address of each page that any visitor may open, without the slash it begins with.
FOR_VISITORS = (
    *(route.path[1:] for route in PAGES if route.who == "visitor" and "{" not in route.path),
    "breeds/pug", "breeds/compare?a=pug&b=beagle", "account/receipt/none", "m/none",
)  # fmt: skip
