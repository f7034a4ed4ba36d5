"""Load generator: clients that send photographs to a server, in their own process.

Run it with ``python -m benchmarks.clients URL``. Each client posts to ``/api/identify`` and sends the next
photograph as soon as it has the answer. The clients are locust users if `locust` is installed
(``pip install 'smartbreed[bench]'``), else the same loop on httpx. Any answer other than a 200 with the key
``pets`` counts as an error.
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

#: Timeout of a request in seconds.
PATIENCE_S = 120.0
_HEADERS = {"Content-Type": "image/jpeg"}


@dataclass
class Load:
    """The plan of a load test, and its results.

    Args:
        photos: encoded photographs, sent in turns.
        clients: number of concurrent clients.
        seconds: duration of the measurement, which starts after ``warm`` seconds.
        warm: seconds of warm-up, whose answers are not counted.
        requests: number of answers, warm-up included, after which the clients stop; 0 for no limit.

    Attributes:
        waits: response times in seconds, including those of errors.
        errors: number of errors by status or name.
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
        """True when clients should send no further requests."""
        enough = 0 < self.requests <= self._done
        return enough or time.perf_counter() - self._began > self.warm + self.seconds

    def next_photo(self) -> bytes:
        """Return the photograph for the next request."""
        return self.photos[next(self._numbers) % len(self.photos)]

    def answered(self, started: float, status: int, body: Callable[[], Any]) -> None:
        """Record an answer.

        Args:
            started: start of the request, from `time.perf_counter`.
            status: HTTP status; 0 if no answer came.
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
        """Return the results: answers, errors, successes per second, percentiles in ms, wall and CPU time."""
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
    """Return the CPU time of this process in seconds."""
    used = os.times()
    return used.user + used.system


def with_locust(url: str, load: Load) -> None:
    """Send requests with locust users, each on a persistent connection."""
    import gevent
    from locust import FastHttpUser, constant, task
    from locust.env import Environment

    class Visitor(FastHttpUser):  # type: ignore[misc, unused-ignore]
        wait_time = constant(0)
        host = url.rstrip("/")  # otherwise paths would begin with two slashes
        connection_timeout = network_timeout = PATIENCE_S

        @task  # type: ignore[untyped-decorator, unused-ignore]
        def identify(self) -> None:
            if load.over:
                gevent.sleep(3600)
            started = time.perf_counter()
            answer = self.client.post("/api/identify", data=load.next_photo(), headers=_HEADERS)
            load.answered(started, answer.status_code, answer.json)

    environment, failures = Environment(user_classes=[Visitor]), []
    # locust only logs exceptions of a client and starts it again.
    environment.events.user_error.add_listener(lambda exception, **_: failures.append(exception))
    runner = environment.create_local_runner()
    runner.start(load.clients, spawn_rate=load.clients)
    while not load.over and not failures:
        gevent.sleep(0.05)
    runner.stop()
    if failures:
        raise failures[0]


def with_httpx(url: str, load: Load) -> None:
    """Send requests with asyncio tasks, each on a persistent connection."""
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


#: Load generators by name.
ASKERS: dict[str, Callable[[str, Load], None]] = {"locust": with_locust, "httpx": with_httpx}


def asker() -> str:
    """Return the default load generator: locust if it is installed, else httpx."""
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
    """Run the clients and print the results as JSON."""
    pictures = photographs(data, photos)
    load = Load(pictures, clients, seconds, warm, requests)
    ASKERS[using or asker()](url, load)
    print(json.dumps(load.found()), flush=True)


if __name__ == "__main__":
    typer.run(main)
