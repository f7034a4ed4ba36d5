"""The embedded Hub in this process: mount it for the client, maintain it, and translate its errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localhub import errors as hub
from localhub.inprocess import InProcessTransport
from localhub.maintenance import check_store, collect_garbage
from localhub.server import HubApp
from localhub.store import HubStore
from smartbreed.core.errors import SettingError, SmartBreedError, StorageError
from smartbreed.core.maintenance import Maintenance
from smartbreed.hub import session

log = logging.getLogger(__name__)
#: Maximum number of problems that are kept for people to read.
_MOST = 20


@contextmanager
def embedded_errors() -> Iterator[None]:
    """Translate errors of the embedded Hub into a `SmartBreedError` with the same sentence."""
    try:
        yield
    except hub.SettingError as error:
        raise SettingError(error.message) from error
    except hub.StorageError as error:
        raise StorageError(error.message) from error
    except hub.LocalHubError as error:
        raise SmartBreedError("hub", error.message, status=error.status) from error


def mount_in_process(app: HubApp, host: str) -> str:
    """Let ``huggingface_hub`` reach `app` in this process under a made-up host name.

    Pass the result to ``HfApi(endpoint=…)``. ``datasets`` and keras read ``HF_ENDPOINT`` instead,
    which has to be set before they are imported. This switches xet uploads off in this process.

    Args:
        host: a made-up name in `session.DOMAIN`, such as ``pets.hub.smartbreed.invalid``.

    Returns:
        The endpoint.
    """
    app.hosts |= {host.lower()}
    session.switch_xet_off()
    session.mount(host, InProcessTransport(app))
    return f"http://{host}"


def unmount_in_process(host: str) -> None:
    """Undo `mount_in_process`."""
    transport = session.unmount(host)
    if isinstance(transport, InProcessTransport):
        transport.stop()


def hub_maintenance(root: Path) -> Maintenance:
    """Return the daily job that collects garbage and checks for missing files.

    It does nothing where no Hub exists yet. File contents are not read: ``smartbreed hub check --contents``
    does that.

    Args:
        root: folder of the store.
    """

    def work(memory: dict[str, Any]) -> list[str]:
        if not (root / "hub.db").exists():
            return []
        with embedded_errors():
            store = HubStore(root)
            try:
                gone = collect_garbage(store)
                if any(gone):
                    log.info("the embedded Hub let %d commits and %d files go (%d bytes)", *gone)
                return [f"The embedded Hub: {problem}." for problem in check_store(store)[:_MOST]]
            finally:
                store.close()

    return Maintenance(root, work)
