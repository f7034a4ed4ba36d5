"""A visitor's session on the identify page: the answers to their photos, and crops of the photo shown.

Whole photos are not kept in memory (a session of many large ones would take a
gigabyte). Their temporary files are read again when a flag or another view needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError
from smartbreed.core.telemetry import stage
from smartbreed.i18n import gettext
from smartbreed.imaging.photo import Photo
from smartbreed.inference.labels import Labels
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure, Identification, Pet
from smartbreed.services import Services
from smartbreed.web.api.client import calling_member
from smartbreed.web.components.drawing import thumbnail
from smartbreed.web.components.sentences import short_name
from smartbreed.web.pages.identify.photo_input import Upload

#: Longest side of the crop shown on a card, in pixels; sharp on a phone's dense screen.
CROP_SIZE = 440


def out_of_date() -> RequestError:
    """Return the error for a page that is older than the server, or requests what it does not show."""
    return RequestError("no_such_pet", "This page is no longer up to date; add your photo again.")


@dataclass(frozen=True)
class Options:
    """The visitor's choices under "Settings"."""

    top_k: int = 5
    score: float | None = None
    whole: bool = False
    combine: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """A photo, or several combined photos of one pet, with the answer."""

    path: str
    name: str
    answer: Identification | Failure
    thumbnail: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Disagreement:
    """A disagreement between photos that are supposed to show the same pet.

    Attributes:
        names: short names of what the photos show, each once.
        species: True if not even the species agree.
    """

    names: tuple[str, ...]
    species: bool


