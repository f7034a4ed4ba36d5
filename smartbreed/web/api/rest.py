"""The plain REST API: one ``curl`` command, without a separate upload.

Answers are JSON as in `smartbreed.web.api.schemas`, with a fitting status: 200, the
status of the photo's error, or 422 for an invalid argument. `rest_app` is a separate
FastAPI app, to which gradio's app passes every address under ``/api`` and ``/maintainer``.
"""

import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi import Path as PathParameter
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from smartbreed import __version__, feedback_loop
from smartbreed.core.errors import (
    MaintainerError,
    PhotoError,
    RequestError,
    SmartBreedError,
    StorageError,
)
from smartbreed.core.telemetry import failed
from smartbreed.inference.results import Failure
from smartbreed.services import Services, explain_failure
from smartbreed.statistics.report import Report
from smartbreed.web.address import below_root
from smartbreed.web.api import schemas
from smartbreed.web.api.access import route_for
from smartbreed.web.api.answers import breed_detail, breed_list, identify_all, save_flag
from smartbreed.web.api.arguments import FlagArguments, IdentifyArguments
from smartbreed.web.api.body import Body, read_body
from smartbreed.web.api.client import client_of
from smartbreed.web.api.docs_page import docs_page
from smartbreed.web.api.gate import gate_for
from smartbreed.web.api.problems import answered

_ABOUT = (
    "Every cat and dog in a photograph, found, cropped and named. A photo that cannot be used is answered "
    'with `{"image": …, "error": {"code", "message"}}` and a fitting status, an invalid request with '
    '`{"error": {"code", "message"}}`. Codes are stable; messages are for people.'
)
#: Longest body of a withdrawal, in bytes.
_LONGEST_RECEIPT = 2_000


