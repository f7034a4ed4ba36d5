"""Identifies corrected photos again: each correction with its picture and the current answer.

This takes a few hundredths of a second per photo, so it is done once per model version, for one
visitor at a time, and the result is kept only as long as the photo may be shown.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from smartbreed.core.errors import PhotoError, SmartBreedError
from smartbreed.dataset.corrections import Correction, corrections
from smartbreed.imaging.photo import encode_jpeg
from smartbreed.inference.pipeline import Identifier
from smartbreed.review.pictures import stored_photo, surroundings
from smartbreed.review.scores import pet_at
from smartbreed.web.pages.tour.versions import GateSummary, Known, gate_summary_of, known_versions

if TYPE_CHECKING:
    from smartbreed.services import Services

#: Maximum number of photos shown.
SHOWN = 8
#: Longest side of a picture, in pixels.
SIDE = 360
#: Codes of photo errors that may not occur again.
_PASSING = ("busy", "too_slow")


@dataclass(frozen=True)
class Answer:
    """A model version's answer about a pet; ``version`` is empty if unknown."""

    breed: str
    name: str
    probability: float | None
    version: str
    right: bool


@dataclass(frozen=True)
class Step:
    """A corrected pet, then and now.

    Attributes:
        picture: JPEG of the pet with its box; empty if the photo cannot be read.
        then: the answer that was corrected.
        now: the current version's answer; None if the photo cannot be read.
        learnt_by: the first known version that has learnt from the photo or was evaluated on it; else empty.
        unseen: True if that version was evaluated on it but has not learnt from it.
    """

    correction: Correction
    picture: bytes
    then: Answer
    now: Answer | None
    learnt_by: str = ""
    unseen: bool = False

    @property
    def became_right(self) -> bool:
        return self.now is not None and self.now.right and not self.then.right


@dataclass(frozen=True)
class Walk:
    """The corrections that the tour shows.

    Attributes:
        steps: the pets accepted last, newest first.
        example: the step that shows best what the feedback loop does; None if there are no steps.
        gate_summary: the gate's result for the version that learnt from the example, if it is known.
        version: the current version.
        problem: the error that kept the corrections from being read; empty if there was none.
    """

    steps: tuple[Step, ...] = ()
    example: Step | None = None
    gate_summary: GateSummary | None = None
    version: str = ""
    problem: str = ""


#: Picture and answer of a photo that cannot be read.
_NOTHING: tuple[bytes, Answer | None] = (b"", None)


class Walker:
    """Reads the latest corrections and identifies their photos again; thread-safe.

    Args:
        services: provides the flags and the model.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._guard = threading.Lock()
        self._seen: dict[tuple[str, Correction], tuple[bytes, Answer | None]] = {}

    def walk(self) -> Walk:
        """Return the current state; an error of the app is returned in ``problem``."""
        identifier = self._services.identifier  # one model for the whole page
        version = identifier.bundle.version.version
        try:
            found = corrections(self._services.flags.sessions, SHOWN)
            known = known_versions(self._services, identifier.bundle) if found else Known()
        except SmartBreedError as error:
            return Walk(version=version, problem=error.message)
        steps = tuple(
            self._step(identifier, known, correction, asked)
            for correction, asked in self._ask_again(identifier, found)
        )
        example = _best(steps)
        gate_summary = (
            gate_summary_of(self._services, example.learnt_by) if example and example.learnt_by else None
        )
        return Walk(steps, example, gate_summary, version)

    def _ask_again(
        self, identifier: Identifier, found: list[Correction]
    ) -> list[tuple[Correction, tuple[bytes, Answer | None]]]:
        revision = identifier.bundle.version.revision
        with self._guard:
            # The key omits `said`, which depends on the language, while the model's answer does not.
            keys = {(revision, replace(correction, said="")): correction for correction in found}
            # Forget photos that were withdrawn.
            self._seen = {key: value for key, value in self._seen.items() if key in keys}
            busy = False
            for key, correction in keys.items():
                if key in self._seen or busy:
                    continue
                try:
                    self._seen[key] = _ask(self._services, identifier, correction)
                except PhotoError as error:
                    busy = error.code == "busy"  # the others would wait as long for nothing
                    if error.code not in _PASSING:
                        self._seen[key] = _NOTHING
                except SmartBreedError:  # such as a disk that failed; the next visit asks again
                    pass
            return [(correction, self._seen.get(key, _NOTHING)) for key, correction in keys.items()]

    def _step(
        self,
        identifier: Identifier,
        known: Known,
        correction: Correction,
        asked: tuple[bytes, Answer | None],
    ) -> Step:
        then = Answer(
            correction.predicted,
            correction.predicted_name,
            correction.probability,
            known.names.get(correction.revision, ""),
            correction.was_right,
        )
        picture, now = asked
        if now is not None:
            now = replace(now, version=identifier.bundle.version.version)
        return Step(correction, picture, then, now, *known.learnt(correction.key, correction.label))


def _ask(services: Services, identifier: Identifier, correction: Correction) -> tuple[bytes, Answer | None]:
    """Return the pet's picture and the current answer.

    Raises:
        SmartBreedError: the photo cannot be read or identified, perhaps only at this moment.
    """
    photo = stored_photo(services.flags.blobs, correction.sample_id, services.admission)
    guess = pet_at(identifier, photo, correction.box).breeds[0]
    answer = Answer(guess.id, guess.name, guess.probability, "", guess.id == correction.label)
    return encode_jpeg(np.asarray(surroundings(photo, correction.box, SIDE)), 82), answer


def _best(steps: tuple[Step, ...]) -> Step | None:
    """Return the best example; of equally good ones the newest.

    An answer that became right counts most, then a photo that a version was only evaluated on, then one that
    a version has learnt from.
    """
    return max(steps, key=lambda step: (step.became_right, step.unseen, bool(step.learnt_by)), default=None)
