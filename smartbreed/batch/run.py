"""A batch run from its source to its output; it can be resumed after the process was killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.batch import local
from smartbreed.batch.parts import Parts
from smartbreed.batch.worker import Crop, Done, Options
from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors
from smartbreed.sources.items import Item, Source

if TYPE_CHECKING:
    from smartbreed.inference.pipeline import Identifier

#: Photos and seconds after which a part is written, and so the most work that a killed process loses.
_PHOTOS, _SECONDS = 256, 5.0
_UNREAD = ("not_found", "unreadable")
Engine = Callable[[Iterable[Item]], Generator[Done, None, None]]


@dataclass
class Progress:
    """The progress of a run.

    Attributes:
        total: number of photos in the source; None if unknown.
        before: number of photos that an earlier run finished.
        photos: number of photos that this run has finished.
        pets, bad: number of pets found and of photos that cannot be used, in both runs.
        seconds: since the start of this run.
    """

    total: int | None
    before: int = 0
    photos: int = 0
    pets: int = 0
    bad: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Photos per second."""
        return self.photos / self.seconds if self.seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """Estimated seconds left; None if unknown."""
        left = None if self.total is None else self.total - self.before - self.photos
        return left / self.rate if left is not None and self.rate else None

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total is not None else ""
        left = f", {_duration(self.left_s)} left" if self.left_s else ""
        return (
            f"{self.before + self.photos:,}{of} photos, {self.rate:.1f} a second{left}; "
            f"{self.pets:,} pets, {self.bad:,} unusable photos"
        )


def local_engine(identifier: Identifier, options: Options) -> Engine:
    """Return an engine that uses the cores of this machine."""
    return lambda items: local.answers(identifier, options, items)


def run(
    source: Source,
    parts: Parts,
    engine: Engine,
    about: dict[str, str],
    *,
    crops: Path | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], object] = lambda report: None,
    finish: Callable[[], object] = lambda: None,
) -> Progress:
    """Process every photo of a source that an earlier run has not finished, and write the output.

    Args:
        engine: yields the results of photos, in order.
        about: as the function `about` returns it.
        crops: folder for each pet's crop; None: crops are not saved.
        overwrite: see `Parts.opened`.
        progress: called after each photo.
        finish: called after the output is written and before its parts are deleted.

    Raises:
        RequestError: see `Parts.opened`.
        StorageError: a disk failed, or the source is gone; the same command resumes from there.
    """
    with parts.opened(about, overwrite) as before:
        report = Progress(source.total, before.photos, pets=before.pets, bad=before.bad)
        started = sealed = time.monotonic()
        try:
            with closing(engine(source.start_at(before.photos))) as answers:
                for done in answers:
                    if done.error in _UNREAD and not source.exists():
                        raise StorageError(
                            "The source is gone. What was done is kept: the same command goes on from there."
                        )
                    if crops:
                        for crop in done.crops:
                            write_crop(crops, crop)
                    parts.add(done)
                    report.photos += 1
                    report.pets += sum(bool(row.get("pet")) for row in done.rows)
                    report.bad += bool(done.error)
                    now = time.monotonic()
                    report.seconds = now - started
                    progress(report)
                    if parts.pending >= _PHOTOS or now - sealed >= _SECONDS:
                        parts.seal()
                        sealed = now
        finally:
            parts.seal()
        parts.merge()
        finish()
        parts.remove()
    return report


def about(where: str, source: Source, revision: str, options: Options) -> dict[str, str]:
    """Return what the rows of a run depend on; the keys are words for messages about a change."""
    return {
        "another source": where,
        "photos that have changed since": source.stamp,
        "another model": revision,
        "other settings": json.dumps(asdict(options), sort_keys=True),
    }


def write_crop(folder: Path, crop: Crop) -> None:
    """Save a crop; a photo that is processed again overwrites the same file.

    Raises:
        StorageError: the disk failed.
    """
    path = folder / crop.path
    with disk_errors("A crop cannot be saved; what was done is kept, and the same command goes on"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(crop.jpeg)


def _duration(seconds: float | None) -> str:
    whole = int(seconds or 0)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
