"""Measure how costs grow with the amount of data: ``python -m benchmarks.growth``.

The size of a photo, its number of pets, the counted answers, the saved flags, the photographs of the gallery
and the breeds of the model vary one at a time. Photos are real ones, enlarged or put together; answers,
flags, embeddings and further breeds are synthetic. All times are CPU time of all threads, which is an upper
bound of the wall time on an idle machine.
"""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from benchmarks import statistics
from benchmarks.conditions import noted
from benchmarks.photographs import DATA, photographs
from benchmarks.sheet import Sheet, show
from benchmarks.sides import median, say
from smartbreed import feedback_loop
from smartbreed.core.native import native_silence
from smartbreed.core.settings import load_settings
from smartbreed.gallery.index import read_index, write_index
from smartbreed.imaging import decoders
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.bundle import Bundle, load_bundle, write_config
from smartbreed.inference.head import Head, read_head, replace_head
from smartbreed.inference.pipeline import Identifier
from smartbreed.registry import open_bundle
from smartbreed.review.queue import Filters
from smartbreed.services import Services
from smartbreed.web.pages.review.desk import MOST
from smartbreed.web.pages.statistics.page import StatisticsPages

MEGAPIXELS = (0.3, 1.0, 4.0, 12.0, 48.0)
PETS = (1, 2, 4, 9, 16)
COUNTS = (1_000, 100_000, 1_000_000)
GALLERY = (1_000, 10_000, 100_000)
BREEDS = (133, 500, 1_000, 5_000)
#: Goal: most seconds until any page is ready, with a million answers or flags.
MOST_SECONDS = statistics.MOST_SECONDS
#: Longest side in pixels of a picture of several photographs; small enough that the app uses no tiles.
_MOSAIC = 960
#: Number of similar photos that the gallery shows beside an answer.
_ALIKE = 6
#: Most repetitions of a page, as one with a million rows behind it may take a minute.
_FEW = 3


def middle_ms(work: Callable[[], object], times: int) -> float:
    """Measure the median CPU time of a call in ms, decoding workers included, after one call as warm-up."""
    work()
    taken = []
    for _ in range(times):
        feedback_loop.forget_statistics()
        elsewhere, started = _of_workers(), time.process_time()
        work()
        used = time.process_time() - started
        taken.append(used + _of_workers() - elsewhere)
    return median(taken) * 1000


def _of_workers() -> float:
    """Return the CPU seconds of the worker processes that decode the largest photos."""
    used = 0.0
    for pid in decoders.shared.pids:
        times = psutil.Process(pid).cpu_times()
        used += times.user + times.system
    return used


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def enlarged(photo: bytes, megapixels: float) -> bytes:
    """Enlarge a photograph to about ``megapixels`` and encode it as JPEG."""
    picture = Image.open(io.BytesIO(photo)).convert("RGB")
    factor = (megapixels * 1e6 / (picture.width * picture.height)) ** 0.5
    size = (round(picture.width * factor), round(picture.height * factor))
    return _jpeg(picture.resize(size, Image.Resampling.BICUBIC))


