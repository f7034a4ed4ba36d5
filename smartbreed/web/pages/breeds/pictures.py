"""Pictures of each breed, from the dataset of ``SMARTBREED_GALLERY``; its test pictures, if it has some."""

from __future__ import annotations

import io
import logging
import shutil
import threading
from collections import Counter
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from smartbreed.breeds.catalogue import resolve
from smartbreed.core.settings import Settings
from smartbreed.web.pages.identify.examples import labelled_rows

log = logging.getLogger(__name__)

#: Pictures kept of each breed, their longest side in pixels, and most rows of the dataset looked at.
_KEPT, _SIDE, _MOST_ROWS = 4, 480, 50_000


class BreedPictures:
    """Looks through the dataset once, in a thread, when a picture is first asked for; never an error.

    Args:
        settings: ``gallery``; without it there are no pictures. They are kept under ``home``.
    """

    def __init__(self, settings: Settings) -> None:
        self._source, self._folder = settings.gallery, settings.home_dir / "examples" / "breeds"
        self._started = threading.Lock()

    def of(self, breed_id: str) -> list[Path]:
        """Pictures of a breed, as far as they have been found."""
        if not self._source:
            return []
        if self._started.acquire(blocking=False) and not self._complete():
            threading.Thread(target=self._collect, name="breed pictures", daemon=True).start()
        return sorted((self._folder / quote(breed_id, safe="")).glob("*.jpg"))

    def _complete(self) -> bool:
        """Whether an earlier start has found what this dataset has."""
        try:
            return (self._folder / "source").read_text(encoding="utf-8") == self._source
        except OSError:
            return False

    def _collect(self) -> None:
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            kept: Counter[str] = Counter()
            rows = labelled_rows(self._source, "test", decode=False)
            for file, label in islice(rows, _MOST_ROWS):
                breed = resolve(label)
                breed_id = breed.id if breed else label
                if not breed_id or kept[breed_id] >= _KEPT:
                    continue
                kept[breed_id] += 1
                folder = self._folder / quote(breed_id, safe="")
                folder.mkdir(parents=True, exist_ok=True)
                with Image.open(io.BytesIO(file["bytes"]) if file["bytes"] else file["path"]) as opened:
                    picture = opened.convert("RGB")
                picture.thumbnail((_SIDE, _SIDE))
                half = folder / f"{kept[breed_id]}.tmp"
                picture.save(half, "JPEG", quality=85)
                half.rename(half.with_suffix(".jpg"))
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "source").write_text(self._source, encoding="utf-8")
        except Exception as error:  # whatever a Hub or a foreign dataset may throw
            log.warning("no pictures of breeds from SMARTBREED_GALLERY: %s", type(error).__name__)
