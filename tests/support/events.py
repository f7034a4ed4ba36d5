"""Events of gradio's pages, sent as a browser sends them, without a browser."""

from __future__ import annotations

import json
import os
from typing import Any

import httpx


def completed(client: httpx.Client, event: dict[str, Any], **headers: str) -> str:
    """What an event answers when it has come to its end, as text.

    Args:
        event: ``data``, ``fn_index`` and what else belongs into the request, but for the session.
    """
    session = os.urandom(8).hex()
    joined = client.post("/gradio_api/queue/join", json=event | {"session_hash": session}, headers=headers)
    assert joined.status_code == 200, joined.text
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                return line
    raise AssertionError("no answer")
