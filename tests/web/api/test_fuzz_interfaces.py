"""Broken photographs and broken JSON at every interface: `benchmarks.fuzz`, in small."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from benchmarks.fuzz import run


@pytest.mark.parametrize("share_of_json", [0.0, 1.0])
def test_whatever_is_sent_is_answered_or_refused_with_a_code(
    server, photos: list[Path], share_of_json: float
) -> None:
    rows = run(server.url, 60, 11, [path.read_bytes() for path in photos], share_of_json)
    assert not [fault for row in rows.values() for fault in row.faults]
    assert sum(row.answers.total() for row in rows.values()) >= 60


def test_an_event_of_the_browser_alone_is_refused_without_a_traceback(server) -> None:
    dependencies = httpx.get(server.url + "config").json()["dependencies"]
    alone = [event["id"] for event in dependencies if not event["backend_fn"]]
    assert alone
    body = {"data": [], "fn_index": alone[0], "session_hash": "alone"}
    httpx.post(server.url + "gradio_api/queue/join", json=body).raise_for_status()
    url = server.url + "gradio_api/queue/data?session_hash=alone"
    with httpx.stream("GET", url, timeout=60) as answer:
        said = next(line for line in answer.iter_lines() if "process_completed" in line)
    assert "runs in the browser alone" in said
    assert "Traceback" not in server.log()
