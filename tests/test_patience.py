"""No test depends on the clock: a server on a busy machine may take longer than a client is used to wait."""

from __future__ import annotations

from types import ModuleType

import httpx
import httpx2
import pytest
from support.clock import PATIENCE_S


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_no_request_is_given_up_within_seconds(library: ModuleType) -> None:
    with library.Client() as client:
        waits = client.timeout
    assert {waits.connect, waits.read, waits.write, waits.pool} == {PATIENCE_S}
