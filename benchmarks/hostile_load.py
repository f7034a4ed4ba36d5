"""Measure a server under the worst known requests: ``python -m benchmarks.hostile_load``.

Decompression bombs, JSON that expands in memory, aborted and repeated large uploads, half-sent requests and
hundreds of sessions run concurrently against a dedicated server on this machine, for a fixed number of
rounds. Meanwhile ordinary visitors ask about an ordinary photo. The table shows the server's peak memory and
the visitors' waiting times.
"""

from __future__ import annotations

import io
import os
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.photographs import DATA, photographs
from benchmarks.servers import server

#: Goals: largest peak of resident memory in bytes, and longest wait of an ordinary visitor in seconds.
MOST_MEMORY, MOST_SECONDS = 1_500_000_000, 3.0
_JSON = {"Content-Type": "application/json"}


@dataclass
class Result:
    """The result of a run.

    Attributes:
        before, peak: resident memory of the server before the attacks and at its peak, in bytes.
        waits: waiting time of each answered visitor in seconds.
        failures: what the other visitors got instead of an answer.
        answers: outcomes of the hostile requests, by attack; "cut" if the server closed the connection.
    """

    before: int = 0
    peak: int = 0
    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answers: dict[str, Counter[str]] = field(default_factory=dict)


def png(megapixels: int) -> bytes:
    """Make a single-colour PNG: hundreds of kilobytes that decode to hundreds of megabytes."""
    side = int((megapixels * 1_000_000) ** 0.5)
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (120, 90, 60)).save(buffer, "PNG")
    return buffer.getvalue()


def webp(megapixels: int) -> bytes:
    """Make a single-colour lossless WebP, whose decoder takes twice the memory."""
    buffer = io.BytesIO()
    side = int((megapixels * 1_000_000) ** 0.5)
    Image.new("RGB", (side, side), (120, 90, 60)).save(buffer, "WEBP", lossless=True, method=0)
    return buffer.getvalue()


