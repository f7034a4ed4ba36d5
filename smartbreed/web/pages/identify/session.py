"""What one visitor is looking at: their photos' answers, and the pixels the page needs of the shown one.

Whole photographs are not kept in memory (a session of many large ones would take a
gigabyte): their temporary files are read again when a flag or another view needs them.
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

#: Longest side of the crop shown on a card, pixels; sharp on a phone's dense screen.
CROP_SIZE = 440


def out_of_date() -> RequestError:
    """For a page that is older than the server, or asks for what it does not show."""
    return RequestError("no_such_pet", "This page is no longer up to date; add your photo again.")


@dataclass(frozen=True)
class Options:
    """What the visitor chose under "Settings"."""

    top_k: int = 5
    score: float | None = None
    whole: bool = False
    combine: bool = False


@dataclass(frozen=True, eq=False)
class View:
    """One photo, or several of one pet taken together, and its answer."""

    path: str
    name: str
    answer: Identification | Failure
    thumbnail: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Disagreement:
    """Photos that are said to show one pet and do not look like it.

    Attributes:
        names: what they show, each once.
        species: it is not even one species.
    """

    names: tuple[str, ...]
    species: bool


@dataclass(frozen=True, eq=False)
class Session:
    """Everything the event handlers need between two clicks.

    Attributes:
        uploads: what was asked about, to ask again with other settings.
        options: the settings that gave these answers.
        views: one a photo; a combined answer comes first.
        index: the view shown.
        first: number of pets before those shown on the cards.
        crops: of every pet of the shown view, uint8 ``(h, w, 3)``.
        apart: what photos that were to be combined show, where they disagree.
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
        """Bytes of memory held, without small change."""
        arrays = [*self.crops, *(view.thumbnail for view in self.views if view.thumbnail is not None)]
        for view in self.views:
            if isinstance(view.answer, Identification):
                for pet in view.answer.pets:
                    arrays += [pet.logits, pet.class_maps, pet.embedding]
        return sum(array.nbytes for array in arrays)

    @property
    def view(self) -> View:
        """What is shown.

        Raises:
            RequestError: nothing is, as when the page is older than the server.
        """
        if not self.views:
            raise out_of_date()
        return self.views[self.index]

    def at(self, index: int) -> Session:
        """Turned to another view, without its crops.

        Raises:
            RequestError: there is none, as when the page is older than the server.
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
        """What the model that gave the answer shown calls things; it may have been replaced since.

        Raises:
            RequestError: nothing is shown.
        """
        if self.answer is None or self.answer.labels is None:
            raise out_of_date()
        return self.answer.labels

    def pet(self, number: int) -> Pet:
        """Pet ``number`` (from 1) of the view shown.

        Raises:
            RequestError: there is none, as when the page is older than the server.
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
    model = services.identifier  # one for all of them: another may take its place meanwhile
    # Each worker lets go of its photo before it takes the next, unlike a batch, which holds all.
    with ThreadPoolExecutor(min(model.threads, len(uploads)) or 1) as pool:
        alone = len(uploads) == 1
        seen = list(pool.map(lambda upload: _identify_one(services, model, upload, options, alone), uploads))
    views = [view for view, _ in seen]
    apart = None
    if options.combine and len(views) > 1:
        apart = disagreement([view.answer for view in views if isinstance(view.answer, Identification)])
        if apart is None:
            views = _combined(model, views, options) + views
        elif not apart.species:  # one's own pet may look different; but that answer does not come first
            views += _combined(model, views, options)
    session = Session(tuple(uploads), options, tuple(views), apart=apart)
    return session, seen[0][1] if seen else None


def disagreement(answers: Sequence[Identification]) -> Disagreement | None:
    """Whether the first pets of photos are of several species, or are named as several breeds."""
    pets = [answer.pets[0] for answer in answers if answer.pets]
    named = [pet for pet in pets if pet.verdict == "breed"]
    species = len({pet.species for pet in pets}) > 1
    if not species and len({pet.breeds[0].id for pet in named}) < 2:
        return None
    return Disagreement(tuple(dict.fromkeys(map(short_name, pets if species else named))), species)


def keep_for_member(services: Services, session: Session) -> None:
    """Keep the photos with their answers, if a member asked who wants that.

    Raises:
        StorageError: the database refused.
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
    """The photo of a view, from its temporary file.

    Raises:
        PhotoError: the file is gone or not the one that was answered about.
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
    """The session turned to another view, with the crops of its pets.

    Raises:
        RequestError: as of `Session.at`.
    """
    session = session.at(index)
    if session.answer is None or not session.answer.pets:
        return session
    photo = photo or read_view(services, session.view)
    crops = tuple(services.identifier.crop(photo, pet, CROP_SIZE) for pet in session.answer.pets)
    return replace(session, crops=crops)


def network_input(services: Services, model: Identifier, session: Session, number: int) -> np.ndarray:
    """What the network saw of a pet: uint8 ``(size, size, 3)``.

    Args:
        model: the one that answered.
    """
    # Imported here: the page needs it for slow explanations only.
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
        return []  # no photo shows a pet: each view says so by itself
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
