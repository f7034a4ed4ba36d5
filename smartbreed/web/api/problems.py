"""Turn what gradio's routes raise on bad input into a status and the app's error JSON, without a traceback.

gradio looks up names and numbers of a request without checking them. In a dozen routes, a wrong one ends in a
``KeyError``: a 500, and a traceback in the log. The app's own code does not get here: endpoints, page events
and REST routes turn what they raise into messages themselves.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from smartbreed.core.errors import SmartBreedError

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: What code raises if it uses a wrong name, number, type or path without checking it.
_OF_INPUT = (LookupError, TypeError, ValueError, AttributeError, AssertionError, RecursionError, OSError)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HANDLED = "smartbreed.handled"
_CODES = {404: "no_such_page", 405: "method_not_allowed"}
#: Direct calls of an endpoint. gradio answers any error in them with 500.
_CALLED = re.compile(r"/gradio_api/(run|api)/")


def handlers() -> dict[Any, Any]:
    """Return the handlers for FastAPI's ``exception_handlers``."""
    return {
        SmartBreedError: _ours,
        ClientDisconnect: _gone,
        HTTPException: _http,
        RequestValidationError: _invalid,
        Exception: _unexpected,
    }


def answered(request: Request) -> None:
    """Mark the exception of a request as answered and logged, because Starlette will raise it once more."""
    request.scope.get(_HANDLED, []).append(True)


class Problems:
    """ASGI middleware that completes `handlers`.

    Starlette raises an exception once more after a handler of `Exception` has answered it, for the server to
    log; this middleware stops it. gradio answers a wrong argument with 500; this middleware makes it 422.
    """

    def __init__(self, app: Asgi) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _CONTROL.search(
            scope["path"]
        ):  # no route has such an address, and libraries would raise on it much later
            message = "There is nothing here."
            await _problem(404, "no_such_page", message, message)(scope, receive, send)
            return
        called = scope["method"] == "POST" and _CALLED.match(scope["path"])
        handled = scope[_HANDLED] = []  # a list, because middleware further in copies the scope
        started = complete = False

        async def relay(message: Message) -> None:
            nonlocal started, complete
            started = True
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, _of_caller(relay) if called else relay)
        except Exception:
            if not handled:
                raise
            if started and not complete:
                await send({"type": "http.response.body", "body": b"", "more_body": False})


def _of_caller(send: Send) -> Send:
    """Wrap ``send``: answer 422 instead of 500 if the endpoint reported what is wrong with the request."""
    held: list[Message] = []

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            held.append(message)
            return
        if held and message["type"] == "http.response.body":
            start = held.pop()
            try:
                code = json.loads(message.get("body", b""))["title"]
                start["status"] = 500 if code in ("internal", "Error") else 422
            except (ValueError, LookupError, TypeError):
                pass  # not the endpoint's answer
            await send(start)
        await send(message)

    return answer


def _problem(status: int, code: str, message: str, detail: Any, headers: Any = None) -> Response:
    # FastAPI's own field `detail` stays, because gradio's clients show it.
    content = {"detail": detail, "error": {"code": code, "message": message}}
    return JSONResponse(content, status, headers)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, SmartBreedError)
    return _problem(error.status, error.code, error.message, error.message)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # the client has gone


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, detail = error.status_code, error.detail
    if status in (204, 304):
        return Response(status_code=status, headers=error.headers)
    code = _CODES.get(status, "bad_request" if status < 500 else "internal")
    return _problem(status, code, str(detail), detail, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Leave out the received values: they may be as long as a photo, or not fit JSON (infinity, surrogates).
    found = [
        {"type": one["type"], "loc": [str(part)[:100] for part in one["loc"]], "msg": one["msg"][:300]}
        for one in error.errors()[:10]
    ]
    return _problem(422, "bad_request", "The request does not have the form that this route takes.", found)


async def _unexpected(request: Request, error: Exception) -> Response:
    answered(request)
    route = getattr(
        request.scope.get("route"), "path", "a route"
    )  # never the path itself: it may name a file
    # gradio rejects an event stream of an unknown job or session only after the response began.
    refused = isinstance(error.__cause__, (HTTPException, SmartBreedError))
    if refused or isinstance(error, _OF_INPUT):
        log.warning("%s %s refused: %s", request.method, route, type(error).__name__)
        message = "This request cannot be used: a name, a number or a type in it is wrong."
        return _problem(400, "bad_request", message, message)
    log.error("unexpected %s at %s", type(error).__name__, route, exc_info=error)
    message = "Something went wrong on our side. Please try again."
    return _problem(500, "internal", message, message)