class Json(JSONResponse):
    """A JSON response with a space after each colon and comma, which is easier to read."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()


def rest_app(*routers: APIRouter) -> FastAPI:
    """Build an app with ``routers``, their OpenAPI description, and handlers for whatever they raise."""
    failed = dict.fromkeys((SmartBreedError, ClientDisconnect, Exception), _failed)
    handlers: dict[Any, Any] = {**failed, HTTPException: _no_such_route}
    app = FastAPI(
        title="SmartBreed REST API", version=__version__, description=_ABOUT, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None, redirect_slashes=False, exception_handlers=handlers,
    )  # fmt: skip
    for router in routers:
        app.include_router(router)

    @app.get("/api/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi(), below_root(str(request.base_url).rstrip("/"))))

    @app.get("/api", include_in_schema=False)
    @app.get("/api/", include_in_schema=False)
    async def start() -> RedirectResponse:
        return RedirectResponse("/api/docs")

    return app


def photo_router(services: Services, *, uploads: Path = Path("/nonexistent")) -> APIRouter:
    """Build the routes under ``/api`` for what the other interfaces offer too.

    Args:
        services: with a model that can be loaded.
        uploads: folder of earlier uploads; a web address in JSON may refer to one of them.
    """
    router = APIRouter(prefix="/api", default_response_class=Json)
    gate, settings = gate_for(services), services.settings

    def photos(most: int) -> Callable[[Request], Awaitable[Body]]:
        async def read(request: Request) -> Body:
            return await read_body(request, max_bytes=settings.max_bytes, max_photos=most, uploads=uploads)

        return read

    @router.post(
        "/identify",
        summary="Identify the pets of a photo",
        response_model=schemas.Identification | schemas.Several,
        response_model_exclude_unset=True,
        response_description="What is in the photo; for several a list, with an error for each that failed.",
        responses=schemas.PHOTO_FAILURES,
        openapi_extra=schemas.takes_photos(
            IdentifyArguments,
            "curl -F photo=@rex.jpg {base}/api/identify",
            'curl -H "Content-Type: image/jpeg" --data-binary @rex.jpg "{base}/api/identify?top_k=3"',
            "echo '{\"image\": \"'$(base64 -w0 rex.jpg)'\"}' | "
            'curl -H "Content-Type: application/json" --data-binary @- {base}/api/identify',
            "curl -F photos=@rex.jpg -F photos=@tom.jpg {base}/api/identify",
            several=True,
        ),
    )
    async def identify(
        query: Annotated[IdentifyArguments, Query()],
        body: Annotated[Body, Depends(photos(settings.max_photos))],
    ) -> Any:
        """Name the breed of every cat and dog in one photo, or in several."""
        options = body.over(query).model_dump()
        if body.several:
            return {"results": await identify_all(services, gate, body.photos, options, "rest")}
        item = body.photos[0]
        if item.error:
            failed(item.error.code)
            return _failure(Failure(item.name, item.error))
        answer = await gate.run(services.identify, item.source, name=item.name, interface="rest", **options)
        return _failure(answer) if isinstance(answer, Failure) else answer.as_dict()

    @router.post(
        "/flag",
        summary="Say whether the model was right",
        response_model=schemas.Receipt,
        response_description="The flag is saved.",
        responses=schemas.PHOTO_FAILURES,
        openapi_extra=schemas.takes_photos(
            FlagArguments,
            "curl -F photo=@rex.jpg -F pet=1 -F verdict=wrong -F label=Pug -F consent=true {base}/api/flag",
            "curl -F photo=@rex.jpg -F verdict=missed -F box=61,40,402,366 -F species=dog "
            "-F consent=true {base}/api/flag",
        ),
    )
    async def flag(
        request: Request,
        query: Annotated[FlagArguments, Query()],
        body: Annotated[Body, Depends(photos(1))],
    ) -> Any:
        """Say whether the model was right about a pet; the photo is kept to train the next model."""
        if len(body.photos) != 1:
            raise RequestError("one_photo", f"A flag is about one photo. Received: {len(body.photos)}.")
        said, client = body.over(query), client_of(request)
        saved = await gate.run(save_flag, services, body.photos[0], said, client, request.headers)
        return _failure(saved) if isinstance(saved, Failure) else saved

    @router.get(
        "/breeds",
        summary="The breeds this model can name",
        openapi_extra={"x-examples": ["curl {base}/api/breeds"]},
    )
    async def breeds() -> list[schemas.Breed]:
        """List every breed this model can name."""
        return breed_list(services.identifier.bundle)  # type: ignore[return-value]

    @router.get(
        "/breeds/{breed}",
        summary="One breed",
        responses={404: {"model": schemas.RequestFailure, "description": "The model knows no such breed."}},
        openapi_extra={"x-examples": ["curl {base}/api/breeds/border_terrier"]},
    )
    async def breed(
        breed: Annotated[str, PathParameter(description="Its id, name or an alias.")],
    ) -> schemas.BreedDetail:
        """Return the facts of a breed, and how well this model recognises it."""
        found: Any = await gate.run(breed_detail, services.breed_book, breed)
        return found  # type: ignore[no-any-return]

    @router.get(
        "/statistics",
        summary="How well the model works",
        openapi_extra={"x-examples": ["curl {base}/api/statistics"]},
    )
    async def statistics() -> Report:
        """Return the measured accuracy of the model in use, and statistics of its use here."""
        return await gate.run(feedback_loop.statistics, services)

    @router.post(
        "/withdraw",
        summary="Take a flag back",
        responses={404: {"model": schemas.RequestFailure}, 422: {"model": schemas.RequestFailure}},
        openapi_extra=schemas.takes_json(
            schemas.Withdrawal,
            'curl -H "Content-Type: application/json" '
            '-d \'{"flag_id": "…", "receipt": "…"}\' {base}/api/withdraw',
        ),
    )
    async def withdraw(request: Request) -> schemas.Withdrawn:
        """Withdraw a flag with the receipt that was returned for it. The photo is deleted at once."""
        data = await request.body()
        if len(data) > _LONGEST_RECEIPT:
            raise RequestError("too_long", "An id and a receipt are short.", status=413)
        try:
            sent = schemas.Withdrawal.model_validate_json(data)
        except ValidationError:
            raise RequestError("bad_request", 'Send JSON like {"flag_id": "…", "receipt": "…"}.') from None
        await gate.run(services.flags.withdraw_with, sent.flag_id, sent.receipt)
        return schemas.Withdrawn(flag_id=sent.flag_id, withdrawn=True)

    @router.get(
        "/health",
        summary="Whether the server is up",
        openapi_extra={"x-examples": ["curl {base}/api/health"]},
    )
    async def health() -> schemas.Health:
        """Return the status of the server, the model in use, and the number of pending flags."""
        flags = None
        with contextlib.suppress(StorageError):  # identifying needs no database
            flags = schemas.Flags(pending=await gate.run(services.flags.count, "pending"))
        return schemas.Health(
            status="degraded" if flags is None else "ok",
            version=__version__,
            model=schemas.Model(**services.identifier.bundle.version.as_dict()),
            flags=flags,
        )

    return router


def _failure(failure: Failure) -> Response:
    return Json(failure.as_dict(), failure.error.status)


async def _failed(request: Request, error: Exception) -> Response:
    """Turn what a route raised into a status and error JSON, in the response class of the route."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)
    answered(request)
    known = explain_failure(error)
    answer: dict[str, Any] = {"error": known.as_dict()}
    if isinstance(known, PhotoError):
        return _failure(Failure("", known))
    kept = {"Cache-Control": "no-store"} if isinstance(known, MaintainerError) else None
    kind = getattr(request.scope.get("route"), "response_class", Json)
    return getattr(kind, "value", kind)(answer, known.status, kept)


async def _no_such_route(request: Request, error: HTTPException) -> Response:
    route = route_for(request.url.path)
    if error.status_code == 405 and route:
        allowed = route.methods.split()
        wrong = SmartBreedError("method_not_allowed", f"Use {' or '.join(allowed)} here.", status=405)
        return Json({"error": wrong.as_dict()}, 405, {"Allow": ", ".join(allowed)})
    wrong = SmartBreedError("no_such_page", "There is nothing here; see /api/docs.", status=404)
    return Json({"error": wrong.as_dict()}, 404)