@dataclass(frozen=True, eq=False)
class Session:
    """The state that event handlers need between two clicks.

    Attributes:
        uploads: the photos, to identify them again with other settings.
        options: the settings behind these answers.
        views: one per photo; a combined answer comes first, or last if the photos disagree about the breed.
        index: index of the view shown.
        first: number of pets before those shown on the cards.
        crops: one per pet of the view shown, uint8 ``(h, w, 3)``.
        apart: how photos that were to be combined disagree; None if they do not.
    """

    uploads: tuple[Upload, ...] = ()
    options: Options = Options()
    views: tuple[View, ...] = ()
    index: int = 0
    first: int = 0
    crops: tuple[np.ndarray, ...] = field(default=(), repr=False)
    apart: Disagreement | None = None

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes."""
        arrays = [*self.crops, *(view.thumbnail for view in self.views if view.thumbnail is not None)]
        for view in self.views:
            if isinstance(view.answer, Identification):
                for pet in view.answer.pets:
                    arrays += [pet.logits, pet.class_maps, pet.embedding]
        return sum(array.nbytes for array in arrays)

    @property
    def view(self) -> View:
        """The view shown.

        Raises:
            RequestError: no view is shown, for example because the page is older than the server.
        """
        if not self.views:
            raise out_of_date()
        return self.views[self.index]

    def at(self, index: int) -> Session:
        """Return the session at another view, without crops.

        Raises:
            RequestError: there is no such view, for example because the page is older than the server.
        """
        if not 0 <= index < len(self.views):
            raise out_of_date()
        return replace(self, index=index, first=0, crops=())

    @property
    def answer(self) -> Identification | None:
        """The answer shown; None before the first photo and for a photo that could not be used."""
        if not self.views or isinstance(self.view.answer, Failure):
            return None
        return self.view.answer

    @property
    def labels(self) -> Labels:
        """Labels of the model that gave the answer shown; it may have been replaced since.

        Raises:
            RequestError: no answer is shown.
        """
        if self.answer is None or self.answer.labels is None:
            raise out_of_date()
        return self.answer.labels

    def pet(self, number: int) -> Pet:
        """Return pet ``number`` (from 1) of the view shown.

        Raises:
            RequestError: there is no such pet, for example because the page is older than the server.
        """
        answer = self.answer
        if answer is None or not 1 <= number <= len(answer.pets):
            raise out_of_date()
        return answer.pets[number - 1]


def identify_uploads(
    services: Services, uploads: Sequence[Upload], options: Options
) -> tuple[Session, Photo | None]:
    """Identify photos.

    Returns:
        The session, and the photo if it was a single one that could be used.

    Raises:
        RequestError: too many photos at once.
    """
    most = services.settings.max_photos
    if len(uploads) > most:
        raise RequestError("too_many_photos", f"At most {most} photos at once. Received: {len(uploads)}.")
    model = services.identifier  # the same model for all photos, even if it is replaced meanwhile
    # Each worker releases its photo before it takes the next; a batch would hold all of them.
    with ThreadPoolExecutor(min(model.threads, len(uploads)) or 1) as pool:
        alone = len(uploads) == 1
        seen = list(pool.map(lambda upload: _identify_one(services, model, upload, options, alone), uploads))
    views = [view for view, _ in seen]
    apart = None
    if options.combine and len(views) > 1:
        apart = disagreement([view.answer for view in views if isinstance(view.answer, Identification)])
        if apart is None:
            views = _combined(model, views, options) + views
        elif not apart.species:  # it may still be one pet: combine, but show that last
            views += _combined(model, views, options)
    session = Session(tuple(uploads), options, tuple(views), apart=apart)
    return session, seen[0][1] if seen else None


def disagreement(answers: Sequence[Identification]) -> Disagreement | None:
    """Return how the first pets of photos disagree in species or named breed; None if they agree."""
    pets = [answer.pets[0] for answer in answers if answer.pets]
    named = [pet for pet in pets if pet.verdict == "breed"]
    species = len({pet.species for pet in pets}) > 1
    if not species and len({pet.breeds[0].id for pet in named}) < 2:
        return None
    return Disagreement(tuple(dict.fromkeys(map(short_name, pets if species else named))), species)


def keep_for_member(services: Services, session: Session) -> None:
    """Keep the photos with their answers if the visitor is a member who chose this.

    Raises:
        StorageError: the database cannot be used.
    """
    who = calling_member(services.members)
    if who is None or not who.keeps_photos:
        return
    for view in session.views:
        if isinstance(view.answer, Identification) and view.answer.combined == 1:
            services.keep_photo(who.id, Path(view.path), view.answer)


def _identify_one(
    services: Services, model: Identifier, upload: Upload, options: Options, keep: bool
) -> tuple[View, Photo | None]:
    path, name = upload
    try:
        with stage("total"):
            photo = services.read(Path(path), name)
            answer = model.identify(photo, whole=options.whole, top_k=options.top_k, score=options.score)
    except PhotoError as error:
        failure = Failure(name, error)
        services.recorder.note(failure, "page", model.bundle.version.version)
        return View(path, name, failure), None
    services.recorder.note(answer, "page")
    return View(path, name, answer, thumbnail(photo)), photo if keep else None


def read_view(services: Services, view: View) -> Photo:
    """Read the photo of a view from its temporary file.

    Raises:
        PhotoError: the file is gone, or is not the photo that was identified.
    """
    try:
        photo = services.read(Path(view.path), view.name)
    except PhotoError as error:
        if error.code in ("not_found", "unreadable"):
            raise PhotoError(error.code, "This photo is no longer kept here; add it again.") from None
        raise
    if isinstance(view.answer, Identification) and photo.sha256 != view.answer.sha256:
        raise PhotoError("not_found", "This photo is no longer kept here; add it again.")
    return photo


def at_view(services: Services, session: Session, index: int, photo: Photo | None = None) -> Session:
    """Return the session at another view, with the crops of its pets.

    Raises:
        RequestError: see `Session.at`.
        PhotoError: see `read_view`.
    """
    session = session.at(index)
    if session.answer is None or not session.answer.pets:
        return session
    photo = photo or read_view(services, session.view)
    crops = tuple(services.identifier.crop(photo, pet, CROP_SIZE) for pet in session.answer.pets)
    return replace(session, crops=crops)


def network_input(services: Services, model: Identifier, session: Session, number: int) -> np.ndarray:
    """Return the classifier's input for a pet, uint8 ``(size, size, 3)``.

    Args:
        model: the model that gave the answer.
    """
    # Imported here because only slow explanations need it.
    from smartbreed.inference.pixels import resample

    size = model.classifier.config.input_size
    photo = read_view(services, session.view)
    return resample(photo.to_pil(), photo.in_pixels(session.pet(number).crop), (size, size))


def _combined(model: Identifier, views: list[View], options: Options) -> list[View]:
    seen = [view for view in views if isinstance(view.answer, Identification) and view.answer.pets]
    answers = [view.answer for view in seen if isinstance(view.answer, Identification)]
    try:
        pet = model.combine(answers, top_k=options.top_k)
    except SmartBreedError:
        return []  # no photo shows a pet, and each view already says so
    if len(answers) < 2:
        return []
    time = sum(answer.milliseconds for answer in answers)
    answer = replace(answers[0], pets=(pet,), combined=len(answers), milliseconds=time)
    return [
        View(
            seen[0].path,
            gettext("%(number)s photos together", number=len(answers)),
            answer,
            seen[0].thumbnail,
        )
    ]
