"""Results of the pipeline: plain values, and their public JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from smartbreed.core.errors import RequestError, SmartBreedError
from smartbreed.inference.picture_quality import NO_FAULTS, Faults

if TYPE_CHECKING:
    from smartbreed.inference.labels import Labels

Verdict = Literal["breed", "group", "unknown"]
#: Why no breed is named: a fault of the crop, or it shows another animal. Empty: the breeds are too alike.
Reason = Literal["", "dark", "blurred", "noisy", "colourless", "small", "other"]


@dataclass(frozen=True)
class Guess:
    """A breed or a group of breeds with its calibrated probability, 0…1."""

    id: str
    name: str
    probability: float

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "probability": round(self.probability, 4)}


@dataclass(frozen=True)
class Pet:
    """One animal in a photo.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the upright photo.
        crop: the region that the classifier saw (the box and a margin), in pixels.
        score: probability that this is a pet, 0…1; 1 when the whole picture was classified.
        species: ``cat`` or ``dog``, decided by the breed probabilities; empty when the model
            names other things.
        verdict: ``breed`` when the first guess is likely enough, ``group`` when only its
            group is, else ``unknown``.
        breeds: the top-k guesses, most likely first.
        group: the most likely group.
        logits: float32 ``(breeds,)`` before temperature.
        class_maps: float32 ``(height, width, breeds)``, 9 × 9 in the model that ships; their mean over the
            picture is ``logits``.
        embedding: float32 ``(1280,)``.
        reason: why the verdict is not ``breed``; empty if unknown.
        faults: quality faults of the crop.
    """

    box: tuple[float, float, float, float]
    crop: tuple[float, float, float, float]
    score: float
    species: str
    verdict: Verdict
    breeds: tuple[Guess, ...]
    group: Guess
    logits: np.ndarray = field(repr=False, compare=False)
    class_maps: np.ndarray = field(repr=False, compare=False)
    embedding: np.ndarray = field(repr=False, compare=False)
    reason: Reason = ""
    faults: Faults = field(default=NO_FAULTS, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the public JSON form; ``reason`` appears only if it is not empty."""
        return {
            "box": [round(v, 1) for v in self.box],
            "score": round(self.score, 4),
            "species": self.species,
            "verdict": self.verdict,
            "breeds": [guess.as_dict() for guess in self.breeds],
            "group": self.group.as_dict(),
            **({"reason": self.reason} if self.reason else {}),
        }


@dataclass(frozen=True)
class ModelVersion:
    """Which model answered: its repo (or ``embedded``), full revision and version."""

    repo: str
    revision: str
    version: str

    def as_dict(self) -> dict[str, str]:
        return {"repo": self.repo, "revision": self.revision, "version": self.version}


@dataclass(frozen=True)
class Identification:
    """Everything found in one photo.

    Attributes:
        image: base name of the photo; empty if unknown.
        sha256: of the photo, hexadecimal.
        width, height: of the upright photo, pixels.
        pets: highest score first; empty if none was found.
        model: the model that answered.
        milliseconds: time spent on this photo (its share, in a batch).
        whole: True if the whole picture was classified, without looking for pets in it.
        combined: number of photos of one pet that were averaged into this answer; normally 1.
        labels: labels of the model that answered; None only in tests.
    """

    image: str
    sha256: str
    width: int
    height: int
    pets: tuple[Pet, ...]
    model: ModelVersion
    milliseconds: float
    whole: bool = False
    combined: int = 1
    labels: Labels | None = field(default=None, repr=False, compare=False)

    def pet(self, number: int) -> Pet:
        """Return the pet with this number, counted from 1.

        Raises:
            RequestError: there is no such pet.
        """
        if not 1 <= number <= len(self.pets):
            count = len(self.pets)
            shown = f"{count or 'no'} pet{'' if count == 1 else 's'}"
            raise RequestError("no_such_pet", f"This photo shows {shown}. Received: pet {number}.")
        return self.pets[number - 1]

    def as_dict(self) -> dict[str, Any]:
        """Return the public JSON form; ``whole`` and ``combined`` appear only if they are not the default."""
        result: dict[str, Any] = {
            "image": self.image,
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "pets": [pet.as_dict() for pet in self.pets],
            "model": self.model.as_dict(),
            "milliseconds": round(self.milliseconds, 1),
        }
        if self.whole:
            result["whole"] = True
        if self.combined > 1:
            result["combined"] = self.combined
        return result


@dataclass(frozen=True)
class Failure:
    """A photo that could not be used."""

    image: str
    error: SmartBreedError

    def as_dict(self) -> dict[str, Any]:
        return {"image": self.image, "error": self.error.as_dict()}
