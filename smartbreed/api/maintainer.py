"""Signing in and out as a maintainer: two routes that set and clear a cookie.

A Gradio event cannot set a cookie that scripts must not read, so the form of the pages
posts here and then loads its page again.
"""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from smartbreed.errors import MaintainerError, SmartBreedError
from smartbreed.maintainer import cookie_header, same_site
from smartbreed.services import Services, explain_failure

#: Longest body read, in bytes.
_LONGEST = 4096


def build_maintainer_router(services: Services) -> APIRouter:
    """``POST /maintainer/enter`` with ``{"password": …}``, and ``POST /maintainer/leave``."""
    router = APIRouter(prefix="/maintainer")

    async def enter(request: Request) -> Response:
        try:
            _check_site(request)
            caller = request.client.host if request.client else ""
            # It takes its time, in a thread, so that nobody else's request waits.
            value = await run_in_threadpool(services.maintainers.enter, await _password(request), caller)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return _failed(explain_failure(error))
        return _with_cookie(request, value)

    async def leave(request: Request) -> Response:
        try:
            _check_site(request)
        except MaintainerError as error:
            return _failed(error)
        return _with_cookie(request, "")

    router.add_api_route("/enter", enter, methods=["POST"], include_in_schema=False)
    router.add_api_route("/leave", leave, methods=["POST"], include_in_schema=False)
    return router


def _check_site(request: Request) -> None:
    if not same_site(request.headers):
        raise MaintainerError("closed", "This request came from another website and was not carried out.")


async def _password(request: Request) -> str:
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


def _with_cookie(request: Request, value: str) -> Response:
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    return Response(status_code=204, headers={"Set-Cookie": cookie_header(value, secure=secure)})


def _failed(error: SmartBreedError) -> Response:
    return JSONResponse({"error": error.as_dict()}, error.status)
