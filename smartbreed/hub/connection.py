"""Choose the Hub of this installation, and create the client that reaches it.

``SMARTBREED_HUB`` decides. If it is empty, the Hub is that of ``HF_ENDPOINT`` or ``HF_TOKEN`` if
either is set, else the embedded one, mounted in this process on ``SMARTBREED_HOME/hub``.
Everything here is safe to call at any time and from any thread; no request is sent.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from smartbreed.hub import session

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from localhub.store import HubStore
    from smartbreed.core.settings import Settings

HUGGING_FACE = "https://huggingface.co"
#: Name of the embedded Hub in messages and tables.
EMBEDDED = "embedded"

_guard = threading.Lock()
_made: dict[tuple[str, str], HfApi] = {}
_stores: dict[str, HubStore] = {}


class Hub(NamedTuple):
    """A Hub.

    Attributes:
        name: ``embedded`` or the address; publications are recorded under it.
        endpoint: address for clients; for the embedded Hub, a made-up one that is valid in this process only.
    """

    name: str
    endpoint: str

    @property
    def embedded(self) -> bool:
        return self.name == EMBEDDED


def chosen_hub(settings: Settings) -> Hub:
    """Return the Hub that the settings ask for; nothing is imported or opened."""
    asked = settings.hub
    if not asked:
        endpoint, token = os.environ.get("HF_ENDPOINT", ""), os.environ.get("HF_TOKEN", "")
        asked = endpoint or (HUGGING_FACE if token else EMBEDDED)
    if asked == EMBEDDED:
        mark = hashlib.sha256(str(settings.home_dir).encode()).hexdigest()[:12]
        return Hub(EMBEDDED, f"http://{mark}.{session.DOMAIN}")
    return Hub(asked.rstrip("/"), asked.rstrip("/"))


def connect(settings: Settings) -> HfApi:
    """Return the client of the Hub that the settings ask for; the same one every time.

    Time-outs are set for every request of ``huggingface_hub`` in this process, and xet uploads
    are switched off unless the Hub is huggingface.co, because the client does not check whether a
    Hub supports them. An unreachable Hub is noticed by the first call, not here.

    ``datasets``, ``ModelCard`` and keras read ``HF_ENDPOINT`` instead of this client: use the
    functions of `smartbreed.hub.client`, or a separate process with that variable.
    """
    hub = chosen_hub(settings)
    token = os.environ.get("HF_TOKEN", "")
    with _guard:
        api = _made.get((hub.endpoint, token))
        if api is None:
            if not _is_hugging_face(hub.endpoint):
                session.switch_xet_off()
            _import_whole()
            from huggingface_hub import HfApi
            from huggingface_hub.utils.tqdm import disable_progress_bars

            disable_progress_bars()  # stdout and stderr are for the app's own messages
            session.install()
            # A token stored for huggingface.co is not sent to other Hubs.
            known = token or (None if _is_hugging_face(hub.endpoint) else False)
            if hub.embedded:
                _mount(settings, hub)
                known = False
            api = _made[(hub.endpoint, token)] = HfApi(endpoint=hub.endpoint, token=known)
    return api


def embedded_store(settings: Settings) -> HubStore | None:
    """Return the embedded Hub's store, for listeners and garbage collection; None if another Hub is used."""
    hub = chosen_hub(settings)
    if not hub.embedded:
        return None
    connect(settings)
    return _stores[hub.endpoint]


def mounted_store(endpoint: str) -> HubStore | None:
    """Return the store behind an endpoint that `connect` has mounted in this process, or None."""
    return _stores.get(endpoint)


def disconnect() -> None:
    """Close the embedded Hubs of this process and drop all clients; the next `connect` starts afresh."""
    from smartbreed.hub.embedded import unmount_in_process

    with _guard:
        for endpoint, store in _stores.items():
            unmount_in_process(str(urlsplit(endpoint).hostname))
            store.close()
        _stores.clear()
        _made.clear()


def _mount(settings: Settings, hub: Hub) -> None:
    from localhub.server import HubApp
    from localhub.store import HubStore
    from smartbreed.hub.embedded import embedded_errors, mount_in_process

    with embedded_errors():
        store = HubStore(settings.home_dir / "hub")
    _stores[hub.endpoint] = store
    mount_in_process(HubApp(store), str(urlsplit(hub.endpoint).hostname))


def _is_hugging_face(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host in ("huggingface.co", "hf.co") or host.endswith((".huggingface.co", ".hf.co"))


def _import_whole() -> None:
    """Import now what the client imports at its first call: two threads that race there can miss names."""
    import huggingface_hub.hf_api  # noqa: F401


def _forget() -> None:
    """Reset this module in a forked child, where inherited threads and database connections are unusable."""
    global _guard
    _guard = threading.Lock()
    _made.clear()
    _stores.clear()


os.register_at_fork(after_in_child=_forget)
