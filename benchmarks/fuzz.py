"""Fuzz every interface with broken photographs and broken JSON: ``python -m benchmarks.fuzz``.

A seeded generator corrupts photographs in every accepted format: it flips bits, truncates and splices files,
and changes length and size fields. Each input goes through the reader in a separate process and through one
interface of a running server, one after the other. Every input must be answered or refused with a documented
error code; anything else is a fault. A fault is printed with the number of its input, and the same ``--seed``
reproduces it.
"""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.photographs import DATA, photographs
from benchmarks.servers import server
from smartbreed.core.errors import PHOTO_CODES, PhotoError
from smartbreed.imaging.photo import read_photo

#: Goal: most seconds until any input is answered.
MOST_SECONDS = 2.0
#: Error codes for requests whose photo is not the problem.
REQUEST_CODES = {
    "bad_arguments", "bad_body", "bad_box", "bad_consent", "bad_label", "bad_label_text", "bad_pet",
    "bad_photos", "bad_request", "bad_score", "bad_species", "bad_top_k", "bad_verdict", "bad_whole",
    "consent_required", "no_pet", "no_such_pet", "one_photo", "too_long", "too_many_photos",
    "unknown_breed", "unknown_flag", "unknown_verdict",
}  # fmt: skip
#: Values that often break parsers.
_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_BOXES = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"moov": 0}
#: Values to put in place of the expected ones in JSON.
_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, float("nan"), float("inf"), "", "\0", "\ud800", "é" * 3000, [], {},
    [[[]]], {"path": "/etc/passwd"}, {"path": "../../etc/passwd", "meta": {"_type": "gradio.FileData"}},
    "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/", "http://[::1]/", "http://169.254.169.254/a",
    "data:image/png;base64,", "data:,x", "AAAA" * 20, "%00", "__proto__", "1; DROP TABLE flags", "<script>",
)  # fmt: skip


def encodings(photo: bytes) -> Iterator[tuple[str, bytes]]:
    """Encode a photograph in every accepted format, in the variants that decoders treat differently."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    picture = Image.open(io.BytesIO(photo)).convert("RGB")
    picture.thumbnail((320, 320))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"
    few, deep = picture.quantize(64), picture.convert("I;16")
    forms: list[tuple[str, Image.Image, dict[str, Any]]] = [
        ("JPEG", picture, {"exif": exif}),
        ("JPEG", picture, {"progressive": True, "quality": 80}),
        ("JPEG", picture.convert("CMYK"), {}),
        ("JPEG", picture.convert("L"), {"restart_marker_rows": 1}),
        ("PNG", picture, {"exif": exif}),
        ("PNG", few, {"transparency": 3}),
        ("PNG", deep, {}),
        ("PNG", picture, {"save_all": True, "append_images": [picture]}),
        ("GIF", few, {"transparency": 3}),
        ("GIF", few, {"save_all": True, "append_images": [few.rotate(90)], "duration": 50}),
        ("WEBP", picture, {"exif": exif}),
        ("WEBP", picture.convert("RGBA"), {"lossless": True, "method": 0}),
        ("WEBP", picture, {"save_all": True, "append_images": [picture.rotate(90)], "duration": 50}),
        ("BMP", picture, {}),
        ("BMP", few, {}),
        ("TIFF", picture, {"exif": exif}),
        *(
            ("TIFF", picture, {"compression": how})
            for how in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits")
        ),
        ("TIFF", picture.convert("1"), {"compression": "group4"}),
        ("TIFF", deep, {"big_tiff": True}),
        ("HEIF", picture, {"exif": exif}),
        ("AVIF", picture, {"exif": exif, "speed": 10}),
    ]
    for kind, image, options in forms:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        yield kind, buffer.getvalue()


def numbers_of(data: bytes) -> list[tuple[int, str]]:
    """Find the length and size fields of a file: the offset and the `struct` format of each."""
    found: list[tuple[int, str]] = []
    if data.startswith(b"\xff\xd8"):
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF:
            found.append((at + 2, ">H"))
            if 0xC0 <= data[at + 1] <= 0xC2:
                found += [(at + 5, ">H"), (at + 7, ">H"), (at + 9, "B"), (at + 11, "B")]
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    elif data.startswith(b"\x89PNG"):
        at = 8
        while at + 12 <= len(data) and len(found) < 200:
            found.append((at, ">I"))
            if data[at + 4 : at + 8] in (b"IHDR", b"acTL", b"fcTL"):
                found += [(at + 8, ">I"), (at + 12, ">I"), (at + 16, "B"), (at + 17, "B"), (at + 20, "B")]
            at += 12 + int.from_bytes(data[at : at + 4], "big")
    elif data.startswith(b"RIFF"):
        found, at = [(4, "<I"), (24, "<I"), (26, "<H"), (27, "<I")], 12
        while at + 8 <= len(data):
            found.append((at + 4, "<I"))
            at += 8 + int.from_bytes(data[at + 4 : at + 8], "little")
    elif data[4:8] == b"ftyp":
        found = list(_boxes(data, 0, len(data)))
    elif data[:2] in (b"II", b"MM"):
        order = "<" if data[:1] == b"I" else ">"
        big = data[2:4] in (b"+\0", b"\0+")
        word, count, size = ("Q", "Q", 20) if big else ("I", "H", 12)
        at = struct.unpack_from(order + word, data, 8 if big else 4)[0]
        entries = struct.unpack_from(order + count, data, at)[0]
        found = [(8 if big else 4, order + word), (at, order + count)]
        for entry in range(at + struct.calcsize(count), len(data) - size, size)[:entries]:
            found += [(entry, order + "H"), (entry + 2, order + "H"), (entry + 4, order + word)]
            found.append((entry + 4 + struct.calcsize(word), order + word))
    elif data.startswith(b"BM"):
        found = [(at, "<I") for at in (2, 10, 14, 18, 22, 30, 34, 46)] + [(26, "<H"), (28, "<H")]
    elif data.startswith(b"GIF"):
        found = [(6, "<H"), (8, "<H"), (10, "B"), (12, "B")]
        at = data.find(b",", 13)
        found += [(at + n, "<H") for n in (1, 3, 5, 7)] + [(at + 9, "B"), (at + 10, "B"), (at + 11, "B")]
    return [(at, form) for at, form in found if 0 <= at <= len(data) - struct.calcsize(form)]


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[int, str]]:
    while at + 8 <= end:
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if length < 8:
            return
        yield at, ">I"
        if name in _BOXES:
            yield from _boxes(data, at + 8 + _BOXES[name], at + length)
        elif name in (b"ispe", b"pitm", b"iloc", b"ipma", b"hvcC", b"av1C", b"pixi", b"irot"):
            yield from ((place, "B") for place in range(at + 8, min(at + length, at + 40)))
        at += length


def broken(rng: random.Random, data: bytes, others: list[tuple[str, bytes]]) -> bytes:
    """Corrupt a file one to four times."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        if data:
            data = rng.choice(_WAYS)(rng, data, others)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        data = _with_sums(data)
    return data


