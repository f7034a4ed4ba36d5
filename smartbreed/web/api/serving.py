"""Start gradio's server with time-outs, a limit on connections, and middleware around the app.

``Blocks.launch`` makes its uvicorn server in ``gradio.http_server.start_server`` with default options, which
have no time-out for a half-sent request and no limit on connections. `serving` replaces that function by
one that sets both, and wraps the app in middleware that runs before gradio's own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import uvicorn
from gradio import http_server
from starlette.middleware import Middleware
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds within which the head of a request must arrive, from the connection or from its first byte on.
HEADER_S = 15.0
#: Seconds that an answer waits for a client that reads nothing, until the connection is closed.
WRITE_S = 60.0
#: Seconds that a connection stays open between two requests.
KEEP_ALIVE_S = 5
#: Longest head of a request, in bytes.
_MAX_HEAD = 64 * 1024


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also closes connections that stall.

    uvicorn only has a time-out between two requests. A connection that sends half a head, or
    never reads its answer, would stay open for ever.
    """

    header_s = HEADER_S
    write_s = WRITE_S

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(self.header_s, self._give_up_on_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_flight:
            self._stop_head_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.header_s, self._give_up_on_head)

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_timers()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_flight:  # a pipelined request has begun
            self._stop_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    @property
    def _in_flight(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _give_up_on_head(self) -> None:
        self._head_timer = None
        if not self._in_flight:
            self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _stop_timers(self) -> None:
        self._stop_head_timer()
        self._stop_write_timer()


def wrapped(app: Any, middleware: Sequence[Middleware]) -> Any:
    """Return ``app`` wrapped in ``middleware``, the first of which is outermost."""
    for one in reversed(middleware):
        app = one.cls(app, *one.args, **one.kwargs)
    return app


@contextlib.contextmanager
def serving(
    middleware: Sequence[Middleware], *, max_connections: int, trusted_proxies: str = ""
) -> Iterator[None]:
    """Make ``Blocks.launch`` start a server with limits while the block runs.

    Args:
        middleware: pure ASGI middleware to wrap gradio's app in, outermost first.
        max_connections: connections and requests beyond this number are answered with 503.
        trusted_proxies: comma-separated addresses and networks whose ``X-Forwarded-For`` is trusted.
            By default uvicorn would trust this machine and FORWARDED_ALLOW_IPS.
    """

    def start_server(
        app: Any,
        server_name: str | None = None,
        server_port: int | None = None,
        ssl_keyfile: str | None = None,
        ssl_certfile: str | None = None,
        ssl_keyfile_password: str | None = None,
    ) -> tuple[str, int, str, Any]:
        host = server_name or http_server.LOCALHOST_NAME
        port = server_port or http_server.INITIAL_PORT_VALUE
        config = uvicorn.Config(
            app=wrapped(app, middleware),
            host=host.strip("[]"),
            port=port,
            # uvicorn logs like the rest of the app, but not requests: those lines hold addresses, and
            # `Observing` writes its own.
            log_config=None,
            log_level="warning",
            access_log=False,
            http=TimedProtocol,
            ws="none",
            limit_concurrency=max_connections,
            server_header=False,
            forwarded_allow_ips=trusted_proxies,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=_MAX_HEAD,
            ssl_keyfile=ssl_keyfile,
            ssl_certfile=ssl_certfile,
            ssl_keyfile_password=ssl_keyfile_password,
        )
        server = http_server.Server(config=config)
        try:
            server.run_in_thread()
        except http_server.ServerFailedToStartError as error:
            raise OSError(str(error)) from error
        scheme = "http" if ssl_keyfile is None else "https"
        shown = "localhost" if host == "0.0.0.0" else host
        return host, port, f"{scheme}://{shown}:{port}/", server

    usual = http_server.start_server
    http_server.start_server = start_server
    try:
        yield
    finally:
        http_server.start_server = usual
