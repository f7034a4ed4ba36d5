"""Load members' models and run them on photos."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from smartbreed.core.errors import RequestError, SmartBreedError
from smartbreed.imaging.photo import Photo
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.pipeline import OVERLAY_SIZE, Identifier
from smartbreed.teach.bundle import slug
from smartbreed.teach.photos import subject_named, subject_of
from smartbreed.teach.store import ModelStore
from smartbreed.teach.tables import TeachModel

log = logging.getLogger(__name__)

#: Most models kept in memory; the least recently used one is dropped.
_READY = 4


@dataclass(frozen=True)
class Tried:
    """A custom model's answer for a photo.

    Attributes:
        guesses: name and probability of each class, likeliest first.
        sure: whether the first class is likely enough to be given as the answer.
        whole: True if the whole photo was classified.
        crop: uint8 picture of the part that was classified.
        heat: the same with the Grad-CAM of the first class on top, uint8.
    """

    guesses: tuple[tuple[str, float], ...]
    sure: bool
    whole: bool
    crop: np.ndarray
    heat: np.ndarray


class Serving:
    """Runs members' models and caches the loaded ones. Thread-safe.

    Args:
        store: returns the store of the bundles, on first use.
        threads: number of threads of each model's networks.
        read_photo: reads a photo within the limits of the settings.
    """

    def __init__(
        self, store: Callable[[], ModelStore], threads: int, read_photo: Callable[[bytes, str], Photo]
    ) -> None:
        self._store, self._threads, self._read_photo = store, threads, read_photo
        self._guard = threading.Lock()
        self._ready: OrderedDict[tuple[str, int], Identifier] = OrderedDict()

    def identifier_of(self, row: TeachModel) -> Identifier:
        """Return a trained model, loaded.

        Raises:
            RequestError: ``not_trained`` (409); ``gone`` (410) if its files are missing or damaged.
        """
        if not row.bundle:
            raise RequestError("not_trained", "This model has not been trained yet.", status=409)
        key = (row.id, row.bundle)
        with self._guard:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
        try:
            folder = self._store().bundle(*key)
            loaded = Identifier(load_bundle(folder, repo=slug(row.name)), threads=self._threads)
        except SmartBreedError as error:
            log.warning("a member's model does not load: %s", error.message)
            raise RequestError(
                "gone",
                "The files of this model are gone. Its owner can train it again.",
                status=410,
            ) from None
        with self._guard:
            self._ready[key] = loaded
            while len(self._ready) > _READY:
                self._ready.popitem(last=False)
        return loaded

    def try_out(self, row: TeachModel, name: str, data: bytes) -> Tried:
        """Classify a photo and explain the answer.

        Raises:
            PhotoError: the photo cannot be used.
            RequestError: as in `identifier_of`.
        """
        photo, identifier = self._read_photo(data, name), self.identifier_of(row)
        pet, whole = subject_of(identifier, photo, subject_named(row.subject))
        return Tried(
            tuple((guess.name, guess.probability) for guess in pet.breeds),
            pet.verdict == "breed",
            whole,
            identifier.crop(photo, pet, OVERLAY_SIZE),
            identifier.explain(photo, pet),
        )

    def identify(self, row: TeachModel, name: str, data: bytes) -> dict[str, Any]:
        """Return the answer in the JSON of the public API; for the whole photo if no pet is found.

        Raises:
            PhotoError: the photo cannot be used.
            RequestError: as in `identifier_of`.
        """
        photo, identifier = self._read_photo(data, name), self.identifier_of(row)
        answer = identifier.identify(photo)
        return (answer if answer.pets else identifier.identify(photo, whole=True)).as_dict()

    def forget(self, model_id: str) -> None:
        """Drop a model from memory."""
        with self._guard:
            for key in [key for key in self._ready if key[0] == model_id]:
                del self._ready[key]