def _flip(rng: random.Random, data: bytes, _: Any) -> bytes:
    changed = bytearray(data)
    reach = len(data) if rng.random() < 0.5 else min(len(data), 600)  # favour headers, which matter most
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        changed[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: random.Random, data: bytes, _: Any) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.8 else data[rng.randrange(len(data)) :]


def _splice(rng: random.Random, data: bytes, others: list[tuple[str, bytes]]) -> bytes:
    other = rng.choice(others)[1]
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _run(rng: random.Random, data: bytes, _: Any) -> bytes:
    """Remove, repeat or randomise a run of bytes, or set all of them to one value."""
    at, length = rng.randrange(len(data)), rng.choice((1, 2, 4, 16, 256, 4096))
    part = data[at : at + length]
    new = rng.choice(
        (b"", part * rng.choice((2, 3, 50)), rng.randbytes(length), bytes([rng.randrange(256)]) * length)
    )
    return data[:at] + new + data[at + length :]


def _number(rng: random.Random, data: bytes, _: Any) -> bytes:
    try:
        places = numbers_of(data)
    except (struct.error, OverflowError):
        places = []
    at, form = rng.choice(places) if places else (rng.randrange(len(data)), "B")
    size = struct.calcsize(form)
    [before] = struct.unpack_from(form, data, at)
    value = rng.choice((*_NUMBERS, before + 1, before - 1, before * 2, len(data), rng.getrandbits(8 * size)))
    return data[:at] + struct.pack(form, value % (1 << 8 * size)) + data[at + size :]


#: Ways to corrupt a file. Wrong numbers get deeper into a parser than flipped bits, so they come twice.
_WAYS: tuple[Callable[[random.Random, bytes, Any], bytes], ...] = (
    _flip,
    _cut,
    _splice,
    _run,
    _number,
    _number,
)


