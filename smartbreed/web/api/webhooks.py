"""``POST /api/webhooks/model`` and ``…/dataset``: the Hub says that a repo has changed, so look at once.

Set it up on huggingface.co under Settings → Webhooks with SMARTBREED_WEBHOOK_SECRET as its
secret. What the message says is not believed: it only makes the app look for itself.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from smartbreed.core.errors import SmartBreedError
from smartbreed.services import Services

#: Longest message read, in bytes.
_LONGEST = 100_000


def build_webhook_router(services: Services) -> APIRouter:
    """The routes, to be put before those that answer everything else under ``/api``."""
    router = APIRouter(prefix="/api/webhooks")

    async def model(request: Request) -> Response:
        live = services.model
        return await hear(request, services.settings.webhook_secret, "model", live.source.repo, live.poke)

    async def dataset(request: Request) -> Response:
        settings = services.settings
        return await hear(
            request, settings.webhook_secret, "dataset", settings.dataset, services.triggers.look_soon
        )

    router.add_api_route("/model", model, methods=["POST"], include_in_schema=False)
    router.add_api_route("/dataset", dataset, methods=["POST"], include_in_schema=False)
    return router


async def hear(request: Request, secret: str, kind: str, repo: str, tell: Callable[[], object]) -> Response:
    """Answer a webhook of the Hub.

    Args:
        secret: what ``X-Webhook-Secret`` has to say; empty: nobody is answered.
        kind: type of the repo that matters.
        repo: its id, ``owner/name``; empty: none matters.
        tell: called when it has changed; must not wait.
    """
    if not secret:
        return _refused(
            "webhooks_closed", "Webhooks are not answered: SMARTBREED_WEBHOOK_SECRET is not set.", 403
        )
    given = request.headers.get("x-webhook-secret", "")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        return _refused("wrong_secret", "X-Webhook-Secret is not SMARTBREED_WEBHOOK_SECRET.", 403)
    try:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST:
                return _refused("too_long", f"A webhook has at most {_LONGEST} bytes.", 413)
    except ClientDisconnect:
        return Response(status_code=400)
    changed = _repo_of(body)
    if changed is None:
        return _refused("no_webhook", "This is no message of a Hub's webhook.", 422)
    heard = bool(repo) and changed == (kind, repo)
    if heard:
        tell()
    return JSONResponse({"heard": heard}, 202 if heard else 200)


def _repo_of(body: bytes) -> tuple[str, str] | None:
    """``(type, owner/name)`` of the repo that a message is about."""
    try:
        message: Any = json.loads(body)
        repo = message["repo"]
        return str(repo["type"]), str(repo["name"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _refused(code: str, message: str, status: int) -> Response:
    return JSONResponse({"error": SmartBreedError(code, message).as_dict()}, status)
