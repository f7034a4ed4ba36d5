"""No test depends on the clock: a server on a busy machine may take longer than a client is used to wait."""

from __future__ import annotations

import httpx
from support.clock import PATIENCE_S


def test_no_request_is_given_up_within_seconds() -> None:
    with httpx.Client() as client:
        waits = client.timeout
    assert {waits.connect, waits.read, waits.write, waits.pool} == {PATIENCE_S}