def _with_sums(png: bytes) -> bytes:
    """Correct the checksums of a PNG, so that decoders get as far as the corrupted content of its chunks."""
    changed, at = bytearray(png), 8
    while at + 12 <= len(changed):
        end = at + 8 + int.from_bytes(changed[at : at + 4], "big")
        if end + 4 > len(changed):
            break
        changed[end : end + 4] = struct.pack(">I", zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


def odd(rng: random.Random, value: Any) -> Any:
    """Return a copy of a JSON value with something missing, added or replaced."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        changed = copy.copy(value)
        name = rng.choice(list(value))
        how = rng.randrange(4)
        if how == 0:
            del changed[name]
        elif how == 1:
            changed[rng.choice(("images", "box", "pet", "\0", "event_id", "x" * 200))] = rng.choice(_ODD)
        else:
            changed[name] = odd(rng, value[name])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        tail = [rng.choice(_ODD)] * rng.choice((0, 0, 1, 40))
        return [*value[:place], odd(rng, value[place]), *value[place + 1 :], *tail]
    return rng.choice(_ODD)


def document(rng: random.Random, value: Any) -> bytes:
    """Corrupt a JSON value and encode it; the bytes may be corrupted too."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = odd(rng, value)
    text = json.dumps(value)
    data = text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")))
    return broken(rng, data, [("", data)]) if rng.random() < 0.4 else data


@dataclass
class Row:
    """The results of one interface.

    Attributes:
        answers: counts of ``answered``, of each error code, and of ``fault``.
        slowest, slowest_input: longest time in seconds, and the number of its input.
        slow: number of inputs that took over `MOST_SECONDS`.
        faults: a line for each fault, with the number of its input.
    """

    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_input: int = 0
    slow: int = 0
    faults: list[str] = field(default_factory=list)


def read(data: bytes) -> str:
    """Read a file as the app does and return ``answered`` or an error code.

    Unexpected exceptions pass through; other faults are returned as a description.
    """
    try:
        photo = read_photo(data, reduce=True)
    except PhotoError as error:
        return error.code if PHOTO_CODES[error.code] == error.status else f"status {error.status}"
    return "answered" if photo.pixels.shape[2] == 3 else f"shape {photo.pixels.shape}"


class Reader:
    """Runs `read` in a separate process, which is restarted if a decoder crashes it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))
        self._pool.submit(read, b"BM").result()

    def read(self, data: bytes) -> str:
        try:
            return self._pool.submit(read, data).result()
        except BrokenProcessPool:
            self._start()
            return "the process crashed"

    def close(self) -> None:
        self._pool.shutdown()


class Interfaces:
    """The interfaces of a running server.

    Args:
        url: address of the server, with a slash at its end.

    Attributes:
        of_photos: functions that send a file to an interface, by its name.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=120)
        self.of_photos = {
            "REST, bytes": lambda data: self._rest(content=data),
            "REST, form": lambda data: self._rest(files={"photo": ("a.jpg", data)}),
            "REST, JSON": lambda data: self._rest(json={"image": base64.b64encode(data).decode()}),
            "gradio, data URL": lambda data: self._gradio("data:;base64," + base64.b64encode(data).decode()),
            "gradio, upload": self._upload,
        }

    def document(self, rng: random.Random, photo: bytes) -> tuple[str, Callable[[], str]]:
        """Make a broken JSON request; return its interface and a function that sends it."""
        text = base64.b64encode(photo).decode()
        route, value = rng.choice((
            ("api/identify", {"image": text, "top_k": 3, "whole": True, "score": 0.5}),
            ("api/identify", {"images": [text, text], "top_k": 3}),
            ("api/flag", {"image": text, "pet": 1, "verdict": "wrong", "label": "pug", "consent": False}),
            ("api/withdraw", {"flag_id": "0" * 32, "receipt": "a.b"}),
            ("gradio_api/run/identify", {"data": [text, True, 3, 0.5], "session_hash": "fuzz"}),
            ("gradio_api/run/identify_many", {"data": [[text, text], False, 3, None]}),
            ("gradio_api/run/flag", {"data": [text, 1, "wrong", "pug", "", False, False, None, None, ""]}),
            ("gradio_api/call/explain", {"data": [text, 1, "", True, None]}),
            ("gradio_api/call/v2/identify", {"photo": text, "whole": True, "top_k": 3}),
            ("gradio_api/queue/join", {"data": [text], "fn_index": 3, "session_hash": "fuzz"}),
        ))  # fmt: skip
        kind = rng.choice(("application/json",) * 5 + ("application/json; charset=utf-16", "text/plain"))
        body = document(rng, value)
        interface = "REST, broken JSON" if route.startswith("api/") else "gradio, broken JSON"
        return interface, lambda: self._answer(
            self._client.post(route, content=body, headers={"Content-Type": kind})
        )

    def _rest(self, **sent: Any) -> str:
        return self._answer(self._client.post("api/identify", **sent))

    def _gradio(self, photo: Any) -> str:
        asked = {"data": [photo, False, 3, None]}
        return self._answer(self._client.post("gradio_api/run/identify", json=asked))

    def _upload(self, data: bytes) -> str:
        sent = self._client.post("gradio_api/upload", files={"files": ("a.jpg", data)})
        if sent.status_code != 200:
            return self._answer(sent)
        return self._gradio({"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}})

    @staticmethod
    def _answer(answer: httpx.Response) -> str:
        """Return ``answered`` or a documented error code; for a fault, a description with a space in it."""
        if answer.status_code >= 500 or "Traceback" in answer.text:
            return f"{answer.status_code} {answer.text[:200]}"
        try:
            said = answer.json()
        except ValueError:
            return f"{answer.status_code} no JSON: {answer.text[:200]}"
        if isinstance(said, dict) and isinstance(said.get("data"), list) and answer.status_code == 200:
            [said] = said["data"]  # gradio's run route wraps the answer in a list
        if isinstance(said, dict) and isinstance(said.get("error"), dict):
            code = said["error"]["code"]
        elif isinstance(said, dict) and "title" in said and answer.status_code == 422:
            code = said["title"]
        elif answer.status_code == 200:
            return "answered"
        else:
            return f"{answer.status_code} {answer.text[:200]}"
        return code if code in PHOTO_CODES or code in REQUEST_CODES else f"unknown code {code!r}"


def inputs(count: int, seed: int, photos: list[bytes]) -> Iterator[tuple[int, random.Random, str, bytes]]:
    """Yield broken files: number, random generator for further choices, format and bytes."""
    files = [form for photo in photos for form in encodings(photo)]
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind, data = rng.choice(files)
        yield number, rng, kind, broken(rng, data, files)


def run(url: str, count: int, seed: int, photos: list[bytes], share_of_json: float = 0.2) -> dict[str, Row]:
    """Send all inputs one after the other; return a row of results for each interface."""
    rows: dict[str, Row] = {}
    interfaces = Interfaces(url)
    names, reader = list(interfaces.of_photos), Reader()
    for number, rng, kind, data in inputs(count, seed, photos):
        calls: list[tuple[str, Callable[[], str]]] = []
        if rng.random() < share_of_json:
            calls.append(interfaces.document(rng, rng.choice(photos)))
        else:
            name = names[number % len(names)]
            calls.append(("the reader", partial(reader.read, data)))
            calls.append((name, partial(interfaces.of_photos[name], data)))
        for name, call in calls:
            row = rows.setdefault(name, Row())
            started = time.perf_counter()
            try:
                said = call()
            except Exception as error:
                said = f"raised {type(error).__name__}: {error}"
            took = time.perf_counter() - started
            if took > row.slowest:
                row.slowest, row.slowest_input = took, number
            row.slow += took > MOST_SECONDS
            if said == "answered" or said in PHOTO_CODES or said in REQUEST_CODES:
                row.answers[said] += 1
            else:
                row.answers["fault"] += 1
                row.faults.append(f"input {number} ({kind}) at {name}: {said[:300]}")
    reader.close()
    return rows


def main(
    count: Annotated[int, typer.Option(min=1, help="Inputs in all.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same inputs.")] = 0,
    data: Annotated[str, typer.Option(help="Dataset folder with photographs.")] = DATA,
) -> None:
    """Send the inputs and print the results; the status is 1 if there are faults."""
    photos = photographs(data, 12)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (url, process, log):
        with httpx.Client(timeout=60) as client:  # warm up: loading on first use must not count
            client.post(url + "api/identify", content=photos[0])
        rows = run(url, count, seed, photos)
        died, said = process.poll() is not None, log.read_text(errors="replace")
    table = Table(title=f"{count:,} broken inputs, seed {seed}")
    for heading in ("interface", "sent", "answered", "refused, by code", "slowest", "over 2 s", "faults"):
        table.add_column(heading)
    for name, row in rows.items():
        refused = ", ".join(
            f"{n} {code}" for code, n in row.answers.most_common() if code not in ("answered", "fault")
        )
        table.add_row(
            name, f"{row.answers.total():,}", f"{row.answers['answered']:,}", refused,
            f"{row.slowest:.2f} s (input {row.slowest_input})", str(row.slow), str(len(row.faults)),
        )  # fmt: skip
    console = Console(width=150)
    console.print(table)
    tracebacks = said.count("Traceback")
    console.print(f"the server {'DIED' if died else 'lives'}; tracebacks in its log: {tracebacks}")
    if tracebacks:
        console.print(said[said.index("Traceback") :][:20_000], markup=False)
    for fault in (fault for row in rows.values() for fault in row.faults):
        console.print(fault, markup=False)
    raise typer.Exit(died or tracebacks > 0 or any(row.faults for row in rows.values()))


if __name__ == "__main__":
    typer.run(main)
