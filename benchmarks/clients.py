"""Clients that ask a server about photographs, in a process of their own.

``python -m benchmarks.clients URL``. Each asks ``/api/identify`` again as soon as it is answered. They are
those of `locust` where it is installed (``pip install 'smartbreed[bench]'``), else the same loop on httpx.
What a client gets other than 200 with pets in it is an error.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.photographs import DATA, photographs

#: Seconds that a client waits for an answer.
PATIENCE_S = 120.0
_HEADERS = {"Content-Type": "image/jpeg"}


@dataclass
class Load:
    """What is to be asked, and what came of it.

    Args:
        photos: sent in turns.
        clients: at once.
        seconds: after which no client asks again; those before ``warm`` are not counted.
        requests: answers after which no client asks again; 0: any number.

    Attributes:
        waits: seconds of each answer.
        errors: how often each was, by status or name.
    """

    photos: list[bytes]
    clients: int
    seconds: float
    warm: float = 0.0
    requests: int = 0
    waits: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    _began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self._numbers, self._done, self._used = count(), 0, _used_seconds()

    @property
    def over(self) -> bool:
        """Whether no client asks again."""
        enough = 0 < self.requests <= self._done
        return enough or time.perf_counter() - self._began > self.warm + self.seconds

    def next_photo(self) -> bytes:
        """What the next request sends."""
        return self.photos[next(self._numbers) % len(self.photos)]

    def answered(self, started: float, status: int, body: Callable[[], Any]) -> None:
        """One answer, or a status of 0 where none came.

        Args:
            started: when it was asked for, as `time.perf_counter` says it.
            body: decodes the answer's JSON.
        """
        now = time.perf_counter()
        self._done += 1
        if now - self._began <= self.warm:
            return
        self.waits.append(now - started)
        if status != 200:
            self.errors[str(status or "no answer")] += 1
        elif "pets" not in body():
            self.errors["no pets"] += 1

    def found(self) -> dict[str, Any]:
        """Figures: answers a second, percentiles of the waits in ms, errors, seconds in all and of CPU."""
        whole = max(time.perf_counter() - self._began, 1e-9)
        elapsed = max(whole - self.warm, 1e-9)
        p50, p95, p99 = (
            (float(np.percentile(self.waits, share)) * 1000 if self.waits else float("nan"))
            for share in (50, 95, 99)
        )
        return {
            "answers": len(self.waits), "rate": (len(self.waits) - self.errors.total()) / elapsed, "p50": p50,
            "p95": p95, "p99": p99, "errors": dict(self.errors), "seconds": whole,
            "cpu": _used_seconds() - self._used,
        }  # fmt: skip


def _used_seconds() -> float:
    """CPU seconds of this process."""
    used = os.times()
    return used.user + used.system


def with_locust(url: str, load: Load) -> None:
    """Ask with locust's users, each with a connection that is kept."""
    import gevent
    from locust import FastHttpUser, constant, task
    from locust.env import Environment

    class Visitor(FastHttpUser):  # type: ignore[misc, unused-ignore]
        wait_time = constant(0)
        host = url.rstrip("/")  # or the path would begin with two slashes
        connection_timeout = network_timeout = PATIENCE_S

        @task  # type: ignore[untyped-decorator, unused-ignore]
        def identify(self) -> None:
            if load.over:
                gevent.sleep(3600)
            started = time.perf_counter()
            answer = self.client.post("/api/identify", data=load.next_photo(), headers=_HEADERS)
            load.answered(started, answer.status_code, answer.json)

    environment, failures = Environment(user_classes=[Visitor]), []
    # locust only logs what a client raises, and begins again.
    environment.events.user_error.add_listener(lambda exception, **_: failures.append(exception))
    runner = environment.create_local_runner()
    runner.start(load.clients, spawn_rate=load.clients)
    while not load.over and not failures:
        gevent.sleep(0.05)
    runner.stop()
    if failures:
        raise failures[0]


def with_httpx(url: str, load: Load) -> None:
    """Ask with tasks of asyncio, each with a connection that is kept."""
    import httpx

    async def one(client: httpx.AsyncClient) -> None:
        while not load.over:
            started = time.perf_counter()
            try:
                answer = await client.post("/api/identify", content=load.next_photo(), headers=_HEADERS)
            except httpx.HTTPError:
                load.answered(started, 0, dict)
            else:
                load.answered(started, answer.status_code, answer.json)

    async def all_of_them() -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as client:
            await asyncio.gather(*(one(client) for _ in range(load.clients)))

    asyncio.run(all_of_them())


#: What asks, by its name.
ASKERS: dict[str, Callable[[str, Load], None]] = {"locust": with_locust, "httpx": with_httpx}


def asker() -> str:
    """The one that is used: locust where it is installed."""
    return "locust" if find_spec("locust") else "httpx"


def main(
    url: Annotated[str, typer.Argument(help="Address of the server, with a slash at its end.")],
    clients: Annotated[int, typer.Option(min=1, help="Clients at once.")] = 32,
    seconds: Annotated[float, typer.Option(help="After which none asks again.")] = 20.0,
    warm: Annotated[float, typer.Option(help="Seconds before, which are not counted.")] = 0.0,
    requests: Annotated[int, typer.Option(help="Answers after which none asks again; 0: any number.")] = 0,
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    photos: Annotated[int, typer.Option(min=1, help="Photographs, sent in turns.")] = 86,
    using: Annotated[str, typer.Option(help="locust or httpx; empty: what is installed.")] = "",
) -> None:
    """Print what was found as JSON."""
    pictures = photographs(data, photos)
    load = Load(pictures, clients, seconds, warm, requests)
    ASKERS[using or asker()](url, load)
    print(json.dumps(load.found()), flush=True)


if __name__ == "__main__":
    typer.run(main)
