"""Process one photo of a batch: from its bytes to rows, and to crops and thumbnails if requested."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from smartbreed.batch.rows import Row, rows_of
from smartbreed.core.errors import PhotoError
from smartbreed.imaging.admission import Admission
from smartbreed.imaging.photo import Photo, encode_jpeg, read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure, Pet
from smartbreed.sources.items import Item

#: Longest side of a thumbnail, in pixels.
THUMBNAIL = 128


@dataclass(frozen=True)
class Options:
    """How a run processes each photo.

    Attributes:
        top_k, whole, score: as `Identifier.identify` takes them.
        max_bytes, max_pixels: limits of a photo.
        crops, thumbnails: whether to cut out each pet in full size, and as a thumbnail.
    """

    top_k: int
    max_bytes: int
    max_pixels: int
    whole: bool = False
    score: float | None = None
    crops: bool = False
    thumbnails: bool = False


class Crop(NamedTuple):
    """A pet cut out of its photo: its path below the folder of crops, and its JPEG."""

    path: str
    jpeg: bytes


@dataclass
class Done:
    """The result of one photo; ``thumbnails`` has one for each row, or is empty."""

    rows: list[Row]
    thumbnails: list[bytes] = field(default_factory=list)
    crops: list[Crop] = field(default_factory=list)

    @property
    def error(self) -> str:
        """Code of the error if the photo could not be used; else empty."""
        return str(self.rows[0].get("error") or "")


def read(item: Item, options: Options) -> bytes | PhotoError:
    """Read the bytes of a photo; an error is returned, because it becomes the photo's row."""
    try:
        return item.read(options.max_bytes)
    except PhotoError as error:
        return error


def work(
    identifier: Identifier, options: Options, name: str, data: bytes | PhotoError, admission: Admission
) -> Done:
    """Identify the pets in one photo.

    Args:
        name: name of the photo in its source.
        data: its bytes, or the error of reading them.
        admission: waits until there is memory for its pixels.
    """
    try:
        if isinstance(data, PhotoError):
            raise data
        photo = read_photo(
            data, name=name, max_bytes=options.max_bytes, max_pixels=options.max_pixels,
            admission=admission, reduce=True,
        )  # fmt: skip
    except PhotoError as error:
        return Done(rows_of(name, Failure(name, error)))
    answer = identifier.identify(photo, whole=options.whole, top_k=options.top_k, score=options.score)
    done = Done(rows_of(name, answer))
    for number, pet in enumerate(answer.pets, 1):
        if options.crops:
            done.crops.append(_crop(photo, pet, name, number))
        if options.thumbnails:
            done.thumbnails.append(encode_jpeg(identifier.crop(photo, pet, THUMBNAIL), 80))
    return done


def _crop(photo: Photo, pet: Pet, name: str, number: int) -> Crop:
    folder = {"breed": pet.breeds[0].id, "group": pet.group.id}.get(pet.verdict) or "unsure"
    x0, y0, x1, y1 = (round(side) for side in photo.in_pixels(pet.crop))
    picture = photo.to_pil().crop((x0, y0, x1, y1))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92)
    stem = "".join(c if c.isalnum() or c in "-_ " else "_" for c in PurePosixPath(name).stem)[:60]
    # The hash keeps photos of one name apart, and gives a photo that is processed again the same file.
    return Crop(f"{folder}/{stem}-{photo.sha256[:10]}-{number}.jpg", file.getvalue())
