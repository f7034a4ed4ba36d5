"""The server: the pages, the Gradio endpoints, MCP and REST on one port.

It uses ``Blocks.launch`` rather than ``gr.mount_gradio_app`` because only a launched
app checks that a file argument was uploaded by a visitor (gradio's
``processing_utils._check_allowed`` lets every path pass until ``has_launched``).
The REST routes are added to the same FastAPI app and take precedence over Gradio's own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smartbreed.accounts.origin import public_origin
from smartbreed.accounts.secret import check_secret
from smartbreed.core import logs
from smartbreed.core.errors import SettingError, SmartBreedError
from smartbreed.core.native import native_silence, return_freed_memory
from smartbreed.core.private import work_privately
from smartbreed.core.settings import load_settings
from smartbreed.web.address import Address, below_root, check_free, read_address, unusable

if TYPE_CHECKING:  # importing these takes seconds; wrong settings are reported before that
    import gradio as gr

    from smartbreed.core.settings import Settings
    from smartbreed.services import Services
    from smartbreed.web.api.tracing import Tracing
    from smartbreed.web.api.upload_folder import UploadFolder

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Signals that arrived during startup. Imports run many destructors and weakref callbacks, in which Python
#: ignores the handler's SystemExit; startup then continues, and `_Signals.wait` returns at once.
_early: list[int] = []


def main(*, model: str | None = None, host: str | None = None, port: int | None = None) -> int:
    """Run the server until a signal ends it, for ``python app.py`` and ``smartbreed serve``.

    Args:
        model: overrides ``SMARTBREED_MODEL``.
        host: overrides ``GRADIO_SERVER_NAME``.
        port: overrides ``GRADIO_SERVER_PORT``.

    Returns:
        The exit status: 0 after SIGTERM or SIGINT; 128 plus the signal's number if it arrived during startup;
        2 if a setting, the model or the port is unusable, with the reason in one line on stderr.
    """
    _early.clear()
    for number in _SIGNALS:
        signal.signal(number, _leave)
    try:
        settings = load_settings(**({} if model is None else {"model": model}))
        work_privately(settings.home_dir)
        address = read_address(host, port)
        check_secret(settings, address.host)
        check_free(address)
        _prepare(settings)
        from smartbreed.services import Services

        services = Services(settings)
        with native_silence():
            services.identifier  # noqa: B018 - loads the model: a broken one must stop the start
        services.flags  # noqa: B018 - opens the database, so that the first flag is not slow
        serve(services, address)
    except SmartBreedError as error:
        print(f"smartbreed: {error.message}", file=sys.stderr)
        return 2
    return 128 + _early[0] if _early else 0


def serve(services: Services, address: Address, **options: Any) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly.

    Args:
        services: services whose model loads.
        address: where to listen.
        options: arguments of ``Blocks.launch`` that override the defaults.

    Raises:
        SettingError: the server cannot listen on the address.
    """
    from smartbreed.core.periodic import PeriodicTask
    from smartbreed.web.api.tracing import start_tracing
    from smartbreed.web.api.upload_folder import EVERY_S

    with _uploads_folder(), _Signals() as signals:
        started = time.perf_counter()
        services.maintainers.listening_on(address.host)
        services.members.site = below_root(public_origin(services.settings.public_url) or address.url)
        with _without_proxies():
            blocks = build_server(services)
            tracing = start_tracing()
            url = launch(blocks, services, address, tracing, **options)
        sweep = upload_folder(blocks, services.settings).sweep
        uploads = PeriodicTask("uploads", sweep, EVERY_S, at_once=False)
        uploads.start()
        signals.listen()
        log.info(
            "serving on %s (MCP: %sgradio_api/mcp/, REST: %sapi/docs), started in %.1f s",
            url, url, url, time.perf_counter() - started,
        )  # fmt: skip
        services.start()
        signals.wait()
        log.info("stopping")
        services.stop(uploads.stop, lambda: blocks.close(verbose=False))
        if tracing:
            tracing.stop()


