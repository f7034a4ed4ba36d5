"""What the tests of the embedded Hub share."""

from __future__ import annotations

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
