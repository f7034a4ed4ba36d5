"""A member's model as shown on its page: classes, photos and the report of its training."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import BaseModel

from smartbreed.core.errors import RequestError
from smartbreed.teach.bundle import check_classes
from smartbreed.teach.photos import groups_of
from smartbreed.teach.tables import TeachModel, TeachPhoto


class Confused(BaseModel):
    """A photo whose label is probably wrong: its id, its class and the predicted class."""

    photo: str
    given: str
    likely: str


class Report(BaseModel):
    """The stored result of a training; see `smartbreed.teach.learning.Taught`."""

    names: list[str]
    counts: list[int]
    confusion: list[list[int]]
    accuracy: float
    checked: int
    steps: list[tuple[int, float, float, float | None]]
    suspicious: list[Confused]
    trained_at: dt.datetime
    base: str
    learnt_from: str


@dataclass(frozen=True)
class ClassView:
    """A class with its photos."""

    id: str
    name: str
    photos: tuple[TeachPhoto, ...]


@dataclass(frozen=True)
class ModelView:
    """A model with its classes, photos and report; the report is None if it has not been trained."""

    row: TeachModel
    classes: tuple[ClassView, ...]
    report: Report | None

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.classes]

    @property
    def photos(self) -> int:
        return sum(len(one.photos) for one in self.classes)

    @property
    def mark(self) -> str:
        """A hash of the classes and their photos, which changes whenever they do."""
        said = sorted((one.name, photo.sample_id) for one in self.classes for photo in one.photos)
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def changed(self) -> bool:
        """True if photos or classes have changed since the training."""
        return self.report is not None and self.report.learnt_from != self.mark

    @cached_property
    def alike(self) -> list[list[TeachPhoto]]:
        """Groups of near-duplicates among the photos whose embeddings come from the most common revision."""
        photos = sorted((photo for one in self.classes for photo in one.photos), key=lambda photo: photo.id)
        revisions = Counter(photo.revision for photo in photos)
        some = [photo for photo in photos if photo.revision == revisions.most_common(1)[0][0]]
        if len(some) < 2:
            return []
        groups = groups_of(np.stack([embedding_of(photo) for photo in some]), [photo.phash for photo in some])
        by_group: dict[int, list[TeachPhoto]] = {}
        for photo, group in zip(some, groups, strict=True):
            by_group.setdefault(group, []).append(photo)
        return [members for members in by_group.values() if len(members) > 1]

    @property
    def why_not(self) -> str:
        """Why the model cannot be trained, in a sentence; empty if it can."""
        try:
            check_classes(self.names, [len(one.photos) for one in self.classes])
        except RequestError as error:
            return error.message
        return ""


def embedding_of(photo: TeachPhoto) -> np.ndarray:
    """Return the embedding of a photo, float32 ``(d,)``."""
    return np.frombuffer(photo.embedding, np.float16).astype(np.float32)
