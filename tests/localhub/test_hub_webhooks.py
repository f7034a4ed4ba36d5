"""Pushes are reported to configured addresses, in the words the real client's receiver understands."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import WebhookPayload
from support.clock import until

from localhub.errors import SettingError
from localhub.names import RepoName
from localhub.store import HubStore
from localhub.webhooks import Notifier, Webhook

NAME = RepoName("dataset", "pets", "flags")


class Receiver(ThreadingHTTPServer):
    """Answers with the statuses it is given, then 200."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, dict[str, object]]] = []
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.calls.append((self.headers["x-webhook-secret"], json.loads(body)))
                status = outer.answers.pop(0) if outer.answers else 200
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:9/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def push(store: HubStore, content: bytes) -> str:
    return store.commit(NAME, "main", [store.put_text("a.txt", content)], title="x").oid


def test_a_push_is_reported_with_the_secret(store: HubStore, receiver: Receiver) -> None:
    notifier = Notifier([Webhook(receiver.url, "s3cret")], "http://127.0.0.1:7870")
    store.listeners.append(notifier)
    store.create_repo(NAME.id, NAME.type)
    first = push(store, b"one")
    assert push(store, b"one") == first, "no commit, no call"
    store.create_ref(NAME, "tag", "v1", "main")
    until(lambda: len(receiver.calls) == 3)
    notifier.close()
    secrets, bodies = zip(*receiver.calls, strict=True)
    assert set(secrets) == {"s3cret"}
    payloads = [WebhookPayload.model_validate(body) for body in bodies]
    assert [(p.event.action, p.event.scope) for p in payloads] == [("update", "repo.content")] * 3
    updated = [p.updatedRefs[0] for p in payloads if p.updatedRefs]
    assert [ref.ref for ref in updated] == ["refs/heads/main", "refs/heads/main", "refs/tags/v1"]
    assert updated[1].oldSha == updated[0].newSha
    assert updated[1].newSha == first == payloads[1].repo.head_sha
    assert payloads[0].repo.url.api == "http://127.0.0.1:7870/api/datasets/pets/flags"


def test_a_receiver_that_fails_is_called_again_a_few_times(store: HubStore, receiver: Receiver) -> None:
    receiver.answers = [500, 503, 200, 400, 302]
    notifier = Notifier([Webhook(receiver.url)], waits=(0.01, 0.01))
    store.listeners.append(notifier)
    store.create_repo(NAME.id, NAME.type)  # 500, 503, 200
    push(store, b"one")  # 400: not again
    push(store, b"two")  # 302: not followed
    push(store, b"three")
    until(lambda: len(receiver.calls) == 6)
    notifier.close()
    assert len(receiver.calls) == 6


def test_a_dead_receiver_delays_no_push(store: HubStore) -> None:
    notifier = Notifier([Webhook("http://127.0.0.1:9/")], waits=(0.01,))
    store.listeners.append(notifier)
    store.create_repo(NAME.id, NAME.type)
    assert push(store, b"one")
    notifier.close()


def test_only_the_repos_asked_for(store: HubStore, receiver: Receiver) -> None:
    notifier = Notifier([Webhook(receiver.url, repos=frozenset({"pets/other"}))])
    store.listeners.append(notifier)
    store.create_repo(NAME.id, NAME.type)
    store.create_repo("pets/other")
    until(lambda: len(receiver.calls) == 1)
    notifier.close()


@pytest.mark.parametrize("url", ["ftp://a/b", "javascript:x", "", "http://", "http://[x", "http://x:99999"])
def test_an_address_must_be_usable(url: str) -> None:
    with pytest.raises(SettingError):
        Webhook(url)
