"""Fill a gallery from a source; a build that was stopped or killed can be resumed."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import sqlalchemy as sa

from smartbreed.breeds.catalogue import resolve
from smartbreed.core.database import read, write
from smartbreed.core.errors import PhotoError, RequestError
from smartbreed.gallery.gallery import KEPT_SIDE, Gallery, embedded
from smartbreed.gallery.graph import available, most_photos
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.imaging.photo import encode_jpeg, read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.review.near_duplicates import ALIKE, BITS, BOTH
from smartbreed.sources.items import Item, Source

#: Photos per commit; a killed process repeats at most so many.
_BATCH = 16
_NO_BREED = "No breed is called"
#: The split in a path such as ``test/pug/1.jpg`` or ``breeds/train-00000-of-00002.parquet``.
_PART = re.compile(r"(?:^|[/_-])(train|test|validation|val)(?=[/._-])")


@dataclass
class Progress:
    """The progress of a build.

    Attributes:
        total: number of photos in the source; None if unknown.
        kept, known, duplicates: photos that were added, that were processed before, or that are
            near-duplicates.
        problems: number of unusable photos, by the reason in a sentence.
        seconds: time since the start.
    """

    total: int | None = None
    kept: int = 0
    known: int = 0
    duplicates: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def bad(self) -> int:
        return self.problems.total()

    @property
    def seen(self) -> int:
        return self.kept + self.known + self.duplicates + self.bad

    @property
    def rate(self) -> float:
        """Photos processed per second, without those known before."""
        return (self.seen - self.known) / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total else ""
        return (
            f"{self.seen}{of} photos, {self.rate:.1f} a second: {self.kept} new, {self.known} known, "
            f"{self.duplicates} near-duplicates, {self.bad} unusable"
        )


def build(
    gallery: Gallery, identifier: Identifier, source: Source, progress: Callable[[Progress], object]
) -> Progress:
    """Add a source's photos to a gallery, and update the index.

    Args:
        identifier: the serving model.
        progress: called after each batch of photos.

    Raises:
        RequestError: ``busy`` if another process builds the gallery; ``full`` if it holds `most_photos`.
        StorageError: disk or database refused; photos committed before are kept.
    """
    with gallery.adding() as alone:
        if not alone:
            raise RequestError("busy", "The gallery is being built by another process.", status=503)
        report = _Builder(gallery, identifier).run(source, progress)
    gallery.refresh_all()
    return report


class _Builder:
    def __init__(self, gallery: Gallery, identifier: Identifier) -> None:
        self._gallery, self._identifier = gallery, identifier
        self._model = identifier.bundle.version.revision
        self._ids: dict[str, str] = {}
        row = GalleryPhoto
        query = sa.select(row.origin, row.state, row.model, row.embedding, row.phash)
        with write(gallery.sessions) as session:  # rows of earlier versions: their breeds may have names now
            session.execute(sa.delete(row).where(row.state == "bad", row.problem.startswith(_NO_BREED)))
        with read(gallery.sessions) as session:
            rows = session.execute(query).all()
        self._known = {row.origin for row in rows}
        same = [row for row in rows if row.state == "kept" and row.model == self._model]
        self._room, self._filled = np.zeros((0, 0), np.float32), 0
        self._vectors = [np.frombuffer(row.embedding, np.float16).astype(np.float32) for row in same]
        self._hashes = [int(row.phash, 16) for row in same]
        self._kept = sum(row.state == "kept" for row in rows)

    def run(self, source: Source, progress: Callable[[Progress], object]) -> Progress:
        report, started = Progress(source.total), time.monotonic()
        with ThreadPoolExecutor(self._identifier.threads) as pool:
            photos = source.photos
            while batch := list(islice(photos, _BATCH)):
                rows = []
                for outcome in pool.map(self._look, batch):
                    if isinstance(outcome, str):
                        report.problems[outcome] += 1
                    elif outcome is None or outcome[0].origin in self._known:
                        report.known += 1
                    else:
                        rows.append(self._add(*outcome, report))
                if rows:
                    with write(self._gallery.sessions) as session:
                        session.add_all(rows)
                report.seconds = time.monotonic() - started
                progress(report)
                if self._kept >= most_photos():
                    raise RequestError("full", _full(most_photos()))
        return report

    def _add(self, row: GalleryPhoto, jpeg: bytes, report: Progress) -> GalleryPhoto:
        """Count a new photo, and store its picture unless it is a near-duplicate or unusable."""
        self._known.add(row.origin)
        if row.state == "kept" and self._is_duplicate(row):
            row.state, row.embedding = "duplicate", None
        if row.state == "kept":
            # The picture is stored before its row is committed, so that no row lacks its picture.
            row.picture = self._gallery.pictures.put(jpeg)
            report.kept += 1
            self._kept += 1
        elif row.state == "duplicate":
            report.duplicates += 1
        else:
            report.problems[row.problem or ""] += 1
        return row

    def _look(self, found: Item) -> tuple[GalleryPhoto, bytes] | str | None:
        """Process a photo.

        Returns:
            A new row and its picture; None if the photo is known; a sentence without a row if its file cannot
            be read or no breed is called so: a later build tries it again.
        """
        settings = self._gallery.settings
        try:
            data = found.read(settings.max_bytes)
        except PhotoError as error:
            return error.message
        origin = hashlib.sha256(data).hexdigest()
        if origin in self._known:
            return None
        label = self._label(found.label)
        if not label:
            return f"{_NO_BREED} {found.label[:60]!r}."
        row = GalleryPhoto(origin=origin, label=label, model=self._model, pets=0, part=_part(found.name))
        jpeg = b""
        try:
            photo = read_photo(
                data, max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, reduce=True
            )
            picture = photo.to_pil()
            picture.thumbnail((KEPT_SIDE, KEPT_SIDE), reducing_gap=2.0)
            jpeg = encode_jpeg(np.asarray(picture), 90)
            for name, value in embedded(self._identifier, read_photo(jpeg)).items():
                setattr(row, name, value)
        except PhotoError as error:
            row.state, row.problem = "bad", error.message[:300]
        return row, jpeg

    def _label(self, text: str) -> str:
        """Return the id of the breed of this name; empty if there is none."""
        if text not in self._ids:
            breeds = self._identifier.known.breeds
            named = text if text in self._identifier.known.ids else getattr(resolve(text, breeds), "id", "")
            self._ids[text] = named
        return self._ids[text]

    def _is_duplicate(self, row: GalleryPhoto) -> bool:
        """True for a near-duplicate of a kept photo; any other photo is added to those to compare with."""
        vector = np.frombuffer(row.embedding or b"", np.float16).astype(np.float32)
        phash = int(row.phash or "0", 16)
        if self._vectors:
            similar = self._matrix() @ vector
            bits = np.bitwise_count(np.array(self._hashes, np.uint64) ^ np.uint64(phash))
            if bool(((similar >= ALIKE) | (bits <= BITS) | ((similar >= BOTH[0]) & (bits <= BOTH[1]))).any()):
                return True
        self._vectors.append(vector)
        self._hashes.append(phash)
        return False

    def _matrix(self) -> np.ndarray:
        """Return all vectors as an array ``(n, d)``, in a buffer that doubles when it is full."""
        count, width = len(self._vectors), len(self._vectors[0])
        if len(self._room) < count:
            self._room, self._filled = np.zeros((max(1024, 2 * count), width), np.float32), 0
        if self._filled < count:
            self._room[self._filled : count] = self._vectors[self._filled :]
            self._filled = count
        return self._room[:count]


def _part(name: str) -> str | None:
    """Return the split named in a path: ``train``, or ``test`` (also for validation); else None."""
    named = _PART.search(name)
    return {"train": "train"}.get(named[1], "test") if named else None


def shown_problems(report: Progress) -> Iterator[str]:
    """Yield a line for each reason why photos were unusable, most frequent first, at most 20."""
    for sentence, number in report.problems.most_common(20):
        yield f"{number} unusable: {sentence}"


def _full(most: int) -> str:
    more = "" if available() else " With usearch it holds more: pip install 'smartbreed[gallery]'."
    return f"A gallery holds at most {most:,} photos; this one is full.{more}"
