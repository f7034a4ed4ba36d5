"""A batch from its source to its output; what was done stays done when the process is killed."""

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

#: Photos and seconds after which a part is written: what a killed process has to do again, at most.
_PHOTOS, _SECONDS = 256, 5.0
_UNREAD = ("not_found", "unreadable")
Engine = Callable[[Iterable[Item]], Generator[Done, None, None]]


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        total: photos of the source; None: not known.
        before: photos that an earlier run had done.
        photos: done now.
        pets, bad: pets found and photos that cannot be used, of both.
        seconds: since the start.
    """

    total: int | None
    before: int = 0
    photos: int = 0
    pets: int = 0
    bad: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Photos a second."""
        return self.photos / self.seconds if self.seconds else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds left, as far as that can be said."""
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
    """The cores of this machine."""
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
    """Answer every photo of a source that is not answered yet, and write the output.

    Args:
        engine: answers photos, in order.
        about: as `about` makes it.
        crops: folder for each pet's crop.
        overwrite: see `Parts.opened`.
        progress: called after each photo.
        finish: called when the output is there and its parts still are.

    Raises:
        RequestError: see `Parts.opened`.
        StorageError: a disk refused, or the source is gone; the same command goes on from there.
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
    """What the rows of a run depend on, under the names that people know these things by."""
    return {
        "another source": where,
        "photos that have changed since": source.stamp,
        "another model": revision,
        "other settings": json.dumps(asdict(options), sort_keys=True),
    }


def write_crop(folder: Path, crop: Crop) -> None:
    """Save a crop; a photo that is done again writes the same file.

    Raises:
        StorageError: the disk refused.
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
