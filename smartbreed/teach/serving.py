"""Models of members, ready to answer."""

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

#: Models that are kept in memory.
_READY = 4


@dataclass(frozen=True)
class Tried:
    """What a model of one's own says of a photo.

    Attributes:
        guesses: name and probability of each class, the likeliest first.
        sure: whether the first is likely enough to be said.
        whole: the whole photo was looked at.
        crop, heat: uint8 pictures: what was looked at, and what speaks for the first class.
    """

    guesses: tuple[tuple[str, float], ...]
    sure: bool
    whole: bool
    crop: np.ndarray
    heat: np.ndarray


class Serving:
    """Safe for any number of threads.

    Args:
        store: where the bundles lie, on first use.
        threads: of each model's networks.
        read_photo: reads a photo within the limits of the settings.
    """

    def __init__(
        self, store: Callable[[], ModelStore], threads: int, read_photo: Callable[[bytes, str], Photo]
    ) -> None:
        self._store, self._threads, self._read_photo = store, threads, read_photo
        self._guard = threading.Lock()
        self._ready: OrderedDict[tuple[str, int], Identifier] = OrderedDict()

    def identifier_of(self, row: TeachModel) -> Identifier:
        """A trained model, ready to answer.

        Raises:
            RequestError: ``not_trained``.
            BundleError: its files are gone or damaged.
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
        """Name what a photo shows, with what speaks for it.

        Raises:
            PhotoError: the photo cannot be used.
            RequestError: as `identifier_of`.
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
        """The JSON of the contract for a photo; of the whole photo where no pet is found.

        Raises:
            PhotoError: the photo cannot be used.
            RequestError: as `identifier_of`.
        """
        photo, identifier = self._read_photo(data, name), self.identifier_of(row)
        answer = identifier.identify(photo)
        return (answer if answer.pets else identifier.identify(photo, whole=True)).as_dict()

    def forget(self, model_id: str) -> None:
        """Keep a model no longer."""
        with self._guard:
            for key in [key for key in self._ready if key[0] == model_id]:
                del self._ready[key]
