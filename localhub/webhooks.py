"""Call other programs after a push: JSON by POST, in the background, to configured addresses only.

The body is that of huggingface.co (``huggingface_hub.WebhookPayload``, version 3), so
``huggingface_hub.webhook_endpoint`` understands it. Delivery is best effort: a push succeeds even if no
call arrives, and a receiver that missed a call finds the change in the repo.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from localhub.errors import SettingError
from localhub.store import Push

log = logging.getLogger(__name__)

_WAITING = 1000
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Webhook:
    """An address to call.

    Attributes:
        url: http or https.
        secret: sent as ``X-Webhook-Secret``, so that the receiver can verify the caller; empty for none.
        repos: ids (``owner/name``) of the repos whose pushes are sent; empty for all.

    Raises:
        SettingError: the url or the secret is not usable.
    """

    url: str
    secret: str = ""
    repos: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # brackets that do not match, or a port out of range
            usable = False
        if not usable:
            raise SettingError(f"A webhook needs an http or https address. Received: {self.url!r}")
        if not self.secret.isascii() or not (self.secret.isprintable() or not self.secret):
            raise SettingError("A webhook's secret must be printable ASCII.")


class Notifier:
    """Sends pushes to webhooks from one background thread. Add it to ``HubStore.listeners``.

    Args:
        webhooks: addresses to call.
        endpoint: the Hub's address, for the links in the message.
        waits: seconds to wait before each retry.
    """

    def __init__(
        self,
        webhooks: Sequence[Webhook],
        endpoint: str = "http://127.0.0.1",
        waits: Sequence[float] = (1.0, 5.0),
    ) -> None:
        self._webhooks = list(webhooks)
        self._endpoint = endpoint.rstrip("/")
        self._waits = list(waits)
        self._queue: queue.Queue[tuple[Webhook, dict[str, Any]] | None] = queue.Queue(_WAITING)
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, push: Push) -> None:
        """Queue a push; never block and never raise."""
        for number, webhook in enumerate(self._webhooks):
            if webhook.repos and push.repo.name.id not in webhook.repos:
                continue
            try:
                self._queue.put_nowait((webhook, payload(push, self._endpoint, f"{number:024x}")))
            except queue.Full:
                log.warning("More than %d webhook calls are waiting; one is dropped", _WAITING)
        with self._guard:
            if self._thread is None and self._webhooks:
                self._thread = threading.Thread(target=self._work, name="hub-webhooks", daemon=True)
                self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Send the queued calls, as far as `timeout` seconds allow, and stop."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._queue.put(None, timeout=timeout)
            except queue.Full:
                return
            thread.join(timeout)

    def _work(self) -> None:
        import httpx2

        # No redirects: only configured addresses are called.
        with httpx2.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
            while (item := self._queue.get()) is not None:
                webhook, body = item
                headers = {"X-Webhook-Secret": webhook.secret} if webhook.secret else {}
                for wait in (*self._waits, None):
                    try:
                        # As a stream, so that the body of the answer is not read.
                        with client.stream("POST", webhook.url, json=body, headers=headers) as response:
                            status = response.status_code
                        if 200 <= status < 300:
                            break
                        reason = f"status {status}"
                        if status < 500 and status not in (408, 429):
                            wait = None  # a retry would get the same answer
                    except Exception as error:
                        reason = type(error).__name__
                    if wait is None:
                        log.warning("The webhook of %s failed: %s", urlsplit(webhook.url).hostname, reason)
                        break
                    time.sleep(wait)


def payload(push: Push, endpoint: str, webhook_id: str) -> dict[str, Any]:
    """Return the message for one push."""
    name = push.repo.name
    return {
        "event": {"action": "update", "scope": "repo.content"},
        "repo": {
            "type": name.type,
            "name": name.id,
            "id": f"{push.repo.key:024x}",
            "private": push.repo.private,
            "url": {"web": f"{endpoint}/{name.url_path}", "api": f"{endpoint}/{name.api_path}"},
            "headSha": push.new,
            "head_sha": push.new,
            "owner": {"id": name.namespace},
        },
        "webhook": {"id": webhook_id, "version": 3},
        "updatedRefs": [{"ref": push.ref, "oldSha": push.old, "newSha": push.new}],
    }