class Attack:
    """All attacks against one server, and the ordinary visitors beside them.

    Args:
        url: address of the server, with a slash at its end.
        pid: id of the server's process.
        photo: the photo that ordinary visitors send.
        rounds: number of times each attack is repeated.
        visitors: number of ordinary visitors, one after the other.
        only: run only attacks with this in their name; empty for all.
    """

    def __init__(
        self, url: str, pid: int, photo: bytes, *, rounds: int = 2, visitors: int = 12, only: str = ""
    ) -> None:
        self.url, self.photo, self.rounds, self.visitors = url, photo, rounds, visitors
        self.only = only
        self.process = psutil.Process(pid)
        self.result = Result()
        self._over = threading.Event()
        # No keep-alive: the server may close an idle connection at the moment it is used again.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        self._client = httpx.Client(timeout=180, limits=limits)

    def run(self) -> Result:
        """Run all attacks concurrently; return when every one has ended."""
        small, unreadable, wide = png(60), png(100), webp(33)
        unfolding = b'{"data":[' + b"[]," * 12_500_000 + b"0]}"
        long = b'{"image":"' + b"QUJD" * 9_500_000 + b'"}'
        self.result.before = self.process.memory_info().rss
        attacks: list[tuple[str, int, Callable[[], str]]] = [
            ("PNGs of 60 megapixels", 8, lambda: self._photos(small, small)),
            ("PNGs of 100 megapixels", 8, lambda: self._photos(unreadable, unreadable)),
            ("WebPs of 33 megapixels", 3, lambda: self._photos(wide)),
            *(
                (f"38 MB of [], at {route}", 1, lambda route=route: self._post(route, unfolding))
                for route in ("gradio_api/call/identify", "gradio_api/queue/join", "api/identify")
            ),
            ("38 MB of base64", 4, lambda: self._post("api/identify", long)),
            ("half a head or body", 40, self._half),
            ("uploads broken off", 6, self._broken_off),
            ("uploads of 20 MB", 4, self._upload),
            ("new sessions", 4, self._sessions),
        ]
        threads = [threading.Thread(target=self._watch), threading.Thread(target=self._visit)]
        for name, side_by_side, act in attacks:
            if self.only not in name:
                continue
            self.result.answers[name] = Counter()
            threads += [threading.Thread(target=self._repeat, args=(name, act)) for _ in range(side_by_side)]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join(600)
        self._over.set()
        threads[0].join()
        self._client.close()
        return self.result

    def _repeat(self, name: str, act: Callable[[], str]) -> None:
        for _ in range(self.rounds):
            try:
                answer = act()
            except (httpx.HTTPError, OSError):
                answer = "cut"
            self.result.answers[name][answer] += 1

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.result.peak = max(self.result.peak, self.process.memory_info().rss)

    def _visit(self) -> None:
        for _ in range(self.visitors):
            started = time.perf_counter()
            try:
                with httpx.Client(timeout=180) as client:
                    client.get(self.url).raise_for_status()
                    answer = client.post(
                        self.url + "api/identify", content=self.photo, headers={"Content-Type": "image/jpeg"}
                    )
            except httpx.HTTPError as error:
                self.result.failures.append(type(error).__name__)
                continue
            if answer.status_code == 200 and "pets" in answer.json():
                self.result.waits.append(time.perf_counter() - started)
            else:
                self.result.failures.append(f"{answer.status_code} {answer.text[:100]}")

    def _post(self, route: str, body: bytes) -> str:
        return str(self._client.post(self.url + route, content=body, headers=_JSON).status_code)

    def _photos(self, *photos: bytes) -> str:
        files = [("photos", ("a.png", photo)) for photo in photos]
        answer = self._client.post(self.url + "api/identify", files=files)
        if answer.status_code != 200:
            return str(answer.status_code)
        return ", ".join(one.get("error", {"code": "answered"})["code"] for one in answer.json()["results"])

    def _half(self) -> str:
        host, port = self.url.removeprefix("http://").rstrip("/").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as one:
            one.sendall(b"POST /api/identify HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n")
            time.sleep(1)
            one.sendall(b"Content-Type: image/jpeg\r\n\r\n" + bytes(2_000_000))
            heard = one.recv(100)
        return heard.split()[1].decode() if heard else "cut"

    def _broken_off(self) -> str:
        host, port = self.url.removeprefix("http://").rstrip("/").split(":")
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n\xff\xd8\xff'
        with socket.create_connection((host, int(port)), timeout=60) as one:
            one.sendall(
                b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + head + bytes(5_000_000)
            )
        return "gone"

    def _upload(self) -> str:
        photo = b"\xff\xd8\xff" + os.urandom(100) + bytes(20_000_000)
        return str(self._client.post(self.url + "gradio_api/upload", files={"files": photo}).status_code)

    def _sessions(self) -> str:
        for _ in range(40):
            name = os.urandom(6).hex()
            body = {"data": [], "session_hash": name}
            self._client.post(self.url + "gradio_api/run/breeds", json=body)
        return "40 made"


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with photographs.")] = DATA,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Repetitions of each attack.")] = 2,
    only: Annotated[str, typer.Option(help="Only attacks with this in their name.")] = "",
) -> None:
    """Run the attacks and print the tables."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (url, process, log):
        attack = Attack(url, process.pid, photographs(data, 1)[0], rounds=rounds, only=only)
        with httpx.Client(timeout=60) as client:  # warm up: loading on first use must not count
            client.post(url + "api/identify", content=attack.photo)
        result = attack.run()
        tracebacks = log.read_text().count("Traceback")
    console = Console(width=110)
    table = Table(title=f"hostile requests, {rounds} rounds")
    table.add_column("attack")
    table.add_column("answers")
    for name, answers in result.answers.items():
        table.add_row(name, "; ".join(f"{count} × {answer}" for answer, count in answers.most_common(4)))
    console.print(table)
    slowest = max(result.waits, default=float("nan"))
    middle = statistics.median(result.waits) if result.waits else float("nan")
    rows: tuple[tuple[str, str, str], ...] = (
        ("resident before", f"{result.before / 1e6:.0f} MB", ""),
        ("resident at the peak", f"{result.peak / 1e6:.0f} MB", f"at most {MOST_MEMORY / 1e6:.0f}"),
        ("visitors answered", f"{len(result.waits)} of {attack.visitors}", "all"),
        ("their wait, median", f"{middle:.1f} s", ""),
        ("their wait, longest", f"{slowest:.1f} s", f"{MOST_SECONDS:.0f} s"),
        ("tracebacks in the log", str(tracebacks), "none"),
    )
    table = Table()
    for heading in ("", "measured", "goal"):
        table.add_column(heading, justify="right" if heading else "left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for failure in result.failures:
        console.print(f"not answered: {failure}")


if __name__ == "__main__":
    typer.run(main)
