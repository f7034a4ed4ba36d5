"""Custom models of members: manage classes and photos, train, export, publish and delete."""

from __future__ import annotations

import datetime as dt
import logging
import re
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath
from typing import IO

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, forget_deleted, read, write
from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError
from smartbreed.core.settings import REPO_ID, Settings
from smartbreed.core.text import one_line
from smartbreed.hub.client import chosen_hub, commit_files, connect, delete_repo, ensure_repo
from smartbreed.i18n import mark
from smartbreed.imaging.photo import Photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.sources.annotations import Area, cut
from smartbreed.sources.items import Item
from smartbreed.sources.opening import open_source
from smartbreed.teach import learning
from smartbreed.teach.archives import Packed, photos_of
from smartbreed.teach.bundle import bundle_files, check_classes, slug, write_bundle
from smartbreed.teach.photos import SUBJECTS, Subject, groups_of, see, small_copy, subject_named
from smartbreed.teach.serving import Serving
from smartbreed.teach.store import ModelStore
from smartbreed.teach.tables import TeachClass, TeachModel, TeachPhoto
from smartbreed.teach.views import ClassView, Confused, ModelView, Report, embedding_of

log = logging.getLogger(__name__)

#: Most photos of a dataset that are stepped through to sample from it.
_LOOKED = 5_000
#: The valid addresses below ``/m/``.
ADDRESS = re.compile(r"[a-z0-9][a-z0-9_-]{2,39}")


@dataclass
class Added:
    """The result of adding photos.

    Attributes:
        added: number of photos added.
        already: number of photos that the model had already.
        unusable: number of unusable photos, by the reason in a sentence.
    """

    added: int = 0
    already: int = 0
    unusable: Counter[str] = field(default_factory=Counter)


@dataclass
class Training:
    """A training run, in progress or ended.

    Attributes:
        photos: number of photos to train on.
        looked: how many of them have an up-to-date embedding so far.
        steps: the learning curve so far.
        done: whether the run has ended.
        problem: why it ended without a model, in a sentence; else empty.
    """

    photos: int
    looked: int = 0
    steps: list[learning.Step] = field(default_factory=list)
    done: bool = False
    problem: str = ""


