"""``/healthz``, ``/readyz`` and ``/metrics``: for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import hmac
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from smartbreed.accounts.origin import host_name, is_loopback, passed_on
from smartbreed.health import Readiness
from smartbreed.services import Services
from smartbreed.web.api.client import client_of
from smartbreed.web.api.metrics import REGISTRY, AppCollector, listen

_FRESH = {"Cache-Control": "no-store"}
_CLOSED = (
    "Metrics are open to this machine, and elsewhere with the header Authorization: Bearer and "
    "SMARTBREED_METRICS_TOKEN."
)


def watching_routes(services: Services) -> list[Route]:
    """Build the routes, and start counting the metrics of this process."""
    listen()
    readiness = Readiness(services)
    collectors: list[CollectorRegistry] = []

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_FRESH)

    def readyz(request: Request) -> Response:
        missing = readiness.missing()
        said = {"status": "missing" if missing else "ready", "missing": missing}
        return JSONResponse(said, 503 if missing else 200, _FRESH)

    def metrics(request: Request) -> Response:
        if not may_scrape(request, services.settings.metrics_token):
            return JSONResponse({"error": {"code": "closed", "message": _CLOSED}}, 403, _FRESH)
        if not collectors:
            own = CollectorRegistry()
            own.register(AppCollector(services, readiness, _queue_of(request.app)))
            collectors.append(own)
        body = b"".join(generate_latest(registry) for registry in (REGISTRY, *collectors))
        return Response(body, headers={**_FRESH, "Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def may_scrape(request: Request, token: str) -> bool:
    """True if a request may read the metrics: it comes from this machine without a proxy, or has the token.

    Args:
        token: ``SMARTBREED_METRICS_TOKEN``; if empty, only this machine may.
    """
    headers = request.headers
    kind, _, given = headers.get("authorization", "").partition(" ")
    if token and kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    # Any other Host means a proxy, or a web page whose name resolves to this machine (DNS rebinding).
    here = is_loopback(client_of(request)) and is_loopback(host_name(headers.get("host", "")))
    return here and not passed_on(headers)


def _queue_of(app: Any) -> Any:
    return app.get_blocks()._queue
