"""Measure the HTTP round trip of a photo: ``python -m benchmarks.round_trip``.

The app and a Blocks app that only echoes run side by side. One client processes each photo in four ways in
turn: by an upload and a call of a named endpoint, as gradio's clients do it, on the echo and on the app; by
one REST request to the app; and by the same path from bytes to JSON in its own process, without HTTP.
Connections are persistent.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import httpx
import numpy as np
import typer

from benchmarks.conditions import noted
from benchmarks.photographs import DATA, photographs
from benchmarks.servers import APP, ECHO, served
from benchmarks.sheet import NONE, Sheet, show
from benchmarks.sides import Found, median, print_found, run_side, say

#: Goal: most time that a round trip may take on top of the echo's, as a multiple of the path's time.
MOST_PATHS = 1.3
_NAMES = {
    "echo": "Blocks echo: upload, call",
    "gradio": "SmartBreed: upload, call",
    "rest": "SmartBreed: REST",
    "path": "the path itself, without HTTP",
}


def through_gradio(client: httpx.Client, url: str, endpoint: str, photo: bytes, *others: Any) -> Any:
    """Upload a photo and call an endpoint with it and ``others``, as gradio's own clients do."""
    answer = client.post(f"{url}gradio_api/upload", files={"files": ("photo.jpg", photo)}).raise_for_status()
    given = {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}
    answer = client.post(
        f"{url}gradio_api/run/{endpoint}", json={"data": [given, *others]}
    ).raise_for_status()
    return answer.json()["data"][0]


def through_rest(client: httpx.Client, url: str, photo: bytes) -> Any:
    """Send a photo to ``/api/identify``."""
    answer = client.post(f"{url}api/identify", content=photo, headers={"Content-Type": "image/jpeg"})
    return answer.raise_for_status().json()


def run_client(data: str, photos: int, rounds: int) -> Found:
    """Start the servers, measure as their client, and return the seconds of each photo and round by way."""
    from smartbreed.core.native import native_silence
    from smartbreed.core.settings import load_settings
    from smartbreed.services import Services

    services = Services(load_settings())
    with native_silence():
        services.identifier  # noqa: B018 - loads the model
    found: dict[str, list[float]] = defaultdict(list)
    with served(ECHO) as echo, served(APP) as ours, httpx.Client(timeout=120) as client:
        ways: dict[str, Callable[[bytes], Any]] = {
            "echo": lambda photo: through_gradio(client, echo.url, "echo", photo),
            "gradio": lambda photo: through_gradio(client, ours.url, "identify", photo, False, 5, None),
            "rest": lambda photo: through_rest(client, ours.url, photo),
            "path": lambda photo: json.loads(json.dumps(services.identify(photo).as_dict())),
        }
        pictures = photographs(data, photos)
        for ask in ways.values():
            ask(pictures[0])  # warm up: loading on first use must not count
        for number in range(rounds):
            say(f"round trip: round {number + 1} of {rounds}")
            for photo in pictures:
                for way, ask in ways.items():
                    started = time.perf_counter()
                    ask(photo)
                    found[way].append(time.perf_counter() - started)
    return dict(found)


def in_paths(found: Found, way: str) -> float:
    """Return the median of (way - echo) / path over the photos."""
    return median(
        (one - echo) / path for one, echo, path in zip(found[way], found["echo"], found["path"], strict=True)
    )


def measure(data: str = DATA, photos: int = 60, rounds: int = 3) -> Iterator[Sheet]:
    """Measure and yield the table.

    Args:
        data: folder of photographs.
        photos: number of photographs.
        rounds: number of times each photo goes each way.
    """
    sheet = Sheet(
        f"HTTP round trip of one photo, {photos} photographs, {rounds} rounds, photo by photo in turns",
        ("", "p50 ms", "p95 ms", "beside the echo, in paths"),
    )
    with noted([sheet]):
        say("round trip: starting both servers")
        words = ["--data", data, "--photos", str(photos), "--rounds", str(rounds)]
        found = run_side("round_trip", "client", words)
    for way, name in _NAMES.items():
        beside = f"{in_paths(found, way):.2f}" if way in ("gradio", "rest") else NONE
        p50, p95 = (np.percentile(found[way], share) * 1000 for share in (50, 95))
        sheet.add(name, f"{p50:.1f}", f"{p95:.1f}", beside)
    sheet.notes.append(
        "The last column is (round trip - echo) / path, median over the photos (goal: at most "
        f"{MOST_PATHS}). REST has no upload of its own, so it may be below 1."
    )
    yield sheet


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {"photos": 3, "rounds": 1}


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
    photos: Annotated[int, typer.Option(help="Photographs.")] = 60,
    rounds: Annotated[int, typer.Option(help="How often each goes each way.")] = 3,
    side: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Print the table."""
    if side:
        print_found(run_client(data, photos, rounds))
    else:
        show(measure(data, photos, rounds))


if __name__ == "__main__":
    typer.run(main)