class _Signals:
    """Waits for SIGTERM or SIGINT.

    Events and queues are unsuitable because they use a lock: a signal that interrupts the handler of another
    would find the lock taken, and one that arrives just before the main thread sleeps would not wake it.
    Instead, the interpreter writes the signal's number to a socket, at once and from any thread.
    """

    def __enter__(self) -> Self:
        self._read, self._written = socket.socketpair()
        self._written.setblocking(False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._read.close()
        self._written.close()

    def listen(self) -> None:
        """Let signals end `wait` from now on; until then they end the process."""
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)

    def wait(self) -> None:
        """Block until a signal arrives; return at once if one arrived during startup."""
        while not _early and self._read.recv(1)[0] not in _SIGNALS:
            pass


def build_server(services: Services) -> gr.Blocks:
    """Build the pages and the named endpoints for `launch`; until then ``app`` is None."""
    from smartbreed.web.api.endpoints import add_endpoints
    from smartbreed.web.blocks import build_app

    with _no_apps():
        blocks = build_app(services)
        with blocks:
            add_endpoints(services)
    return blocks


@contextlib.contextmanager
def _no_apps() -> Iterator[None]:
    """Keep gradio from creating FastAPI apps while the pages are built.

    It would create one at the end of each page and one for the queue, each with all routes, which takes more
    than half of the build time. None of them would ever serve: ``Blocks.launch`` creates the one that does.
    """
    from gradio.routes import App

    made = App.__dict__["create_app"]
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[assignment]
    try:
        yield
    finally:
        App.create_app = made


def launch(
    blocks: gr.Blocks, services: Services, address: Address, tracing: Tracing | None = None, **options: Any
) -> str:
    """Start serving in a thread.

    Returns:
        The URL to open, with a trailing slash.

    Raises:
        SettingError: the server cannot listen on the address, or gradio lacks its ``mcp`` extra.
    """
    from starlette.middleware import Middleware

    from smartbreed.web.api.mcp import answer_in_json
    from smartbreed.web.api.middleware import build_middleware, hide_version, inner_middleware
    from smartbreed.web.api.problems import handlers
    from smartbreed.web.api.serving import serving
    from smartbreed.web.api.sessions import CAPACITY, bound_sessions
    from smartbreed.web.api.uploads import check_uploads
    from smartbreed.web.blocks import launch_options, page_script
    from smartbreed.web.pages.switched_off import SwitchedOff

    settings = services.settings
    check_uploads(upload_folder(blocks, settings), max_photos=settings.max_photos)
    bound_sessions()
    arguments: dict[str, Any] = {
        **launch_options(settings),
        "server_name": address.host,
        "server_port": address.port,
        # A photo slightly over the limit is still received, so that it gets the same error as elsewhere.
        "max_file_size": 2 * settings.max_bytes,
        "state_session_capacity": CAPACITY,
        "app_kwargs": {
            "exception_handlers": handlers(),
            "routes": build_routes(services),
            "middleware": [*inner_middleware(services, page_script()), Middleware(SwitchedOff, services)],
        },
        "mcp_server": True,
        "enable_monitoring": False,
        "share": False,
        "quiet": True,
        "prevent_thread_lock": True,
        **options,
    }
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),  # stdout is for data; `serve` logs the URL
            serving(
                build_middleware(services, tracing),
                max_connections=settings.max_connections,
                trusted_proxies=settings.proxies,
            ),
        ):
            _, url, _ = blocks.launch(**arguments)
    except OSError as error:
        raise unusable(address, error) from None
    if blocks.mcp_server_obj is None:
        raise SettingError("The MCP server cannot start; install gradio with its extra: gradio[mcp].")
    answer_in_json(blocks.mcp_server_obj)
    hide_version(blocks)
    return str(url)


