"""Serve a store on a port: until interrupted, or in a thread while a block runs.

``huggingface_hub`` reads its environment once, when it is imported. Set `environment` before that,
in this process or for a child process, and every tool built on it uses this Hub:

    serve(HubStore(folder), port=7870)      # elsewhere: HF_ENDPOINT=http://127.0.0.1:7870
"""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from localhub.access import Access, read_tokens
from localhub.errors import SettingError
from localhub.server import HubApp
from localhub.store import HubStore
from localhub.webhooks import Notifier, Webhook

if TYPE_CHECKING:
    import uvicorn

#: The default port.
DEFAULT_PORT = 7870


def environment(endpoint: str, token: str = "") -> dict[str, str]:
    """Return the variables that make every Hugging Face tool of a process use an embedded Hub.

    Uploads by xet must be switched off, because the client does not ask whether the server supports it.
    """
    variables = {"HF_ENDPOINT": endpoint.rstrip("/"), "HF_HUB_DISABLE_XET": "1"}
    return variables | {"HF_TOKEN": token} if token else variables


def serve_folder(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    token_file: Path | None = None,
    anonymous: bool = True,
    webhooks: Sequence[str] = (),
    webhook_secret: str = "",
) -> None:
    """Serve the store in a folder until interrupted; print the variables that clients need on stderr.

    Args:
        root: the folder; created if it is missing.
        token_file: see `read_tokens`; without it, every user of this machine may do everything.
        anonymous: with tokens, whether callers without one may read repos that are not private.
        webhooks: addresses to call after every push.
        webhook_secret: sent with each call.

    Raises:
        SettingError: an option is unusable.
        StorageError: the folder is unusable.
    """
    access = Access(read_tokens(token_file), anonymous_read=anonymous) if token_file else Access()
    endpoint = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    notifier = Notifier([Webhook(url, webhook_secret) for url in webhooks], endpoint)
    store = HubStore(root)
    store.listeners.append(notifier)
    variables = " ".join(f"{name}={value}" for name, value in environment(endpoint).items())
    print(f"serving; elsewhere: export {variables}{'' if access.open else ' HF_TOKEN=…'}", file=sys.stderr)
    try:
        serve(store, host=host, port=port, access=access)
    finally:
        notifier.close()
        store.close()


def serve(
    store: HubStore,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    access: Access | None = None,
    app: HubApp | None = None,
) -> None:
    """Serve a store until interrupted; SIGTERM then raises SystemExit, so that callers can clean up.

    Args:
        access: the access rules; they need tokens if other machines reach the address.
        app: an application made by the caller, instead of `access`.

    Raises:
        SettingError: there are no tokens, but other machines reach the address; or the port is taken.
    """
    server = _server(store, host, port, access, app)
    with _listen(host, port) as listener, _sigterm_raises():
        server.run([listener])


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM raise SystemExit in the block, unless the program handles it in its own way.

    uvicorn shuts down and then raises the signal again, which by default would end the process at once.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def serving(
    store: HubStore,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    access: Access | None = None,
    app: HubApp | None = None,
) -> Iterator[str]:
    """Serve a store in a thread while the block runs; yield the endpoint.

    Args:
        port: 0 for any free port.

    Raises:
        SettingError: there are no tokens, but other machines reach the address; or the port is taken.
    """
    server = _server(store, host, port, access, app)
    listener = _listen(host, port)
    thread = threading.Thread(target=server.run, args=([listener],), name="hub", daemon=True)
    thread.start()
    try:
        give_up = time.monotonic() + 20
        while not server.started and thread.is_alive() and time.monotonic() < give_up:
            time.sleep(0.01)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise SettingError(f"Port {port} of {host} cannot be used: {error.strerror}") from error
    except (OverflowError, ValueError) as error:  # a port out of range; a host that no name can be
        listener.close()
        raise SettingError(f"Port {port} of {host!r} cannot be used: {error}") from error
    return listener


def _server(
    store: HubStore, host: str, port: int, access: Access | None, app: HubApp | None
) -> uvicorn.Server:
    import uvicorn

    app = app or HubApp(store, access)
    if app.access.open and not _loopback(host):
        raise SettingError(f"A Hub without tokens is only served on 127.0.0.1. Received: {host!r}")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
