"""The services that all interfaces (web pages, API, MCP, command line) share, created from the settings.

An interface turns its arguments into calls of this module, and the results into what its caller expects. No
interface identifies photos itself.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from contextvars import copy_context
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.accounts import member_data
from smartbreed.accounts.kept_photos import KeptPhotos
from smartbreed.accounts.maintainers import Maintainers
from smartbreed.accounts.members import Members
from smartbreed.accounts.roster import Roster
from smartbreed.accounts.secret import load_secret
from smartbreed.accounts.tables import DeletionReceipt
from smartbreed.admin import audit
from smartbreed.admin.switches import Switches
from smartbreed.assistant.service import Assistant
from smartbreed.contact.messages import Messages
from smartbreed.contact.tables import ContactMessage
from smartbreed.core import garbage
from smartbreed.core.errors import AccountError, PhotoError, RequestError, SmartBreedError, StorageError
from smartbreed.core.periodic import PeriodicTask
from smartbreed.core.salt import load_salt
from smartbreed.core.settings import Settings
from smartbreed.core.telemetry import failed, stage
from smartbreed.dataset.needs import Need
from smartbreed.dataset.publisher import Publisher
from smartbreed.dataset.service import BackgroundPublisher, open_publisher
from smartbreed.dataset.status import PublishingStatus
from smartbreed.feedback.flag_request import request_of
from smartbreed.feedback.flags import FlagService, Receipt, open_feedback
from smartbreed.gallery.gallery import EVERY_S as GALLERY_EVERY_S
from smartbreed.gallery.gallery import Gallery
from smartbreed.imaging import decoders
from smartbreed.imaging.admission import ORDINARY, Admission
from smartbreed.imaging.decoding import most_memory
from smartbreed.imaging.photo import Photo, PhotoInput, read_photo, sample_encoding
from smartbreed.inference.breed_book import BreedBook
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Failure, Identification
from smartbreed.quiz.quiz import Quiz
from smartbreed.registry.live import LiveModel
from smartbreed.registry.model_source import why_no_releases
from smartbreed.registry.release_history import Releases
from smartbreed.registry.watcher import Watcher
from smartbreed.review.scoring import Background
from smartbreed.review.service import ReviewService
from smartbreed.statistics.drift import Baseline, baseline_of
from smartbreed.statistics.usage import EVERY_S, Recorder
from smartbreed.teach.service import Teach
from smartbreed.throttle.counts import sweep
from smartbreed.throttle.rate import Rate
from smartbreed.training_jobs.accepted_photos import AcceptedPhotos, VisitorsBreed
from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.jobs import Jobs
from smartbreed.training_jobs.triggers import Triggers
from smartbreed.training_jobs.workspace import remove_leftovers

log = logging.getLogger(__name__)

#: Seconds between two runs of the task that completes account deletions.
_DELETIONS_S = 60.0
#: Seconds that a retraining waits while another process is publishing.
_PATIENCE_S = 30.0


class Services:
    """The services of an app, each opened on first use.

    Args:
        settings: from `smartbreed.core.settings.load_settings`.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        #: Records usage statistics of the answers of all interfaces.
        self.recorder = Recorder(lambda: self.flags.sessions, self._likeness)
        self._ends: list[Callable[[], object]] = []
        self._book: BreedBook | None = None
        self._baseline: tuple[str, Baseline] | None = None

    def start(self) -> None:
        """Start the background tasks.

        They publish, score flags, watch for releases and retraining triggers, complete account deletions,
        write statistics and keep the gallery up to date.
        """
        settings = self.settings
        tasks = (
            Watcher(self.model),
            BackgroundPublisher(self.publisher, every_s=settings.publish_every, size=settings.publish_size),
            Background(self.review, lambda: self.identifier),
            PeriodicTask("accounts", self._go_on_with_deletions, _DELETIONS_S),
            PeriodicTask("statistics", self.recorder.write, EVERY_S, last=self.recorder.write),
            PeriodicTask("gallery", self.gallery.refresh, GALLERY_EVERY_S),
        )
        for task in tasks:
            task.start()
        self.retraining.adopt()
        self.triggers.start(on_push=settings.retrain_on_push)
        self._ends = [*(task.stop for task in tasks), self.triggers.stop, self.retraining.close]
        garbage.resume()

    def stop(self, *beside: Callable[[], object]) -> None:
        """Stop the background tasks, and close the services that were opened.

        All tasks are stopped in parallel, each in its own thread. Docker kills the process after ten seconds,
        so the last publish must not wait for a retraining to end.

        Args:
            beside: further functions to call in parallel.
        """
        with ExitStack() as stack:
            stack.callback(decoders.shared.close)
            if "flags" in self.__dict__:
                stack.callback(self.flags.close)
            if "teach" in self.__dict__:
                stack.callback(self.teach.close)
            if "members" in self.__dict__:
                stack.callback(self.members.close)
            ends, self._ends = [*self._ends, *beside], []
            pool = stack.enter_context(ThreadPoolExecutor(len(ends) or 1, "stopping"))
            for end in ends:
                pool.submit(_quietly, end)

    @cached_property
    def assistant(self) -> Assistant:
        """The assistant, which answers questions about breeds."""
        return Assistant(self.settings, lambda: self.identifier.bundle)

    @cached_property
    def admission(self) -> Admission:
        """The memory limit that every interface waits for before it decodes a photo."""
        return Admission(ORDINARY, most_memory(self.settings.max_pixels))

    @cached_property
    def model(self) -> LiveModel:
        return LiveModel(self.settings)

    @property
    def identifier(self) -> Identifier:
        """The serving model. It may be swapped at any time, so read it once per request."""
        return self.model.current.identifier

    @property
    def breed_book(self) -> BreedBook:
        """Information about the breeds of the serving model; built once per version."""
        bundle, book = self.identifier.bundle, self._book
        if book is None or book.revision != bundle.version.revision:
            book = self._book = BreedBook(bundle)
        return book

    @property
    def baseline(self) -> Baseline:
        """The statistics that the serving model's drift is measured against; built once per version."""
        bundle, known = self.identifier.bundle, self._baseline
        if known is None or known[0] != bundle.version.revision:
            known = self._baseline = (bundle.version.revision, baseline_of(bundle))
        return known[1]

    def _likeness(self, version: str, embeddings: Sequence[np.ndarray]) -> list[float] | None:
        baseline = self.baseline
        return baseline.likeness(embeddings) if baseline.version == version else None

    @cached_property
    def flags(self) -> FlagService:
        return open_feedback(self.settings)

    @cached_property
    def publisher(self) -> Publisher:
        return open_publisher(self.settings, self.flags)

    def publishing(self) -> PublishingStatus:
        """Return the state of publishing flags to the dataset; reads the database only.

        Raises:
            StorageError: the database refused.
        """
        return self.publisher.status()

    @cached_property
    def members(self) -> Members:
        return Members(
            self.settings, lambda: self.flags.sessions, takes_new=lambda: self.switches.is_on("sign_up")
        )

    @cached_property
    def roster(self) -> Roster:
        return Roster(lambda: self.flags.sessions, self.members.password_link)

    @cached_property
    def switches(self) -> Switches:
        """The switches that turn features on or off, and their limits."""
        return Switches(self.settings, lambda: self.flags.sessions)

    @cached_property
    def maintainers(self) -> Maintainers:
        return Maintainers(self.settings, sessions=lambda: self.flags.sessions, members=self.members)

    @cached_property
    def kept_photos(self) -> KeptPhotos:
        return KeptPhotos(self.flags.sessions, self.settings.home_dir, self.settings.quota)

    def keep_photo(self, member_id: str, path: Path, answer: Identification) -> None:
        """Keep a photo that a member identified, if they consented. Runs in the background; never raises.

        Args:
            path: of the uploaded file.
        """

        def work() -> None:
            data, _ = sample_encoding(self.read(path, answer.image).pixels)
            self.kept_photos.keep(member_id, data, answer.image, answer.as_dict(), dt.datetime.now(dt.UTC))

        with suppress(AccountError):
            self.members.later(work)

    def delete_member(self, member_id: str, by: str = "") -> str:
        """Delete an account and all its data; the next publishing removes what was published.

        Args:
            by: as in `smartbreed.accounts.member_data.delete`.

        Returns:
            The id of the receipt.

        Raises:
            AccountError, StorageError: as in `smartbreed.accounts.member_data.delete`.
        """
        remove_leftovers(self.settings.home_dir)
        return member_data.delete(
            self.flags, self.kept_photos, self.teach.store, member_id, dt.datetime.now(dt.UTC), by
        )

    def deletion(self, receipt_id: str) -> DeletionReceipt | None:
        """Continue the deletion of an account and return its receipt; None if there is no such receipt.

        Raises:
            StorageError: disk or database refused.
        """
        return member_data.go_on(
            self.flags, self.kept_photos, self.teach.store, receipt_id, dt.datetime.now(dt.UTC)
        )

    def rate(self, name: str, most: int, clock: Callable[[], float] = time.time) -> Rate:
        """Return a rate limit that all replicas share; arguments as for `smartbreed.throttle.rate.Rate`."""
        return Rate(name, most, lambda: self.flags.sessions, lambda: self._salt, clock)

    @cached_property
    def _salt(self) -> bytes:
        return load_salt(self.settings)

    @cached_property
    def messages(self) -> Messages:
        """Messages from the contact form to the operators of this site."""
        return Messages(lambda: self.flags.sessions, self.settings.keep_messages, self._mail_message)

    def _mail_message(self, message: ContactMessage) -> None:
        reply = message.email or "none is wanted"
        text = f"{message.text}\n\n--\nAbout: {message.topic}\nAnswer to: {reply}\nMessage: {message.id}\n"
        self.members.write_to_operator(f"SmartBreed, contact form: {message.topic}", text, message.email)

    def _go_on_with_deletions(self) -> None:
        now = dt.datetime.now(dt.UTC)
        steps: tuple[Callable[[], object], ...] = (
            self.teach.store.sweep,
            lambda: member_data.go_on_with_all(self.flags, self.kept_photos, self.teach.store, now),
            self.messages.forget_old,
            lambda: sweep(self.flags.sessions, now),
        )
        for step in steps:
            try:
                step()
            except SmartBreedError as error:  # one file that cannot be deleted must not keep the others
                log.warning("something could not be deleted, and is tried again: %s", error.message)

    @cached_property
    def gallery(self) -> Gallery:
        """The gallery of photos that explain answers."""
        return Gallery(
            self.settings, lambda: self.flags.sessions, lambda: self.identifier, lambda: self.flags.blobs
        )

    @cached_property
    def quiz(self) -> Quiz:
        """The quiz about the gallery's photos and the breed texts."""
        return Quiz(
            lambda: self.flags.sessions, self.gallery, lambda: self.identifier,
            lambda: load_secret(self.settings),
        )  # fmt: skip

    @cached_property
    def teach(self) -> Teach:
        """Custom models of members."""
        return Teach(self.settings, lambda: self.flags.sessions, lambda: self.identifier, self.read)

    @cached_property
    def review(self) -> ReviewService:
        return ReviewService(self.flags, self.settings, named=lambda: self.identifier.known.breeds)

    @property
    def of_things(self) -> bool:
        """True if the serving model classifies something other than cats and dogs."""
        return not self.identifier.known.of_pets

    @property
    def introduction(self) -> tuple[str, str]:
        """Name and description of a serving model that has a description; two empty strings otherwise."""
        config = self.identifier.bundle.config
        return (config.name, config.about) if config.about else ("", "")

    @cached_property
    def retraining(self) -> Jobs:
        jobs = Jobs(self.settings)
        jobs.on_end.append(self._after_retraining)
        return jobs

    @cached_property
    def releases(self) -> Releases:
        return Releases(self.settings)

    @cached_property
    def triggers(self) -> Triggers:
        settings = self.settings
        return Triggers(
            self.retraining,
            lambda: self.accepted().total(),
            lambda trigger: self.retrain(trigger=trigger),
            after=settings.retrain_after,
            every_h=settings.retrain_every,
        )

    def accepted(self) -> Counter[str]:
        """Return the number of accepted photos that the newest version was not trained on, by breed name.

        Raises:
            StorageError: the database refused.
        """
        return self._accepted_photos.waiting()

    def needs(self) -> dict[str, Need]:
        """Return for each mode whether enough photos were accepted here to retrain the serving model.

        Photos that another app accepted for the same dataset are not counted; only the trainer sees them.

        Raises:
            StorageError: the database refused.
        """
        return self._accepted_photos.needs()

    def visitors_breeds(self) -> tuple[VisitorsBreed, ...]:
        """Return the breeds that visitors added or are adding; see `AcceptedPhotos.visitors_breeds`.

        Raises:
            StorageError: the database refused.
        """
        return self._accepted_photos.visitors_breeds()

    @cached_property
    def _accepted_photos(self) -> AcceptedPhotos:
        return AcceptedPhotos(
            self.settings, self.flags.sessions, self.releases, self.review.new_breeds,
            lambda: self.identifier.bundle,
        )  # fmt: skip

    def retrain(self, mode: str = "head", *, publish: bool = True, trigger: str = "hand") -> Job:
        """Start a retraining on all photos accepted so far.

        Raises:
            RequestError: ``takes_no_releases`` if ``publish`` is set but the source of the serving model
                takes no releases.
            RequestError, UnavailableError, StorageError: as in `Jobs.start`.
        """
        if publish and (why := why_no_releases(self.settings)):
            raise RequestError("takes_no_releases", why)
        self.retraining.check_free()
        accepted = self.accepted().total()
        # The trainer reads the dataset, so flags are published first. Those that the Hub refuses now go into
        # the next retraining.
        self.publisher.run(by_hand=True, patience_s=_PATIENCE_S)
        job = self.retraining.start(mode, publish=publish, trigger=trigger, accepted=accepted)
        self.note("retrain", f"{mode}, started by {trigger}, {accepted} new photos")
        return job

    def note(self, action: str, words: str) -> None:
        """Record an action outside the database in the audit log; never raises."""
        with suppress(StorageError):  # the action is done, and the database error is logged
            audit.note_alone(self.flags.sessions, action, words)

    def _after_retraining(self, job: Job) -> None:
        if job.state == "released":
            self.releases.forget()
            if "model" in self.__dict__:
                self.model.poke()

    def read(self, source: PhotoInput | None, name: str = "") -> Photo:
        """Read a photo within the limits of the settings.

        Args:
            name: name of the photo for messages and answers; empty for that of the source.

        Raises:
            PhotoError: with a code of `smartbreed.core.errors.PHOTO_CODES`.
        """
        if source is None or source == "":
            raise PhotoError("no_photo", "No photo was sent; choose one and try again.")
        with stage("decode"):
            return read_photo(
                source,
                name=name,
                max_bytes=self.settings.max_bytes,
                max_pixels=self.settings.max_pixels,
                admission=self.admission,
                reduce=True,
            )

    def identify(
        self,
        source: PhotoInput | None,
        *,
        name: str = "",
        whole: bool = False,
        top_k: int | None = None,
        score: float | None = None,
        interface: str = "",
    ) -> Identification | Failure:
        """Identify the pets in a photo. A photo that cannot be read gives a `Failure`, not an exception.

        Args:
            interface: one of `smartbreed.statistics.usage.INTERFACES`, to count the answer in the usage
                statistics; empty to leave it out.
        """
        options: dict[str, Any] = {"whole": whole, "top_k": top_k, "score": score}
        return self._identify(self.identifier, source, name, interface, options)

    def identify_many(
        self,
        sources: Sequence[tuple[PhotoInput, str]],
        *,
        whole: bool = False,
        top_k: int | None = None,
        score: float | None = None,
        interface: str = "",
    ) -> list[Identification | Failure]:
        """Identify the pets in many photos; an unreadable one does not affect the others.

        Args:
            sources: source and name of each photo.
            interface: as in `identify`.

        Returns:
            The answers, in the order of ``sources``.

        Raises:
            RequestError: more photos than the settings allow.
        """
        if len(sources) > self.settings.max_photos:
            raise RequestError(
                "too_many_photos",
                f"At most {self.settings.max_photos} photos at once. Received: {len(sources)}.",
            )
        identifier = self.identifier
        options: dict[str, Any] = {"whole": whole, "top_k": top_k, "score": score}

        def one(item: tuple[PhotoInput, str]) -> Identification | Failure:
            return self._identify(identifier, *item, interface, options)

        # Each thread decodes one photo at a time; decoding the whole batch first would hold all in memory.
        with ThreadPoolExecutor(min(identifier.threads, len(sources)) or 1) as pool:
            # Each call runs in the context of the request, so that logs and traces contain the request's id.
            return list(
                pool.map(lambda run, item: run(one, item), [copy_context().run for _ in sources], sources)
            )

    def _identify(
        self,
        identifier: Identifier,
        source: PhotoInput | None,
        name: str,
        interface: str,
        options: dict[str, Any],
    ) -> Identification | Failure:
        with stage("total"):
            try:
                photo = self.read(source, name)
            except PhotoError as error:
                return self._counted(Failure(name or _base_name(source), error), interface)
            return self._counted(identifier.identify(photo, **options), interface)

    def _counted(self, answer: Identification | Failure, interface: str) -> Identification | Failure:
        if interface:
            self.recorder.note(answer, interface, self.model.current.identifier.bundle.version.version)
        return answer

    def flag(
        self,
        photo: Photo,
        answer: Identification,
        *,
        number: int | None,
        verdict: str,
        label: str = "",
        label_text: str = "",
        consent: bool = False,
        flagger: str = "",
        client: str = "",
        box: tuple[float, float, float, float] | None = None,
        species: str = "",
        member: str = "",
    ) -> Receipt:
        """Save a flag durably: a person's verdict on a pet of an answer, or on the whole photo.

        Args:
            number: of the pet, from 1; None for the photo as a whole.
            client: where the request comes from, such as a network address; flags are limited per client.
            box: of a missed pet, ``x0, y0, x1, y1`` in pixels of the upright photo.
            species: of a missed pet, ``cat`` or ``dog``.
            member: id of the member who flags; empty for a visitor.

        Raises:
            FlagError, RequestError: the flag is invalid, consent is missing, or there are too many flags.
            StorageError: disk or database refused; nothing was saved.
        """
        pet = None if number is None else answer.pet(number)
        request = request_of(
            photo, answer, self.identifier, pet=pet, number=number, verdict=verdict, label=label,
            label_text=label_text, consent=consent, flagger=flagger, box=box, species=species,
        )  # fmt: skip
        own = partial(self.members.own_flag, member_id=member) if member else None
        return self.flags.save(request, client, own)


def _quietly(end: Callable[[], object]) -> None:
    try:
        end()
    except Exception:  # the other functions must still be called
        log.exception("something did not stop as it should")


def _base_name(source: Any) -> str:
    return Path(source).name if isinstance(source, (str, Path)) and len(str(source)) < 4096 else ""


def explain_failure(error: Exception) -> SmartBreedError:
    """Return any exception as a `SmartBreedError`.

    An unexpected one is logged with its traceback and becomes a generic error with the code ``internal``.
    """
    failed(error.code if isinstance(error, SmartBreedError) else "internal")
    if isinstance(error, SmartBreedError):
        return error
    log.error("unexpected %s", type(error).__name__, exc_info=error)
    return SmartBreedError(
        "internal", "Something went wrong on our side; nothing was saved. Please try again."
    )