class Teach:
    """The custom models of all members. Thread-safe.

    Args:
        settings: limits, the home and the Hub.
        sessions: opens the database.
        identifier: returns the serving model, whose embeddings are learnt from.
        read_photo: reads a photo within the limits of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: Callable[[], Sessions],
        identifier: Callable[[], Identifier],
        read_photo: Callable[[bytes, str], Photo],
    ) -> None:
        self.settings = settings
        self._sessions, self._identifier, self._read_photo = sessions, identifier, read_photo
        self._guard = threading.Lock()
        self._trainings: dict[str, Training] = {}
        self.serving = Serving(lambda: self.store, settings.threads, read_photo)

    @cached_property
    def store(self) -> ModelStore:
        return ModelStore(self._sessions(), self.settings)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """Runs one training at a time: each takes about a second, and answering visitors has priority."""
        return ThreadPoolExecutor(1, "teach")

    def close(self) -> None:
        """Wait for the running training to end, and cancel those that are queued."""
        if "_pool" in self.__dict__:
            self._pool.shutdown(cancel_futures=True)

    # -- models and classes

    def models(self, member_id: str) -> list[tuple[TeachModel, int, int]]:
        """Return a member's models, newest first, each with the number of its classes and photos."""
        classes = sa.select(sa.func.count()).where(TeachClass.model_id == TeachModel.id).scalar_subquery()
        photos = sa.select(sa.func.count()).where(TeachPhoto.model_id == TeachModel.id).scalar_subquery()
        query = sa.select(TeachModel, classes, photos).where(TeachModel.member_id == member_id)
        with read(self._sessions()) as session:
            rows = session.execute(query.order_by(TeachModel.made_at.desc(), TeachModel.id.desc())).all()
        return [(row[0], row[1], row[2]) for row in rows]

    def make(self, member_id: str, name: str, subject: str) -> TeachModel:
        """Create a model without classes.

        Raises:
            RequestError: ``no_name``, ``too_many_models`` or ``bad_subject``.
        """
        if subject not in SUBJECTS:
            raise RequestError("bad_subject", "Choose what your photos show.")
        row = TeachModel(
            member_id=member_id, name=_named(name, "your model"), subject=subject, bundle=0,
            made_at=dt.datetime.now(dt.UTC),
        )  # fmt: skip
        most = self.settings.teach_models
        with write(self._sessions()) as session:
            query = sa.select(sa.func.count()).where(TeachModel.member_id == member_id)
            if (session.scalar(query) or 0) >= most:
                raise RequestError(
                    "too_many_models",
                    f"You have {most} models, the most you can have. Delete one first.",
                )
            session.add(row)
        return row

    def model(self, member_id: str, model_id: str) -> ModelView:
        """Return one of a member's models with its classes, photos and report.

        Raises:
            RequestError: ``no_such_model`` (404).
        """
        with read(self._sessions()) as session:
            row = _own(session, member_id, model_id)
            classes = _classes(session, model_id)
            photos = session.scalars(
                sa.select(TeachPhoto).where(TeachPhoto.model_id == model_id).order_by(TeachPhoto.id)
            ).all()
        report = Report.model_validate_json(row.report) if row.report else None
        views = tuple(
            ClassView(one.id, one.name, tuple(photo for photo in photos if photo.class_id == one.id))
            for one in classes
        )
        return ModelView(row, views, report)

    def add_class(self, member_id: str, model_id: str, name: str) -> TeachClass:
        """Add a class.

        Raises:
            RequestError: ``no_such_model``, ``no_name``, ``same_name``, ``too_many_classes``.
        """
        with write(self._sessions()) as session:
            _own(session, member_id, model_id)
            return self._add_class(session, model_id, _named(name, "the class"))

    def _add_class(self, session: Session, model_id: str, name: str) -> TeachClass:
        known = [one.name for one in _classes(session, model_id)]
        if name in known:
            raise RequestError("same_name", f"There is already a class {name}.")
        if len(known) >= self.settings.teach_classes:
            raise RequestError(
                "too_many_classes",
                f"A model can have at most {self.settings.teach_classes} classes, and this one has as many.",
            )
        made = TeachClass(model_id=model_id, name=name)
        session.add(made)
        session.flush()
        return made

    def rename_class(self, member_id: str, model_id: str, class_id: str, name: str) -> None:
        """Rename a class; the next training uses the new name.

        Raises:
            RequestError: ``no_such_model``, ``no_such_class``, ``no_name``, ``same_name``.
        """
        wanted = _named(name, "the class")
        with write(self._sessions()) as session:
            found = _own_class(session, member_id, model_id, class_id)
            if any(one.name == wanted and one.id != class_id for one in _classes(session, model_id)):
                raise RequestError("same_name", f"There is already a class {wanted}.")
            found.name = wanted

    def remove_class(self, member_id: str, model_id: str, class_id: str) -> None:
        """Delete a class and its photos.

        Raises:
            RequestError: ``no_such_model``, ``no_such_class``.
        """
        with write(self._sessions()) as session:
            found = _own_class(session, member_id, model_id, class_id)
            samples = list(
                session.scalars(sa.select(TeachPhoto.sample_id).where(TeachPhoto.class_id == class_id))
            )
            session.execute(sa.delete(TeachPhoto).where(TeachPhoto.class_id == class_id))
            session.delete(found)
        self._drop_photos(model_id, samples)

    # -- photos

    def add_photos(
        self, member_id: str, model_id: str, class_id: str, photos: Iterable[tuple[str, bytes]]
    ) -> Added:
        """Add photos to a class; an unusable one is counted and skipped.

        Args:
            photos: name and bytes of each.

        Raises:
            RequestError: ``no_such_model`` or ``no_such_class``; ``too_many_photos`` or ``full``, in which
                case the photos added before are kept.
            StorageError: disk or database refused.
        """
        with read(self._sessions()) as session:
            subject = _own(session, member_id, model_id).subject
            _own_class(session, member_id, model_id, class_id)
        done = Added()
        for name, data in photos:
            self._add_photo(done, model_id, class_id, subject, name, data)
        return done

    def add_zip(self, member_id: str, model_id: str, file: IO[bytes]) -> Added:
        """Add the photos of a zip with one folder per class, or with COCO or YOLO boxes.

        Missing classes are created.

        Raises:
            RequestError: ``no_such_model``, ``bad_zip``, ``bad_boxes``, ``too_many_photos``,
                ``too_many_classes``, ``no_name`` or ``full``.
            StorageError: disk or database refused.
        """
        _, left = self._room(member_id, model_id)
        return self._add_labelled(
            member_id, model_id, photos_of(file, max_bytes=self.settings.max_bytes, most=left)
        )

    def add_dataset(self, member_id: str, model_id: str, repo: str) -> Added:
        """Add the photos of a dataset repo on the Hub, up to the limit of the model.

        From a larger dataset, photos are taken at regular intervals, because many datasets are sorted by
        label. Private datasets and the dataset of this site's flags are refused.

        Raises:
            RequestError: ``no_such_model``, ``no_source``, ``too_many_photos``, ``too_many_classes``,
                ``no_name`` or ``full``.
            HubCallError: the Hub refused.
            StorageError: disk or database refused.
        """
        _, left = self._room(member_id, model_id)
        if left < 1:
            raise RequestError("too_many_photos", "There is room for no more photos in this model.")
        name = one_line(repo)
        if not re.fullmatch(rf"{REPO_ID[:-1]}(@[\w./-]{{1,100}})?$", name):
            raise RequestError("no_source", "Write the dataset's id as on its Hub: owner/name.")
        if name.partition("@")[0].casefold() == self.settings.dataset.casefold():
            raise RequestError("no_source", "Photos that visitors flagged cannot be used for this.")
        opened = open_source(name, settings=self.settings, public=True)
        looked = min(opened.total or _LOOKED, _LOOKED)
        photos = islice(opened.photos, 0, looked, max(1, -(-looked // left)))
        return self._add_labelled(
            member_id, model_id, (_packed(item, self.settings.max_bytes) for item in photos)
        )

    def _room(self, member_id: str, model_id: str) -> tuple[TeachModel, int]:
        """Return a member's model and how many more photos it may have."""
        with read(self._sessions()) as session:
            row = _own(session, member_id, model_id)
            return row, self.settings.teach_photos - _photo_count(session, model_id)

    def _add_labelled(self, member_id: str, model_id: str, photos: Iterable[Packed]) -> Added:
        """Add each photo to the class of its label, and create missing classes."""
        with read(self._sessions()) as session:
            subject = _own(session, member_id, model_id).subject
            ids = {one.name: one.id for one in _classes(session, model_id)}
        done = Added()
        for label, name, data, area, problem in photos:
            if problem or data is None:
                done.unusable[problem or "The file in the zip is too large or damaged."] += 1
                continue
            called = _named(label, "each folder")
            if called not in ids:
                with write(self._sessions()) as session:
                    _own(session, member_id, model_id)
                    ids[called] = self._add_class(session, model_id, called).id
            self._add_photo(done, model_id, ids[called], subject, name, data, area)
        return done

    def _add_photo(
        self, done: Added, model_id: str, class_id: str, subject: str, name: str, data: bytes,
        area: Area | None = None,
    ) -> None:  # fmt: skip
        identifier = self._identifier()
        try:
            photo = self._read_photo(data, name)
            if area is not None:
                photo = cut(photo, area)
            copy = small_copy(photo)
            seen = see(identifier, photo, subject_named(subject))
        except PhotoError as error:
            done.unusable[error.message] += 1
            return
        sample_id = self.store.photos(model_id).put(copy)
        row = TeachPhoto(
            model_id=model_id, class_id=class_id, sample_id=sample_id, name=one_line(photo.name),
            size=len(copy), whole=seen.whole, revision=identifier.bundle.version.revision,
            embedding=seen.embedding.astype(np.float16).tobytes(), phash=seen.phash,
        )  # fmt: skip
        try:
            with write(self._sessions()) as session:
                same = sa.select(TeachPhoto.id).where(TeachPhoto.model_id == model_id)
                if session.scalar(same.where(TeachPhoto.sample_id == sample_id)) is not None:
                    done.already += 1
                    return
                self._check_room(session, row, done.added)
                session.add(row)
        except RequestError:
            self.store.photos(model_id).delete(sample_id)
            raise
        done.added += 1

    def _check_room(self, session: Session, row: TeachPhoto, added: int) -> None:
        """Refuse a photo whose class is gone, or that exceeds the model's limit or the disk quota."""
        if session.get(TeachClass, row.class_id) is None:  # the class was deleted meanwhile
            raise RequestError("no_such_class", "There is no such class.", status=404)
        most, quota = self.settings.teach_photos, self.settings.quota
        if _photo_count(session, row.model_id) >= most:
            raise RequestError(
                "too_many_photos", f"A model can have at most {most} photos. {added} were added before that."
            )
        if quota and (session.scalar(sa.select(sa.func.sum(TeachPhoto.size))) or 0) + row.size > quota:
            raise RequestError("full", "There is no room for more photos here now.", status=507)

    def remove_photo(self, member_id: str, model_id: str, photo_id: str) -> None:
        """Delete a photo.

        Raises:
            RequestError: ``no_such_model``, ``no_such_photo``.
        """
        with write(self._sessions()) as session:
            found = _own_photo(session, member_id, model_id, photo_id)
            session.delete(found)
        self._drop_photos(model_id, [found.sample_id])

    def move_photo(self, member_id: str, model_id: str, photo_id: str, class_id: str) -> None:
        """Move a photo to another class.

        Raises:
            RequestError: ``no_such_model``, ``no_such_photo``, ``no_such_class``.
        """
        with write(self._sessions()) as session:
            _own_class(session, member_id, model_id, class_id)
            _own_photo(session, member_id, model_id, photo_id).class_id = class_id

    def photo(self, member_id: str, model_id: str, photo_id: str) -> bytes:
        """Return a photo of one of a member's models, as JPEG.

        Raises:
            RequestError: ``no_such_model``, ``no_such_photo``.
            StorageError: the disk refused.
        """
        with read(self._sessions()) as session:
            found = _own_photo(session, member_id, model_id, photo_id)
        return self.store.photos(model_id).get(found.sample_id)

    def _drop_photos(self, model_id: str, samples: Sequence[str]) -> None:
        for sample_id in samples:
            self.store.photos(model_id).delete(sample_id)
        forget_deleted(self._sessions())

    # -- training

    def train(self, member_id: str, model_id: str) -> Training:
        """Start a training in the background; `training` returns its progress.

        Raises:
            RequestError: ``no_such_model``, ``too_few_classes``, ``too_few_photos``, ``busy``.
        """
        with self._guard:  # or a training that ends meanwhile would be repeated with what it began with
            view = self.model(member_id, model_id)
            check_classes(view.names, [len(one.photos) for one in view.classes])
            running = self._trainings.get(model_id)
            if running is not None and not running.done:
                raise RequestError("busy", "This model is already being trained.", status=409)
            training = self._trainings[model_id] = Training(view.photos)
        self._pool.submit(self._train, view, training)
        return training

    def training(self, member_id: str, model_id: str) -> Training | None:
        """Return the current or latest training of a model; None if there was none since the app started.

        Raises:
            RequestError: ``no_such_model``.
        """
        with read(self._sessions()) as session:
            _own(session, member_id, model_id)
        return self._trainings.get(model_id)

    def _train(self, view: ModelView, training: Training) -> None:
        try:
            self._fit(view, training)
        except SmartBreedError as error:
            training.problem = error.message
        except Exception:
            log.exception("a training failed")
            training.problem = "Something went wrong on our side. Please try again."
        training.done = True

    def _fit(self, view: ModelView, training: Training) -> None:
        row, identifier = view.row, self._identifier()
        subject = subject_named(row.subject)
        photos = [photo for one in view.classes for photo in one.photos]
        for photo in photos:
            if photo.revision != identifier.bundle.version.revision:
                self._look_again(identifier, photo, subject)
            training.looked += 1
        names = [one.name for one in view.classes]
        labels = np.repeat(np.arange(len(names)), [len(one.photos) for one in view.classes])
        embeddings = np.stack([embedding_of(photo) for photo in photos])
        groups = groups_of(embeddings, [photo.phash for photo in photos])
        taught = learning.teach(embeddings, labels, len(names), groups, training.steps.append)
        number = self.store.new_bundle(row.id)
        folder = self.store.bundle(row.id, number)
        try:
            write_bundle(folder, identifier.bundle, taught, names, row.name, subject)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        report = Report(
            names=names,
            counts=list(taught.counts),
            confusion=taught.confusion.tolist(),
            accuracy=taught.accuracy,
            checked=taught.checked,
            steps=[(one.step, one.loss, one.learnt, one.held_back) for one in taught.steps],
            suspicious=[
                Confused(photo=photos[one.place].id, given=names[one.given], likely=names[one.likely])
                for one in taught.suspicious
            ],
            trained_at=dt.datetime.now(dt.UTC),
            learnt_from=view.mark,
            base=f"{identifier.bundle.config.name} {identifier.bundle.config.version}",
        )
        with write(self._sessions()) as session:
            found = session.get(TeachModel, row.id)
            served = found.bundle if found is not None else 0
            if found is not None and served < number:
                found.bundle, found.report = number, report.model_dump_json()
        if found is None:  # the model was deleted meanwhile
            self.store.drop([row.id])
        elif served > number:  # another process began to write its bundle later, and ended before
            shutil.rmtree(folder, ignore_errors=True)
        else:
            # Not those after the one served until now: another process may be writing one of them.
            self.store.drop_bundles(row.id, served)

    def _look_again(self, identifier: Identifier, photo: TeachPhoto, subject: Subject) -> None:
        """Recompute a photo's embedding, because the serving model has changed since it was computed."""
        data = self.store.photos(photo.model_id).get(photo.sample_id)
        seen = see(identifier, self._read_photo(data, photo.name), subject)
        photo.embedding = seen.embedding.astype(np.float16).tobytes()
        photo.phash, photo.whole, photo.revision = seen.phash, seen.whole, identifier.bundle.version.revision
        values = {name: getattr(photo, name) for name in ("embedding", "phash", "whole", "revision")}
        with write(self._sessions()) as session:
            session.execute(sa.update(TeachPhoto).where(TeachPhoto.id == photo.id).values(**values))

    # -- what it is good for

    def pack(self, member_id: str, model_id: str, out: IO[bytes]) -> str:
        """Write the bundle as a zip and return a name for the file.

        Raises:
            RequestError: ``no_such_model``, or as in `Serving.identifier_of`.
        """
        with read(self._sessions()) as session:
            row = _own(session, member_id, model_id)
        bundle = self.serving.identifier_of(row).bundle
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for name, path in bundle_files(bundle).items():
                archive.write(path, name)
        return f"{slug(row.name)}.zip"

    # -- publishing

    def publish(self, member_id: str, model_id: str, address: str) -> None:
        """Serve a model under ``/m/<address>``, or stop serving it if ``address`` is empty.

        Raises:
            RequestError: ``no_such_model``, ``not_trained``, ``bad_address``, ``taken``.
        """
        wanted = address.strip().lower()
        if wanted and not ADDRESS.fullmatch(wanted):
            raise RequestError(
                "bad_address", "An address has 3 to 40 lower-case letters, digits, hyphens and underscores."
            )
        with write(self._sessions()) as session:
            row = _own(session, member_id, model_id)
            if wanted and not row.bundle:
                raise RequestError("not_trained", "This model has not been trained yet.", status=409)
            owner = session.scalar(sa.select(TeachModel.id).where(TeachModel.address == wanted))
            if wanted and owner not in (None, model_id):
                raise RequestError("taken", f"The address {wanted} is taken; choose another one.", status=409)
            row.address = wanted or None

    def served(self, address: str) -> TeachModel:
        """Return the model that is published under an address.

        Raises:
            RequestError: ``no_such_model`` (404).
        """
        row = None
        if ADDRESS.fullmatch(address):
            with read(self._sessions()) as session:
                row = session.scalar(sa.select(TeachModel).where(TeachModel.address == address))
        if row is None:
            raise _missing()
        return row

    @property
    def why_no_hub(self) -> str:
        """Why models cannot be published to the Hub here, in a sentence; empty if they can."""
        if chosen_hub(self.settings).embedded or self.settings.teach_hub:
            return ""
        return mark("Models of members are not published to the Hub from here.")

    def publish_to_hub(self, member_id: str, model_id: str) -> str:
        """Commit the bundle to a repo of its own on the Hub, and return the repo's id.

        Raises:
            RequestError: ``no_such_model``, ``no_hub``, or as in `Serving.identifier_of`.
            HubCallError: the Hub refused.
        """
        if self.why_no_hub:
            raise RequestError("no_hub", self.why_no_hub, status=403)
        with read(self._sessions()) as session:
            row = _own(session, member_id, model_id)
        bundle = self.serving.identifier_of(row).bundle
        owner = self.settings.model_repo.partition("/")[0]
        repo = row.repo or f"{owner}/{slug(row.name)}-{row.id[-8:].lower()}"
        with write(self._sessions()) as session:  # before the repo exists, so that a deletion finds it
            _own(session, member_id, model_id).repo = repo
        api = connect(self.settings)
        ensure_repo(api, repo, "model")
        commit_files(api, repo, "model", bundle_files(bundle), title=f"{row.name} {bundle.config.version}")
        return repo

    def take_from_hub(self, member_id: str, model_id: str) -> None:
        """Delete a model's repo on the Hub, if it has one.

        Raises:
            RequestError: ``no_such_model``.
            HubCallError: the Hub refused; the repo still exists.
        """
        with read(self._sessions()) as session:
            row = _own(session, member_id, model_id)
        if row.repo:
            delete_repo(connect(self.settings), row.repo, "model")
            with write(self._sessions()) as session:
                _own(session, member_id, model_id).repo = None

    def delete(self, member_id: str, model_id: str) -> None:
        """Delete a model with its repo, rows, photos, bundle and address.

        Raises:
            RequestError: ``no_such_model``.
            HubCallError: the Hub refused to delete its repo; nothing was deleted.
            StorageError: disk or database refused.
        """
        self.take_from_hub(member_id, model_id)
        with write(self._sessions()) as session:
            self.store.erase_row(session, _own(session, member_id, model_id))
        self.store.drop([model_id])
        with self._guard:
            self._trainings.pop(model_id, None)
        self.serving.forget(model_id)
        forget_deleted(self._sessions())


def _missing() -> RequestError:
    return RequestError("no_such_model", "There is no such model.", status=404)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isalnum()  # other characters can make a database driver fail


def _own(session: Session, member_id: str, model_id: str) -> TeachModel:
    row = session.get(TeachModel, model_id) if _is_id(model_id) else None
    if row is None or row.member_id != member_id:
        raise _missing()
    return row


def _own_class(session: Session, member_id: str, model_id: str, class_id: str) -> TeachClass:
    _own(session, member_id, model_id)
    found = session.get(TeachClass, class_id) if _is_id(class_id) else None
    if found is None or found.model_id != model_id:
        raise RequestError("no_such_class", "There is no such class.", status=404)
    return found


def _own_photo(session: Session, member_id: str, model_id: str, photo_id: str) -> TeachPhoto:
    _own(session, member_id, model_id)
    found = session.get(TeachPhoto, photo_id) if _is_id(photo_id) else None
    if found is None or found.model_id != model_id:
        raise RequestError("no_such_photo", "There is no such photo.", status=404)
    return found


def _classes(session: Session, model_id: str) -> Sequence[TeachClass]:
    query = sa.select(TeachClass).where(TeachClass.model_id == model_id).order_by(TeachClass.id)
    return session.scalars(query).all()


def _packed(item: Item, most: int) -> Packed:
    if not item.label:
        return Packed("", item.name, None, problem="A photo of this dataset has no label.")
    try:
        return Packed(item.label, PurePosixPath(item.name).name, item.read(most))
    except PhotoError as error:
        return Packed(item.label, item.name, None, problem=error.message)


def _photo_count(session: Session, model_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(TeachPhoto).where(TeachPhoto.model_id == model_id)
    return session.scalar(query) or 0


def _named(text: str, what: str) -> str:
    name = one_line(text)
    if not name:
        raise RequestError("no_name", f"Give {what} a name.")
    return name
