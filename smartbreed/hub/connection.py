"""Which Hub this installation uses, and the client that reaches it.

``SMARTBREED_HUB`` decides; empty, it is the Hub of ``HF_ENDPOINT`` or ``HF_TOKEN`` when
either is set, else the embedded one, mounted in this process on ``SMARTBREED_HOME/hub``.
Everything here is safe to call at any time and from any thread; nothing is sent.
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
#: How the embedded Hub is called where people and tables name a Hub.
EMBEDDED = "embedded"

_guard = threading.Lock()
_made: dict[tuple[str, str], HfApi] = {}
_stores: dict[str, HubStore] = {}


class Hub(NamedTuple):
    """One Hub.

    Attributes:
        name: ``embedded`` or its address; what is published is remembered under it.
        endpoint: address for clients; of the embedded one a made-up one of this process.
    """

    name: str
    endpoint: str

    @property
    def embedded(self) -> bool:
        return self.name == EMBEDDED


def chosen_hub(settings: Settings) -> Hub:
    """The Hub the settings ask for; nothing is imported or opened."""
    asked = settings.hub
    if not asked:
        endpoint, token = os.environ.get("HF_ENDPOINT", ""), os.environ.get("HF_TOKEN", "")
        asked = endpoint or (HUGGING_FACE if token else EMBEDDED)
    if asked == EMBEDDED:
        mark = hashlib.sha256(str(settings.home_dir).encode()).hexdigest()[:12]
        return Hub(EMBEDDED, f"http://{mark}.{session.DOMAIN}")
    return Hub(asked.rstrip("/"), asked.rstrip("/"))


def connect(settings: Settings) -> HfApi:
    """The client of the Hub that the settings ask for; the same one every time.

    Time-outs are set for every request of ``huggingface_hub`` in this process, and uploads by
    xet are switched off unless the Hub is huggingface.co: the client does not ask whether a
    Hub knows it. A Hub that cannot be reached is noticed by the first call, not here.

    ``datasets``, ``ModelCard`` and keras read ``HF_ENDPOINT`` instead of this client: use the
    functions of `smartbreed.hub.client`, or a process of their own with that variable.
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

            disable_progress_bars()  # stdout and stderr are for what we say ourselves
            session.install()
            # A token stored for huggingface.co is not sent to other Hubs.
            known = token or (None if _is_hugging_face(hub.endpoint) else False)
            if hub.embedded:
                _mount(settings, hub)
                known = False
            api = _made[(hub.endpoint, token)] = HfApi(endpoint=hub.endpoint, token=known)
    return api


def embedded_store(settings: Settings) -> HubStore | None:
    """The store behind `connect` when that is the embedded Hub, for listeners and garbage collection."""
    hub = chosen_hub(settings)
    if not hub.embedded:
        return None
    connect(settings)
    return _stores[hub.endpoint]


def mounted_store(endpoint: str) -> HubStore | None:
    """The store behind an endpoint that `connect` has mounted in this process."""
    return _stores.get(endpoint)


def disconnect() -> None:
    """Close the embedded Hubs of this process and forget all clients; the next `connect` begins anew."""
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
    """Import what the client imports at its first call: two threads that meet there can miss names."""
    import huggingface_hub.hf_api  # noqa: F401


def _forget() -> None:
    """In a forked child the parent's threads and database connections are of no use."""
    global _guard
    _guard = threading.Lock()
    _made.clear()
    _stores.clear()


os.register_at_fork(after_in_child=_forget)