@contextlib.contextmanager
def _without_proxies() -> Iterator[None]:
    """Unset the proxy and certificate variables while gradio is imported and launched.

    Gradio requests its own URL to check that it answers, which needs no proxy. It could not create the HTTP
    clients for this if a variable named an unusable proxy or a missing certificate.
    """
    names = [f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL")]
    names = [*names, *map(str.lower, names), "SSL_CERT_FILE", "SSL_CERT_DIR"]
    kept = {name: value for name in names if (value := os.environ.pop(name, None)) is not None}
    try:
        yield
    finally:
        os.environ.update(kept)


def build_routes(services: Services) -> list[Any]:
    """Return the app's own routes, which take precedence over gradio's."""
    from gradio.utils import get_upload_folder
    from starlette.routing import Route

    from smartbreed.web.api.rest import photo_router, rest_app
    from smartbreed.web.api.sign_in import build_maintainer_router
    from smartbreed.web.api.similar import similar_routes
    from smartbreed.web.api.watching import watching_routes
    from smartbreed.web.api.webhooks import build_webhook_router
    from smartbreed.web.components.plain import manifest, service_worker
    from smartbreed.web.pages.account.page import account_app
    from smartbreed.web.pages.admin.page import admin_app
    from smartbreed.web.pages.breeds.page import BreedPages
    from smartbreed.web.pages.contact.page import contact_app
    from smartbreed.web.pages.info.page import info_app
    from smartbreed.web.pages.offline.page import offline_app
    from smartbreed.web.pages.quiz.page import quiz_app
    from smartbreed.web.pages.statistics.page import StatisticsPages
    from smartbreed.web.pages.teach.page import served_app, teach_app

    app = rest_app(
        photo_router(services, uploads=Path(get_upload_folder())),
        build_webhook_router(services),
        build_maintainer_router(services),
    )
    # Routes, not mounts: a mount would strip the first segment of the path.
    own = dict.fromkeys(("/api", "/api/{path:path}", "/maintainer/{path:path}"), app)
    own |= dict.fromkeys(("/account", "/account/{path:path}"), account_app(services))
    own |= dict.fromkeys(("/offline", "/offline/{path:path}"), offline_app(services))
    own |= dict.fromkeys(("/quiz", "/quiz/{path:path}"), quiz_app(services))
    own |= dict.fromkeys(("/about", "/privacy", "/terms"), info_app(services))
    own |= dict.fromkeys(("/admin", "/admin/{path:path}"), admin_app(services))
    own["/contact"] = contact_app(services)
    own |= dict.fromkeys(("/teach", "/teach/{path:path}"), teach_app(services))
    own |= {"/m/{path:path}": served_app(services)}
    routes = [Route(path, one) for path, one in own.items()]
    installed = [
        Route("/manifest.json", partial(manifest, services)), Route("/service-worker.js", service_worker)
    ]  # fmt: skip
    pages = [*installed, *BreedPages(services).routes(), *StatisticsPages(services).routes()]
    return [*routes, *pages, *similar_routes(services), *watching_routes(services)]


def upload_folder(blocks: gr.Blocks, settings: Settings) -> UploadFolder:
    """Return the folder in which gradio stores uploads and the pictures of answers."""
    from gradio.utils import get_upload_folder

    from smartbreed.web.api.upload_folder import UploadFolder

    def shown() -> set[str]:
        kept: set[str] = set()
        for component in list(blocks.blocks.values()):
            kept |= set(getattr(component, "keep_in_cache", ()))
        return kept

    return UploadFolder(
        Path(get_upload_folder()), settings.max_uploads, shown, lambda: list(blocks.temp_file_sets)
    )


def _leave(number: int, frame: object) -> None:
    """Handle a signal during startup: exit at once."""
    _early.append(number)
    raise SystemExit(128 + number)


def _prepare(settings: Settings) -> None:
    """Set up what must be in place before gradio is imported."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # After each event gradio summarises the last 10,000 for its monitoring page, which is disabled here.
    # One event whose session name was not valid text made the summary fail for every later event.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return_freed_memory()
    logs.set_up(settings.log_format, settings.log_level)


@contextlib.contextmanager
def _uploads_folder() -> Iterator[None]:
    """Store uploads in a private folder that is deleted at exit, unless ``GRADIO_TEMP_DIR`` is set."""
    if os.environ.get("GRADIO_TEMP_DIR"):
        yield
        return
    folder = tempfile.mkdtemp(prefix="smartbreed-")
    os.environ["GRADIO_TEMP_DIR"] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
