"""``POST /api/webhooks/model`` and ``…/dataset``: the Hub reports a changed repo, so the app checks it now.

Set it up on huggingface.co under Settings → Webhooks, with SMARTBREED_WEBHOOK_SECRET as its
secret. The content of the message is not trusted: it only makes the app check the repo itself.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from smartbreed.core.errors import RequestError
from smartbreed.services import Services
from smartbreed.web.api.schemas import RequestFailure, takes_json

#: Longest message read, in bytes.
_LONGEST = 100_000
_OF_A_HUB: dict[str, Any] = {
    "response_model": dict[str, bool],
    "responses": {
        202: {"description": "The message is about the repo in use here, which is checked now."},
        403: {"model": RequestFailure},
    },
    "openapi_extra": takes_json(None),
}


def build_webhook_router(services: Services) -> APIRouter:
    """Build the routes. Register them before the routes that answer everything else under ``/api``."""
    router = APIRouter(prefix="/api/webhooks")

    @router.post("/model", summary="A model repo has changed", **_OF_A_HUB)
    async def model(request: Request) -> Response:
        """Look for a newer model."""
        live = services.model
        return await hear(request, services.settings.webhook_secret, "model", live.source.repo, live.poke)

    @router.post("/dataset", summary="A dataset repo has changed", **_OF_A_HUB)
    async def dataset(request: Request) -> Response:
        """Look for newly accepted photos."""
        settings = services.settings
        return await hear(
            request, settings.webhook_secret, "dataset", settings.dataset, services.triggers.check_soon
        )

    return router


async def hear(request: Request, secret: str, kind: str, repo: str, tell: Callable[[], object]) -> Response:
    """Answer a webhook of the Hub.

    Args:
        request: of the Hub.
        secret: required value of ``X-Webhook-Secret``; if empty, every webhook is refused.
        kind: type of the repo to react to.
        repo: its id, ``owner/name``; if empty, no repo.
        tell: called if this repo has changed; must not block.

    Raises:
        RequestError: the message is refused: no or a wrong secret, too long, or not a webhook's message.
    """
    if not secret:
        message = "Webhooks are not answered: SMARTBREED_WEBHOOK_SECRET is not set."
        raise RequestError("webhooks_closed", message, status=403)
    given = request.headers.get("x-webhook-secret", "")
    if not hmac.compare_digest(given.encode(), secret.encode()):
        message = "X-Webhook-Secret is not SMARTBREED_WEBHOOK_SECRET."
        raise RequestError("wrong_secret", message, status=403)
    body = await request.body()
    if len(body) > _LONGEST:
        raise RequestError("too_long", f"A webhook has at most {_LONGEST} bytes.", status=413)
    changed = _repo_of(body)
    if changed is None:
        raise RequestError("no_webhook", "This is no message of a Hub's webhook.")
    heard = bool(repo) and changed == (kind, repo)
    if heard:
        tell()
    return JSONResponse({"heard": heard}, 202 if heard else 200)


def _repo_of(body: bytes) -> tuple[str, str] | None:
    """Return ``(type, owner/name)`` of the repo that a message is about; None if the message is invalid."""
    try:
        message: Any = json.loads(body)
        repo = message["repo"]
        return str(repo["type"]), str(repo["name"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
