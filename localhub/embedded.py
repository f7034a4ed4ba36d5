"""Running the embedded Hub: on a port, in a thread, or inside this process with no port at all.

``huggingface_hub`` reads its environment once, when it is imported. Set `environment` before,
in this process or for a child, and every tool built on it uses the embedded Hub:

    store = HubStore(home / "hub")
    serve(store, port=7870)                            # HF_ENDPOINT=http://127.0.0.1:7870 elsewhere
    mount_in_process(HubApp(store, hosts=["hub.local"]), "hub.local")   # HfApi(endpoint="http://hub.local")
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localhub.access import Access
from localhub.server import HubApp
from localhub.store import HubStore
from smartbreed.core.errors import SettingError
from smartbreed.hub import session

if TYPE_CHECKING:
    import uvicorn

#: Where the embedded Hub is found unless told otherwise.
DEFAULT_PORT = 7870


def environment(endpoint: str, token: str = "") -> dict[str, str]:
    """Variables that lead every Hugging Face tool of a process to an embedded Hub.

    Uploads by xet have to be switched off: the client does not ask whether the server knows it.
    """
    variables = {"HF_ENDPOINT": endpoint.rstrip("/"), "HF_HUB_DISABLE_XET": "1"}
    return variables | {"HF_TOKEN": token} if token else variables


def mount_in_process(app: HubApp, host: str) -> str:
    """Let ``huggingface_hub`` reach `app` in this process under a made-up host name.

    Pass ``HfApi(endpoint=…)`` what this returns. ``datasets`` and keras read ``HF_ENDPOINT`` instead,
    which has to be set before they are imported. Uploads by xet are off in this process from now on.

    Args:
        host: any name that is not a real one, such as ``hub.smartbreed.local``.

    Returns:
        The endpoint.
    """
    from localhub.inprocess import InProcessTransport

    app.hosts |= {host.lower()}
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_DISABLE_XET = True  # type: ignore[attr-defined]
    session.mount(host, InProcessTransport(app))
    return f"http://{host}"


def serve(
    store: HubStore,
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    access: Access | None = None,
    app: HubApp | None = None,
) -> None:
    """Serve until interrupted.

    Args:
        access: who may do what; needed for an address other machines reach.
        app: instead of `access`, an application made by the caller.

    Raises:
        SettingError: no tokens for an address other machines reach, or the port is taken.
    """
    server = _server(store, host, port, access, app)
    with _listen(host, port) as listener:
        server.run([listener])


@contextmanager
def serving(
    store: HubStore,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    access: Access | None = None,
    app: HubApp | None = None,
) -> Iterator[str]:
    """Serve from a thread while the block runs; yields the endpoint.

    Args:
        port: 0 for any that is free.

    Raises:
        SettingError: no tokens for an address other machines reach, or the port is taken.
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
