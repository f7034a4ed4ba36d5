"""SmartBreed as a Python package: `smartbreed.load` returns a `Model`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from smartbreed.batch.local import answers
from smartbreed.batch.worker import Options
from smartbreed.core.settings import load_settings
from smartbreed.imaging.photo import Photo, PhotoInput, read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Identification
from smartbreed.registry import open_bundle
from smartbreed.sources.opening import open_source


class Model:
    """A loaded model that names the pets in photos; safe to use from many threads at once.

    Args:
        model: as `smartbreed.load` takes it.
    """

    def __init__(self, model: str = "") -> None:
        self.settings = load_settings(**({"model": model} if model else {}))
        self.identifier = Identifier(
            open_bundle(self.settings), threads=self.settings.threads, top_k=self.settings.top_k
        )

    def identify(
        self, photo: PhotoInput, *, whole: bool = False, top_k: int | None = None, score: float | None = None
    ) -> Identification:
        """Find and name every cat and dog in a photo.

        `Identification.as_dict` returns the JSON that all interfaces answer.

        Args:
            photo: a path, the bytes of a file, or a Pillow image.
            whole: classify the whole picture instead of looking for pets in it.
            top_k: breeds to list for each pet; None: ``SMARTBREED_TOP_K``.
            score: smallest probability that a box is a pet, 0…1; None: the model's threshold.

        Raises:
            PhotoError: the photo cannot be used; its ``code`` and ``message`` say why
                (all errors are in `smartbreed.core.errors`).
        """
        return self.identifier.identify(self._read(photo), whole=whole, top_k=top_k, score=score)

    def batch(
        self, source: str | Path, *, whole: bool = False, top_k: int | None = None, score: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield rows for very many photos, in the order of the source; docs/batch.md says what they hold.

        Photos are read ahead and processed on all cores; few are in memory at once. A photo that cannot
        be used is a row with an ``error``.

        Args:
            source: a folder, a pattern, a text file with one photo per line, a Parquet file, a zip, an
                fsspec address, or a dataset repo ``owner/name``.
            whole, top_k, score: as for `identify`.

        Raises:
            RequestError: there is no such source.
        """
        opened = open_source(str(source), settings=self.settings)
        limits = self.settings
        options = Options(
            top_k or limits.top_k, limits.max_bytes, limits.max_pixels, whole=whole, score=score
        )
        for done in answers(self.identifier, options, opened.photos):
            yield from done.rows

    def explain(self, photo: PhotoInput, number: int = 1, breed: str = "") -> Image.Image:
        """Show the evidence for a breed: return the pet's crop overlaid with its Grad-CAM.

        Args:
            photo: as for `identify`.
            number: number of the pet, from 1.
            breed: id of the breed; empty: the first guess.

        Raises:
            PhotoError: the photo cannot be used.
            RequestError: there is no such pet, or the model does not know the breed.
        """
        read = self._read(photo)
        pet = self.identifier.identify(read).pet(number)
        return Image.fromarray(self.identifier.explain(read, pet, breed or None))

    def _read(self, photo: PhotoInput) -> Photo:
        limits = self.settings
        return read_photo(photo, max_bytes=limits.max_bytes, max_pixels=limits.max_pixels, reduce=True)