def mosaic(photos: Sequence[bytes], count: int) -> bytes:
    """Put ``count`` photographs into one picture in rows and columns, as JPEG."""
    columns = int(np.ceil(count**0.5))
    rows = -(-count // columns)
    cell = _MOSAIC // max(columns, rows)
    picture = Image.new("RGB", (columns * cell, rows * cell), (120, 120, 120))
    for number in range(count):
        one = Image.open(io.BytesIO(photos[number % len(photos)])).convert("RGB")
        one.thumbnail((cell, cell))
        picture.paste(one, (number % columns * cell, number // columns * cell))
    return _jpeg(picture)


def photo_sizes(photos: list[bytes], sizes: Iterable[float], times: int) -> Sheet:
    """Measure how long reading and identifying one photograph takes at several sizes."""
    sheet = Sheet(
        "Cost by the size of a photo (JPEG), median CPU ms",
        ("megapixels", "file MB", "read and decode", "name its pets", "pets"),
    )
    identifier = _identifier()
    for megapixels in sizes:
        say(f"growth: a photo of {megapixels} megapixels")
        data = enlarged(photos[0], megapixels)
        reading = middle_ms(partial(read_photo, data, reduce=True), times)
        photo = read_photo(data, reduce=True)
        naming = middle_ms(partial(identifier.identify, photo), times)
        pets = len(identifier.identify(photo).pets)
        sheet.add(f"{megapixels:g}", f"{len(data) / 1e6:.1f}", f"{reading:.1f}", f"{naming:.1f}", str(pets))
    return sheet


def pets_a_photo(photos: list[bytes], counts: Iterable[int], times: int) -> Sheet:
    """Measure how long identifying the pets in one picture of several photographs takes."""
    sheet = Sheet(
        f"Cost by the pets of a photo ({_MOSAIC} pixels), median CPU ms",
        ("photographs put together", "pets found", "name its pets", "ms a pet found"),
    )
    identifier = _identifier()
    for count in counts:
        say(f"growth: {count} photographs in one")
        photo = read_photo(mosaic(photos, count))
        naming = middle_ms(partial(identifier.identify, photo), times)
        pets = len(identifier.identify(photo).pets)
        sheet.add(str(count), str(pets), f"{naming:.1f}", f"{naming / max(pets, 1):.1f}")
    return sheet


def answers_and_flags(counts: Sequence[int], times: int) -> Iterator[Sheet]:
    """Measure how long pages take with growing numbers of counted answers and of saved flags."""
    answers = Sheet(
        "Cost by the answers counted, median CPU ms",
        ("answers", "/statistics", "with all breeds", "/statistics/days.csv", "noting one answer"),
    )
    flags = Sheet(
        "Cost by the flags that wait, median CPU ms",
        ("flags", "/statistics", "list of /review", "its counts", "look up one flag"),
    )
    for sheet, work in ((answers, _answers), (flags, _flags)):
        with tempfile.TemporaryDirectory() as home:
            services = Services(load_settings(home=Path(home), hub="embedded"))
            with native_silence():
                services.identifier  # noqa: B018 - loads the model
            slowest = 0.0
            for before, count in zip((0, *counts), counts, strict=False):
                say(f"growth: {sheet.headings[0]}, {count:,}")
                cells = work(services, range(before, count), min(times, _FEW))
                slowest = max(slowest, *cells)
                sheet.add(f"{count:,}", *(f"{cell:.3g}" for cell in cells))
            services.stop()
        sheet.notes.append(
            f"The slowest takes {slowest / 1000:.2f} s (goal: every page within {MOST_SECONDS:.0f} s)."
        )
        yield sheet


def _pages(services: Services, times: int, *addresses: str) -> list[float]:
    """Return the median CPU ms of each page, rendered without caches."""
    client = TestClient(Starlette(routes=StatisticsPages(services).routes()))
    return [
        middle_ms(lambda address=address: client.get(address).raise_for_status(), times)  # type: ignore[misc]
        for address in addresses
    ]


def _answers(services: Services, numbers: range, times: int) -> list[float]:
    version = services.identifier.bundle.version.version
    statistics.fill_answers(services.flags.sessions, numbers, services.identifier.labels, version)
    pages = _pages(services, times, "/statistics", "/statistics?all=1&sort=f1", "/statistics/days.csv")
    return [*pages, statistics.note_seconds(services) * 1000]


def _flags(services: Services, numbers: range, times: int) -> list[float]:
    revision = services.identifier.bundle.version.revision
    statistics.fill_flags(services.flags.sessions, numbers, services.identifier.labels, revision)
    services.review.catch_up()  # as the app does in the background
    one = f"{numbers.stop // 2:026d}"
    return [
        *_pages(services, times, "/statistics"),
        middle_ms(lambda: services.review.top(Filters(), MOST), times),
        middle_ms(services.review.progress, times),
        middle_ms(lambda: services.review.current([one]), times),
    ]


def gallery(counts: Iterable[int], times: int) -> Sheet:
    """Measure how long the search for similar photographs takes in galleries of several sizes."""
    sheet = Sheet(
        "Cost by the photographs of the gallery, median CPU ms",
        ("photographs", "index MB", f"the {_ALIKE} most alike"),
    )
    width = len(
        _identifier().identify(read_photo(np.zeros((64, 64, 3), np.uint8)), whole=True).pets[0].embedding
    )
    chance = np.random.default_rng(0)
    for count in counts:
        say(f"growth: a gallery of {count:,}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "embeddings.npy"
            rows = ((f"{n:026d}", _unit(chance, width).tobytes()) for n in range(count))
            write_index(path, "stamp", rows, count, width)
            index = read_index(path)
            assert index is not None
            looking = middle_ms(partial(index.nearest, _unit(chance, width), _ALIKE), times)
            sheet.add(f"{count:,}", f"{path.stat().st_size / 1e6:.0f}", f"{looking:.2f}")
            del index
    return sheet


def _unit(chance: np.random.Generator, width: int) -> np.ndarray:
    drawn = chance.normal(size=width)
    return np.asarray(drawn / np.linalg.norm(drawn), np.float16)


def breeds(photo: bytes, counts: Iterable[int], times: int) -> Sheet:
    """Measure how long identifying one pet takes with more breeds; those added are perturbed copies."""
    sheet = Sheet(
        "Cost by the breeds of the model, median CPU ms",
        ("breeds", "network MB", "name the pet of a crop", "the answer as JSON, all breeds listed"),
    )
    base = open_bundle(load_settings())
    for count in counts:
        say(f"growth: a model of {count:,} breeds")
        with tempfile.TemporaryDirectory() as folder, native_silence():
            bundle = with_breeds(base, count, Path(folder))
            identifier = Identifier(bundle)
            crop = read_photo(photo)
            naming = middle_ms(partial(identifier.identify, crop, whole=True), times)
            answer = identifier.identify(crop, whole=True, top_k=count)
            saying = middle_ms(lambda answer=answer: json.dumps(answer.as_dict()), times)  # type: ignore[misc]
            size = bundle.path(bundle.config.classifier.file).stat().st_size / 1e6
        sheet.add(f"{count:,}", f"{size:.1f}", f"{naming:.1f}", f"{saying:.2f}")
    return sheet


def with_breeds(base: Bundle, count: int, folder: Path) -> Bundle:
    """Write a copy of a bundle with ``count`` labels and without its detector, and load it."""
    config = json.loads((base.folder / "config.json").read_text())
    section = config["classifier"]
    content = base.path(section["file"]).read_bytes()
    head, labels, bias = read_head(content), section["labels"], section.get("bias") or []
    chance, own = np.random.default_rng(0), len(labels)
    rows = np.arange(count) % own
    moved = chance.normal(0, 0.01, (len(head.kernel), count)).astype(np.float32)
    moved[:, :own] = 0
    (folder / section["file"]).write_bytes(
        replace_head(content, Head(head.kernel[:, rows] + moved, head.bias[rows]))
    )
    section["labels"] = [
        labels[row]
        if number < own
        else {**labels[row], "id": f"made_up_{number}", "name": f"Made up {number}"}
        for number, row in enumerate(rows.tolist())
    ]
    section["bias"] = [bias[row] for row in rows.tolist()] if bias else []
    for name in ("weights",):
        section.pop(name, None)
    for name in ("detector", "self_test", "files"):
        config.pop(name, None)
    write_config(folder, config)
    return load_bundle(folder)


def _identifier() -> Identifier:
    with native_silence():
        return Identifier(open_bundle(load_settings()))


@dataclasses.dataclass(frozen=True)
class Extent:
    """The sizes to measure in each table, and the number of measurements of each figure."""

    megapixels: tuple[float, ...] = MEGAPIXELS
    pets: tuple[int, ...] = PETS
    counts: tuple[int, ...] = COUNTS
    gallery: tuple[int, ...] = GALLERY
    breeds: tuple[int, ...] = BREEDS
    times: int = 9


def measure(data: str = DATA, extent: Extent = Extent()) -> Iterator[Sheet]:
    """Measure and yield the tables.

    Args:
        data: folder of photographs.
        extent: the sizes to measure.
    """
    photos = photographs(data, max(extent.pets))
    makers: list[Callable[[], Iterable[Sheet]]] = [
        lambda: [photo_sizes(photos, extent.megapixels, extent.times)],
        lambda: [pets_a_photo(photos, extent.pets, extent.times)],
        lambda: answers_and_flags(extent.counts, extent.times),
        lambda: [gallery(extent.gallery, extent.times)],
        lambda: [breeds(photos[0], extent.breeds, extent.times)],
    ]
    for make in makers:
        sheets: list[Sheet] = []
        with noted(sheets):
            sheets += make()
        yield from sheets


#: Arguments of `measure` for a smoke test.
QUICK: dict[str, Any] = {
    "extent": Extent((0.3, 1.0), (1, 4), (200, 1_000), (100, 1_000), (133, 200), 3),
}  # fmt: skip


def main(
    data: Annotated[str, typer.Option(help="Dataset folder with the scenes test split.")] = DATA,
) -> None:
    """Print the tables."""
    show(measure(data))


if __name__ == "__main__":
    typer.run(main)
