"""An ASGI application in front of the embedded Hub that answers badly on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """What goes wrong.

    Attributes:
        what: ``dead`` (the connection breaks), ``hang``, or a status to answer.
        part: only requests whose address has this in it.
        times: how often; None: always.
        after: whether the Hub does what was asked first, and only its answer is lost.
        headers: of the answer.
    """

    what: str | int
    part: str = ""
    times: int | None = None
    after: bool = False
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    seen: int = 0


class Faults:
    """Wraps an application; `fault` is None while all is well."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.fault: Fault | None = None
        self.before: Callable[[str], None] | None = None
        self.requests: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["raw_path"].decode()
        self.requests.append(f"{scope['method']} {path}")
        if self.before is not None:
            self.before(path)
        fault = self.fault
        if fault is None or fault.part not in path or not scope["method"].startswith(fault.method):
            await self.app(scope, receive, send)
            return
        if fault.times is not None and fault.seen >= fault.times:
            await self.app(scope, receive, send)
            return
        fault.seen += 1
        if fault.after:

            async def lose(message: Any) -> None:
                pass

            await self.app(scope, receive, lose)
        if fault.what == "dead":
            raise ConnectionResetError("gone")
        if fault.what == "hang":
            await asyncio.sleep(600)
        headers = [(key.lower().encode(), value.encode()) for key, value in fault.headers.items()]
        await send({"type": "http.response.start", "status": fault.what, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"error": "made up"}'})
