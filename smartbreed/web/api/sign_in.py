"""Maintainers' sign-in and sign-out, and the token that the app's pages send with every change.

A Gradio event cannot set a cookie that scripts must not read. The sign-in form therefore
posts here, and then reloads its page.
"""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from smartbreed.accounts.maintainer_sessions import cookie_header, device_header
from smartbreed.accounts.maintainers import OTHER_SITE
from smartbreed.accounts.origin import from_other_site, over_https, public_origin
from smartbreed.core.errors import MaintainerError
from smartbreed.core.settings import Settings
from smartbreed.services import Services
from smartbreed.web.api.client import client_of
from smartbreed.web.api.schemas import RequestFailure, takes_json

#: Longest body read, in bytes.
_LONGEST = 4096
_NOT_KEPT = {"Cache-Control": "no-store"}


def build_maintainer_router(services: Services) -> APIRouter:
    """Build the routes under ``/maintainer``."""
    router = APIRouter(prefix="/maintainer")
    maintainers, settings = services.maintainers, services.settings

    @router.post(
        "/enter",
        summary="Sign in as a maintainer",
        status_code=204,
        responses={403: {"model": RequestFailure}, 422: {"model": RequestFailure}},
        openapi_extra=takes_json(None),
    )
    async def enter(request: Request) -> Response:
        """Sign in with the password; the answer sets the session cookie."""
        if from_other_site(request.headers, public_origin(settings.public_url)):
            raise MaintainerError("closed", OTHER_SITE)
        password, device = await _password(request), maintainers.device_of(request)
        # Slow on purpose, and longer after failures; in a thread, so that no other request waits.
        value = await run_in_threadpool(maintainers.log_in, password, client_of(request), device)
        secure = _secure(request, settings)
        answer = _with_cookie(value, secure)
        if not device:
            answer.headers.append("Set-Cookie", device_header(maintainers.new_device(), secure=secure))
        return answer

    @router.get("/token", summary="The token of your session", response_model=dict[str, str])
    def token(request: Request) -> Response:
        """Return the token that every change on a page for maintainers sends in ``X-SmartBreed-Token``."""
        auth = maintainers.session(request)
        if auth.state != "in":
            code, status = ("sign_in", 401) if auth.state == "login" else ("closed", 403)
            raise MaintainerError(code, auth.why, status=status)
        return JSONResponse({"token": maintainers.token(auth.session)}, headers=_NOT_KEPT)

    @router.post("/leave", summary="Sign out", status_code=204)
    def leave(request: Request) -> Response:
        """End the session. Its token must be in ``X-SmartBreed-Token``."""
        maintainers.log_out(request)
        return _with_cookie("", _secure(request, settings))

    return router


async def _password(request: Request) -> str:
    # A page of another website cannot send JSON without a CORS preflight.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise MaintainerError("wrong_password", 'Send {"password": "…"} as application/json.', status=422)
    body = await request.body()
    try:
        password = json.loads(body)["password"] if len(body) <= _LONGEST else None
    except (ValueError, TypeError, KeyError):
        password = None
    if not isinstance(password, str):
        raise MaintainerError("wrong_password", 'Send {"password": "…"} as JSON.', status=422)
    return password


def _secure(request: Request, settings: Settings) -> bool:
    return over_https(request.url.scheme, request.headers, public_origin(settings.public_url))


def _with_cookie(value: str, secure: bool) -> Response:
    return Response(status_code=204, headers={"Set-Cookie": cookie_header(value, secure=secure), **_NOT_KEPT})
