"""Plain REST: one ``curl`` away, without an upload first.

Answers are the JSON of the contract with a fitting status: 200, the status of the
photo's error, 422 for an argument that makes no sense.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from smartbreed import __version__
from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError, StorageError
from smartbreed.inference.results import Failure
from smartbreed.services import Services, explain_failure
from smartbreed.web.api import openapi, schemas
from smartbreed.web.api.arguments import check_flag, check_score, check_top_k
from smartbreed.web.api.body import OPTIONS, Body, read_body
from smartbreed.web.api.breeds import breed_list
from smartbreed.web.api.client import client_of
from smartbreed.web.api.docs_page import render
from smartbreed.web.api.flagging import ARGUMENTS, open_photo, receipt_json, said
from smartbreed.web.api.gate import gate_for
from smartbreed.web.api.many import identify_all

#: Longest body that takes a flag back, in bytes.
_LONGEST_RECEIPT = 2_000

Handler = Callable[[Request], Awaitable[Response]]


def build_router(services: Services, *, uploads: Path | None = None) -> APIRouter:
    """The routes under ``/api``.

    Args:
        services: with a model that loads.
        uploads: folder of earlier uploads that a web address in JSON may refer to; None: there are none.
    """
    router = APIRouter(prefix="/api")
    gate = gate_for(services)
    settings = services.settings

    @_answering
    async def identify(request: Request) -> Response:
        """Name the breed of every cat and dog in one photo, or in several."""
        body = await read_body(
            request,
            max_bytes=settings.max_bytes,
            max_photos=settings.max_photos,
            uploads=uploads or Path("/nonexistent"),
        )
        options = _options(request, body)
        if body.several:
            return _json({"results": await identify_all(services, gate, body.photos, options)})
        item = body.photos[0]
        if item.error:
            return _failure(Failure(item.name, item.error))
        answer = await gate.run(services.identify, item.source, name=item.name, **options)
        return _failure(answer) if isinstance(answer, Failure) else _json(answer.as_dict())

    @_answering
    async def flag(request: Request) -> Response:
        """Say whether the model was right about a pet; the photo is kept to train the next model."""
        body = await read_body(
            request,
            max_bytes=settings.max_bytes,
            max_photos=1,
            uploads=uploads or Path("/nonexistent"),
            options=(*OPTIONS, *ARGUMENTS),
        )
        if len(body.photos) != 1:
            raise RequestError("one_photo", f"A flag is about one photo. Received: {len(body.photos)}.")
        sent = {**request.query_params, **body.options}
        options, arguments = _options(request, body), said(sent)
        found = await gate.run(
            open_photo, services, body.photos[0], options["whole"], options["score"], services.identifier
        )
        if isinstance(found, Failure):
            return _failure(found)
        saved = await gate.run(services.flag, *found, **arguments, client=client_of(request))
        return _json(receipt_json(saved))

    @_answering
    async def breeds(request: Request) -> Response:
        """List every breed this model can name."""
        return _json(breed_list(services.identifier.bundle))

    @_answering
    async def withdraw(request: Request) -> Response:
        """Take a flag back with the receipt of its thanks: the photo goes at once."""
        text = bytearray()
        async for chunk in request.stream():
            text += chunk
            if len(text) > _LONGEST_RECEIPT:
                raise RequestError("too_long", "An id and a receipt are short.", status=413)
        try:
            sent = json.loads(text)
            flag_id, receipt = sent["flag_id"], sent["receipt"]
        except (ValueError, TypeError, KeyError, RecursionError):
            flag_id = receipt = None
        if not isinstance(flag_id, str) or not isinstance(receipt, str):
            raise RequestError("bad_request", 'Send JSON like {"flag_id": "…", "receipt": "…"}.')
        await gate.run(services.flags.withdraw_with, flag_id, receipt)
        return _json({"flag_id": flag_id, "withdrawn": True})

    @_answering
    async def health(request: Request) -> Response:
        """Say that the server is up, which model answers, and how many flags wait."""
        flags: dict[str, int] | None = None
        with contextlib.suppress(StorageError):  # identifying needs no database
            flags = {"pending": await gate.run(services.flags.count, "pending")}
        return _json(
            {
                "status": "degraded" if flags is None else "ok",
                "version": __version__,
                "model": services.identifier.bundle.version.as_dict(),
                "flags": flags,
            }
        )

    def description() -> dict[str, Any]:
        return get_openapi(
            title=openapi.TITLE, version=__version__, description=openapi.ABOUT, routes=router.routes
        )

    async def openapi_json(request: Request) -> Response:
        return _json(description())

    async def docs(request: Request) -> Response:
        return HTMLResponse(render(description(), str(request.base_url).rstrip("/")))

    async def elsewhere(request: Request) -> Response:
        path = request.url.path.rstrip("/")
        if path.endswith("/api"):
            return RedirectResponse("/api/docs")
        methods = next((m for route, m in openapi.METHODS.items() if path.endswith(route)), None)
        if methods and request.method not in methods:
            error = SmartBreedError("method_not_allowed", f"Use {' or '.join(methods)} here.", status=405)
            return _json({"error": error.as_dict()}, 405, {"Allow": ", ".join(methods)})
        error = SmartBreedError("no_such_page", "There is nothing here; see /api/docs.", status=404)
        return _json({"error": error.as_dict()}, 404)

    router.add_api_route(
        "/identify", identify, methods=["POST"], response_model=None,
        responses=openapi.IDENTIFY_RESPONSES, openapi_extra=openapi.IDENTIFY,
    )  # fmt: skip
    router.add_api_route(
        "/flag", flag, methods=["POST"], response_model=None,
        responses=openapi.FLAG_RESPONSES, openapi_extra=openapi.FLAG,
    )  # fmt: skip
    router.add_api_route(
        "/breeds", breeds, methods=["GET"], response_model=None,
        responses={200: {"model": list[schemas.Breed]}}, openapi_extra=openapi.BREEDS,
    )  # fmt: skip
    router.add_api_route(
        "/withdraw", withdraw, methods=["POST"], response_model=None,
        responses={404: {"model": schemas.RequestFailure}, 422: {"model": schemas.RequestFailure}},
        openapi_extra=openapi.WITHDRAW,
    )  # fmt: skip
    router.add_api_route(
        "/health", health, methods=["GET"], response_model=None,
        responses={200: {"model": schemas.Health}}, openapi_extra=openapi.HEALTH,
    )  # fmt: skip
    for path, handler in (("/breeds", breeds), ("/health", health)):  # monitors ask with HEAD
        router.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)
    router.add_api_route("/openapi.json", openapi_json, methods=["GET"], include_in_schema=False)
    router.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)
    # Last, or it would take everything; without it Gradio would answer with its page.
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    router.add_api_route("", elsewhere, methods=every, include_in_schema=False)
    router.add_api_route("/{path:path}", elsewhere, methods=every, include_in_schema=False)
    return router


def _options(request: Request, body: Body) -> dict[str, Any]:
    """Checked arguments; what the body says goes before the query."""
    sent = {**request.query_params, **body.options}
    return {
        "whole": check_flag(sent.get("whole"), "whole"),
        "top_k": check_top_k(sent.get("top_k")),
        "score": check_score(sent.get("score")),
    }


def _failure(failure: Failure) -> Response:
    return _json(failure.as_dict(), failure.error.status)


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return Response(content, status, headers, media_type="application/json")


def _answering(handler: Handler) -> Handler:
    """Turn what a handler raises into a status and the error JSON."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)  # the client has gone
        except PhotoError as error:
            return _failure(Failure("", error))
        except Exception as error:
            known = explain_failure(error)
            return _json({"error": known.as_dict()}, known.status)

    return answer
