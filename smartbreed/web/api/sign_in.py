"""Signing in and out as a maintainer, and the token that our own pages send with what they do.

A Gradio event cannot set a cookie that scripts must not read, so the form of the pages
posts here and then loads its page again.
"""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from smartbreed.accounts.maintainer_cookies import cookie_header, device_header
from smartbreed.accounts.maintainers import OTHER_SITE
from smartbreed.accounts.origin import from_other_site, over_https, public_origin
from smartbreed.core.errors import MaintainerError, SmartBreedError
from smartbreed.core.settings import Settings
from smartbreed.services import Services, explain_failure

#: Longest body read, in bytes.
_LONGEST = 4096
_NOT_KEPT = {"Cache-Control": "no-store"}


def build_maintainer_router(services: Services) -> APIRouter:
    """The routes under ``/maintainer``.

    ``POST enter`` with ``{"password": …}``; ``GET token`` for a page of a signed-in browser; ``POST
    leave`` with that token in ``X-SmartBreed-Token``.
    """
    router = APIRouter(prefix="/maintainer")
    maintainers, settings = services.maintainers, services.settings

    async def enter(request: Request) -> Response:
        try:
            if from_other_site(request.headers, public_origin(settings.public_url)):
                raise MaintainerError("closed", OTHER_SITE)
            caller = request.client.host if request.client else ""
            password, device = await _password(request), maintainers.device_of(request)
            # It takes its time, in a thread, so that no other request waits.
            value = await run_in_threadpool(maintainers.enter, password, caller, device)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return _failed(explain_failure(error))
        secure = _secure(request, settings)
        answer = _with_cookie(value, secure)
        if not device:
            answer.headers.append("Set-Cookie", device_header(maintainers.new_device(), secure=secure))
        return answer

    async def token(request: Request) -> Response:
        entry = await run_in_threadpool(maintainers.session, request)
        if entry.state != "in":
            code, status = ("sign_in", 401) if entry.state == "login" else ("closed", 403)
            return _failed(MaintainerError(code, entry.why, status=status))
        return JSONResponse({"token": maintainers.token(entry.session)}, headers=_NOT_KEPT)

    async def leave(request: Request) -> Response:
        try:
            await run_in_threadpool(maintainers.leave, request)
        except Exception as error:
            return _failed(explain_failure(error))
        return _with_cookie("", _secure(request, settings))

    router.add_api_route("/enter", enter, methods=["POST"], include_in_schema=False)
    router.add_api_route("/token", token, methods=["GET"], include_in_schema=False)
    router.add_api_route("/leave", leave, methods=["POST"], include_in_schema=False)
    return router


async def _password(request: Request) -> str:
    # A form of another website cannot send this kind without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise MaintainerError("wrong_password", 'Send {"password": "…"} as application/json.', status=422)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            body = b""  # no password; the rest of it is not read
            break
    try:
        password = json.loads(body)["password"]
    except (ValueError, TypeError, KeyError):
        password = None
    if not isinstance(password, str):
        raise MaintainerError("wrong_password", 'Send {"password": "…"} as JSON.', status=422)
    return password


def _secure(request: Request, settings: Settings) -> bool:
    return over_https(request.url.scheme, request.headers, public_origin(settings.public_url))


def _with_cookie(value: str, secure: bool) -> Response:
    return Response(status_code=204, headers={"Set-Cookie": cookie_header(value, secure=secure), **_NOT_KEPT})


def _failed(error: SmartBreedError) -> Response:
    return JSONResponse({"error": error.as_dict()}, error.status, headers=_NOT_KEPT)
