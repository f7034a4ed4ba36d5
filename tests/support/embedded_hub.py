"""What the tests of the embedded Hub share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2
from huggingface_hub import HfApi

from localhub.store import HubStore


@dataclass
class Hub:
    """A running Hub, a real client of it, and plain HTTP to it."""

    store: HubStore
    endpoint: str
    api: HfApi
    http: httpx2.Client


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)
