"""Example pictures to try: from the configured dataset, else the shipped photo of a cat."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from PIL import Image

from smartbreed.breeds.catalogue import get_breed
from smartbreed.core.files import expanded
from smartbreed.core.settings import Settings
from smartbreed.i18n import gettext
from smartbreed.web.pages.identify.photo_input import Upload

log = logging.getLogger(__name__)

_HOW_MANY = 6
#: The only photo in this package; ``LICENSE.md`` beside it names its author.
_SHIPPED = Path(__file__).parents[2] / "static" / "examples" / "chelsea.jpg"
_SIDE = 1024


class Examples:
    """The example pictures, fetched once on first use; if that fails, the shipped one replaces them.

    Args:
        settings: ``gallery`` names a dataset repo or a local dataset folder; the
            pictures are kept under ``home``.
        pets: whether the model detects pets; for any other model no picture is shipped.
    """

    def __init__(self, settings: Settings, *, pets: bool = True) -> None:
        self.settings = settings
        self.pets = pets
        self._lock = threading.Lock()
        self._found: list[Upload] | None = None

    def get(self) -> tuple[str, list[Upload]]:
        """Return a heading and ``(path, caption)`` of up to six pictures; the list may be empty."""
        with self._lock:
            if self._found is None:
                self._found = self._fetch() if self.settings.gallery else []
        if self._found:
            return gettext("Or try one of these"), self._found
        return gettext("No photo at hand? Try this cat"), shipped() if self.pets else []

    def _fetch(self) -> list[Upload]:
        try:
            folder = _folder(self.settings)
            folder.mkdir(parents=True, exist_ok=True)
            found = []
            for number, (picture, caption) in enumerate(
                islice(_pictures(self.settings.gallery), _HOW_MANY), 1
            ):
                path = folder / f"{number}.jpg"
                picture = picture.convert("RGB")
                picture.thumbnail((_SIDE, _SIDE))
                picture.save(path, quality=92)
                found.append((str(path), caption))
        except Exception as error:  # a Hub or a third-party dataset may raise anything
            log.warning("no example pictures from SMARTBREED_GALLERY: %s", type(error).__name__)
            return []
        return found


def folders(settings: Settings) -> list[str]:
    """Return the folders that hold the pictures, from which gradio must be allowed to serve files."""
    return [str(_folder(settings)), str(_SHIPPED.parent)]


def _folder(settings: Settings) -> Path:
    return settings.home_dir / "examples"


def shipped() -> list[Upload]:
    """Return the shipped photo of a cat, so that a first answer is one click away."""
    return [(str(_SHIPPED), "Chelsea")]


def _pictures(source: str) -> Iterator[tuple[Image.Image, str]]:
    """Yield the pictures of a dataset's first split, each with its caption.

    The configuration is "default" if the dataset has one, else its first.
    """
    # Takes seconds to import, and most installations never need it.
    from datasets import ClassLabel, get_dataset_config_names, load_dataset
    from datasets import Image as ImageFeature

    local = expanded(source)
    where = str(local) if local.exists() else source
    names = get_dataset_config_names(where)
    # Stream, so that a handful of pictures does not download the whole dataset.
    splits = load_dataset(where, "default" if "default" in names else names[0], streaming=True)
    split = splits[next(iter(splits))]
    features = split.features
    column = next(name for name, feature in features.items() if isinstance(feature, ImageFeature))
    said = next((name for name in ("caption", "label", "breed", "name", "title") if name in features), None)
    for number, row in enumerate(split, 1):
        label = row[said] if said else None
        if isinstance(label, int) and isinstance(features[said], ClassLabel):
            label = features[said].int2str(label)
        yield row[column], get_breed(str(label)).name if label else f"Example {number}"
