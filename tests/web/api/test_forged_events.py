"""Events of the page that no page sends: stale, empty or forged; each gets a sentence and no traceback."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from support.events import completed
from support.processes import Server

FORGED = (
    None, 5, "x", [], {}, {"index": 10**9}, {"index": "x", "value": 1}, {"index": [0, 0], "value": None},
    {"index": -(10**30), "value": ""}, {"breed": ["x"]}, {"breed": "<script>"}, {"value": {}},
)  # fmt: skip


def answers(client: httpx.Client, event: dict[str, Any], sent: Any) -> str:
    """What an event answers that comes with ``sent`` and no arguments, as text."""
    return completed(
        client, {"data": [None] * len(event["inputs"]), "fn_index": event["id"], "event_data": sent}
    )


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=60)


def test_no_event_leaves_a_traceback(client: httpx.Client, server: Server) -> None:
    found = [one for one in client.get("/config").json()["dependencies"] if one["backend_fn"]]
    # Of handlers that each card of the pool has, one: gradio numbers their names.
    events = list({re.sub(r"_[0-9]+$", "", one["api_name"]): one for one in reversed(found)}.values())
    listeners = [one for one in events if any(name == "select" for _, name in one["targets"])]
    assert len(listeners) > 2
    before = len(server.log())
    for event in events:
        for sent in FORGED if event in listeners else FORGED[:1]:
            answers(client, event, sent)
    assert "Traceback" not in server.log()[before:]


def test_a_page_that_is_older_than_the_server_says_so(client: httpx.Client) -> None:
    events = {one["api_name"]: one for one in client.get("/config").json()["dependencies"]}
    for name, sent in (("_whole", None), ("_choose", {"index": 2, "value": None})):
        assert "no longer up to date" in answers(client, events[name], sent), name
