"""The gallery of an installation: photos of known breeds, searched by embedding.

The database is the source of truth, and pictures are blobs under ``home/gallery/pictures``. The index
``home/gallery/embeddings.npy`` is rebuilt from the database for the serving model whenever the photos change.
Embeddings of another model are never searched; those photos are embedded again in the background.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sqlalchemy as sa
from PIL import Image
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import PhotoError, RequestError, StorageError
from smartbreed.core.files import disk_errors, make_dirs, only_holder
from smartbreed.core.settings import Settings
from smartbreed.dataset.corrections import accepted_rows
from smartbreed.feedback.blobs import BlobStore
from smartbreed.gallery import graph
from smartbreed.gallery.index import Index, read_index, write_index
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.imaging.photo import Box, Photo, encode_jpeg, read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Pet
from smartbreed.review.claims import label_of
from smartbreed.review.pictures import stored_photo
from smartbreed.review.scores import difference_hash
from smartbreed.review.tables import Signals

log = logging.getLogger(__name__)

#: Similar photos shown under an answer.
SHOWN = 6
#: Cosine similarities: from `SAME` on, two pictures count as the same photo; below the last threshold of
#: `ALIKE`, no photo is shown. docs/gallery.md says how they were measured.
SAME = 0.985
ALIKE = ((0.80, "very much alike"), (0.68, "much alike"), (0.55, "alike"), (0.40, "a little alike"))
#: Longest side of a kept picture, and side of a square thumbnail, in pixels.
KEPT_SIDE, THUMBNAIL = 640, 240
#: Photos embedded per call of `Gallery.refresh`; the app can stop between two calls.
_AT_ONCE = 16
#: Seconds to wait when everything is up to date, and between two batches.
EVERY_S, _BETWEEN_S = 20.0, 0.2
#: Most consented photos of flags that are searched, the latest first.
_CONSENTED = 5_000


@dataclass(frozen=True)
class Similar:
    """A photo that is similar to a pet.

    Attributes:
        name: its name in thumbnail URLs: ``g`` and the id of a gallery photo, or ``f`` and the id of a flag.
        label: id of its breed.
        similarity: cosine of the two embeddings.
    """

    name: str
    label: str
    similarity: float

    @property
    def words(self) -> str:
        """The similarity in words, from `ALIKE`."""
        return next(words for least, words in ALIKE if self.similarity >= least)


@dataclass(frozen=True)
class Answered:
    """A gallery photo with the serving model's guess.

    Attributes:
        name: its name in thumbnail URLs.
        label: id of its breed.
        said: id of the breed that was the first guess.
        probability: of that guess, 0…1.
        part: split of its source, ``train`` or ``test``; empty if unknown.
    """

    name: str
    label: str
    said: str
    probability: float
    part: str


@dataclass(frozen=True)
class Status:
    """The state of the gallery, in numbers of photos.

    Attributes:
        kept, duplicates, bad: photos from sources that are kept, near-duplicates or unusable.
        embedded: kept photos with an embedding of the serving model.
        breeds: number of breeds among the kept photos.
        searched: photos in the current index, including consented photos of flags.
        model: version of the serving model.
    """

    kept: int
    duplicates: int
    bad: int
    embedded: int
    breeds: int
    searched: int
    model: str

    @property
    def sentence(self) -> str:
        """The state in a sentence, with the next step if there is one."""
        if not self.kept:
            return "There is no gallery yet; make one with: smartbreed gallery build SOURCE"
        if self.embedded < self.kept:
            return (
                f"Model {self.model} has other embeddings: {self.embedded} of {self.kept} photos are "
                "embedded anew. The running app goes on with it; smartbreed gallery refresh does it now."
            )
        return f"All {self.kept} photos are embedded by model {self.model}."


class Gallery:
    """The gallery of an installation. Thread-safe; only one process at a time may add to it.

    Args:
        settings: the home.
        sessions: opens the database.
        identifier: returns the serving model.
        blobs: returns the store of flagged photos.
    """

    def __init__(
        self,
        settings: Settings,
        sessions: Callable[[], Sessions],
        identifier: Callable[[], Identifier],
        blobs: Callable[[], BlobStore],
    ) -> None:
        self.settings = settings
        self._open, self._identifier, self._blobs = sessions, identifier, blobs
        self.folder = settings.home_dir / "gallery"
        self.pictures = BlobStore(self.folder / "pictures", "picture")
        self._file = self.folder / "embeddings.npy"
        self._index: Index | None = None
        #: Id of the last photo that `_embed_some` took; empty: the next one is the first.
        self._passed = ""
        self._guard = threading.Lock()
        self._thumbnail = lru_cache(256)(self._make_thumbnail)

    @property
    def sessions(self) -> Sessions:
        return self._open()

    # -- asking

    def similar(self, pet: Pet, model: str, sha256: str = "", most: int = SHOWN) -> list[Similar]:
        """Return the photos most similar to a pet, nearest first, without the pet's own photo.

        Args:
            model: revision of the model that answered; empty result if the index is of another revision.
            sha256: of the pet's photo.
            most: maximum number of photos.

        Raises:
            StorageError: the database refused.
        """
        index = self._index
        if index is None or not index.stamp.startswith(f"{model} "):
            return []
        near = [
            (name, similarity)
            for name, similarity in index.nearest(pet.embedding, 4 * most)
            if name and ALIKE[-1][0] <= similarity < SAME
        ]
        # Photos that were deleted or withdrawn since the index was made are dropped here.
        with read(self.sessions) as session:
            labels = self._labels(session, [name for name, _ in near], sha256)
        return [Similar(name, labels[name], similarity) for name, similarity in near if name in labels][:most]

    def of_breed(self, label: str, most: int) -> list[str]:
        """Return names of gallery photos of a breed, at most ``most``.

        Raises:
            StorageError: the database refused.
        """
        query = sa.select(GalleryPhoto.id).where(GalleryPhoto.state == "kept", GalleryPhoto.label == label)
        with read(self.sessions) as session:
            return [f"g{one}" for one in session.scalars(query.order_by(GalleryPhoto.id).limit(most))]

    def answered(self, most: int, *, label: str = "", said: str = "", right: bool = False) -> list[Answered]:
        """Return photos that the serving model gets right or wrong, most confident first.

        Photos are left out until the serving model has processed them.

        Args:
            most: maximum number of photos.
            label: only photos of this breed; empty for all.
            said: only photos whose first guess is this breed; empty for all.
            right: True for photos guessed right, False for those guessed wrong.

        Raises:
            StorageError: the database refused.
        """
        row = GalleryPhoto
        wanted = [row.state == "kept", row.model == self._identifier().bundle.version.revision]
        wanted.append(row.said == row.label if right else row.said != row.label)
        wanted += [column == value for column, value in ((row.label, label), (row.said, said)) if value]
        query = sa.select(row.id, row.label, row.said, row.probability, row.part).where(*wanted)
        with read(self.sessions) as session:
            found = session.execute(query.order_by(row.probability.desc(), row.id).limit(most)).all()
        return [Answered(f"g{one.id}", one.label, one.said, one.probability, one.part or "") for one in found]

    def thumbnail(self, name: str) -> bytes:
        """Return a small square JPEG of a photo, without metadata.

        Args:
            name: as in `Similar.name`.

        Raises:
            RequestError: ``no_such_picture`` (404) if there is none of that name, it was withdrawn, or it is
                damaged.
            StorageError: disk or database refused.
        """
        with read(self.sessions) as session:
            found = self._picture_of(session, name)
        if found is None:
            raise RequestError("no_such_picture", "There is no such picture.", status=404)
        try:
            return self._thumbnail(*found)
        except (PhotoError, ValueError):
            raise RequestError("no_such_picture", "There is no such picture.", status=404) from None

    def photo(self, row: GalleryPhoto) -> bytes:
        """Return the picture of a kept photo, as JPEG.

        Raises:
            StorageError: the file is missing or damaged.
        """
        return self.pictures.get(row.picture or "0" * 64)

    def _labels(self, session: Session, names: list[str], sha256: str) -> dict[str, str]:
        ids = {kind: [name[1:] for name in names if name[0] == kind] for kind in "gf"}
        query = sa.select(GalleryPhoto).where(
            GalleryPhoto.id.in_(ids["g"]), GalleryPhoto.state == "kept", GalleryPhoto.origin != sha256
        )
        found = {f"g{row.id}": row.label or "" for row in session.scalars(query)} if ids["g"] else {}
        if ids["f"]:
            for flag, decision in accepted_rows(session, len(ids["f"]), ids["f"]):
                found[f"f{flag.id}"] = decision.label or label_of(flag) or ""
        return {name: label for name, label in found.items() if label}

    def _picture_of(self, session: Session, name: str) -> tuple[str, str, Box | None] | None:
        """Return kind (``g`` or ``f``), blob name and box of a photo; None if it is not available."""
        if name[:1] == "g":
            row = session.get(GalleryPhoto, name[1:])
            return ("g", row.picture, row.box) if row is not None and row.picture else None
        for flag, decision in accepted_rows(session, 1, [name[1:]]) if name[:1] == "f" else ():
            return "f", flag.sample_id, decision.box or flag.box
        return None

    def _make_thumbnail(self, kind: str, blob: str, box: Box | None) -> bytes:
        photo = stored_photo(self.pictures if kind == "g" else self._blobs(), blob)
        picture = photo.to_pil()
        x0, y0, x1, y1 = box or (0, 0, picture.width, picture.height)
        side = min(1.25 * max(x1 - x0, y1 - y0), picture.width, picture.height)
        left = min(max((x0 + x1 - side) / 2, 0), picture.width - side)
        top = min(max((y0 + y1 - side) / 2, 0), picture.height - side)
        small = picture.resize(
            (THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC, (left, top, left + side, top + side), 2.0
        )
        return encode_jpeg(np.asarray(small), 84)

    # -- keeping up

    def refresh(self) -> float:
        """Embed a batch of photos again if the model has changed, and update the index; for a periodic task.

        Returns:
            Seconds to wait until the next call.

        Raises:
            StorageError: disk or database refused. Photos that cannot be read stay; a later call tries them
                again.
        """
        with self._guard:
            identifier = self._identifier()
            model = identifier.bundle.version.revision
            left = self._embed_some(identifier, model)
            stamp, count, width = self._stamp(model)
            if count == 0:
                self._index = None
                self._delete_index()
                return _BETWEEN_S if left else EVERY_S
            if self._index is None or self._index.stamp != stamp:
                found = read_index(self._file)
                # The index is not rebuilt after every batch, but once all photos are embedded again.
                if (found is None or found.stamp != stamp) and not left:
                    rows = self._embeddings(model)
                    write_index(self._file, stamp, rows, count, width)
                    found = read_index(self._file)
                if found is not None and found.stamp == stamp:
                    found.graph = self._graph(found)
                self._index = found if found is not None and found.stamp.startswith(f"{model} ") else None
            return _BETWEEN_S if left else EVERY_S

    def _graph(self, index: Index) -> Any:
        """Return the graph of an index, built if missing; None for few photos or without usearch."""
        if len(index.names) <= graph.EXACT or not graph.available():
            graph.delete_graphs(self.folder)
            return None
        path = graph.graph_file(self._file, index.stamp)
        found = graph.read_graph(path, *index.vectors.shape)
        if found is None:
            graph.write_graph(path, index.vectors)
            found = graph.read_graph(path, *index.vectors.shape)
        return found

    def _delete_index(self) -> None:
        """Delete the files with embeddings: those of deleted photos must not stay on the disk."""
        with disk_errors("The index of the gallery was not deleted"):
            for path in self.folder.glob(f"{self._file.stem}*"):  # also graphs, and unfinished files
                path.unlink(missing_ok=True)

    def refresh_all(self) -> None:
        """Call `refresh` until nothing is left to do."""
        while self.refresh() < EVERY_S:
            pass

    def _stamp(self, model: str) -> tuple[str, int, int]:
        """Return the stamp that an up-to-date index of a model has, its number of rows, and their width."""
        kept = sa.select(sa.func.count(), sa.func.max(GalleryPhoto.id)).where(
            GalleryPhoto.model == model, GalleryPhoto.state == "kept"
        )
        with read(self.sessions) as session:
            count, last = session.execute(kept).one()
            consented = self._consented(session, model)
            for table in (GalleryPhoto, Signals):
                vector = session.scalar(
                    sa.select(table.embedding)
                    .where(table.model == model, table.embedding.is_not(None))
                    .limit(1)
                )
                if vector:
                    break
        flags = f"{len(consented)} {max(consented, default='')}"
        width = len(vector or b"") // 2
        return f"{model} {count} {last} {flags}", min(count + len(consented), graph.most_photos()), width

    @staticmethod
    def _consented(session: Session, model: str) -> list[str]:
        """Return ids of the flags whose photos may be shown and that have an embedding of this model."""
        query = sa.select(Signals.flag_id).where(Signals.model == model, Signals.embedding.is_not(None))
        known = set(session.scalars(query))
        return [flag.id for flag, _ in accepted_rows(session, _CONSENTED) if flag.id in known]

    def _embeddings(self, model: str) -> Iterator[tuple[str, bytes]]:
        with read(self.sessions) as session:
            wanted = set(self._consented(session, model))
            query = sa.select(Signals.flag_id, Signals.embedding).where(Signals.model == model)
            for flag, vector in session.execute(query.order_by(Signals.flag_id)).yield_per(500):
                if vector and flag in wanted:
                    yield f"f{flag}", vector
            kept = sa.select(GalleryPhoto.id, GalleryPhoto.embedding).where(
                GalleryPhoto.model == model, GalleryPhoto.state == "kept"
            )
            for row, embedding in session.execute(kept.order_by(GalleryPhoto.id)).yield_per(500):
                if embedding:
                    yield f"g{row}", embedding

    def _embed_some(self, identifier: Identifier, model: str) -> bool:
        """Embed a batch of photos that the current model has not processed; return False if none is left.

        Nothing is embedded if all photos are up to date, or while another process builds the gallery. Photos
        that cannot be read are passed over; after the last photo, the next call begins with them.

        Raises:
            StorageError: the database refused, or none of the batch can be read.
        """
        stale = (
            sa.select(GalleryPhoto)
            .where(
                GalleryPhoto.state == "kept",
                sa.or_(GalleryPhoto.model != model, GalleryPhoto.said.is_(None)),
                GalleryPhoto.id > self._passed,
            )
            .order_by(GalleryPhoto.id)
            .limit(_AT_ONCE)
        )
        with read(self.sessions) as session:
            rows = list(session.scalars(stale))
        if not rows:
            self._passed = ""
            return False
        faults: list[StorageError] = []
        with self.adding() as alone:
            if not alone:
                return False  # another process builds the gallery
            for row in rows:
                try:
                    photo = read_photo(self.photo(row), max_bytes=2**31, max_pixels=2**31)
                    values = embedded(identifier, photo)
                except StorageError as error:  # it may come back, as when its disk is mounted again
                    faults.append(error)
                    continue
                except PhotoError as error:
                    values = {"state": "bad", "problem": error.message[:300], "embedding": None}
                with write(self.sessions) as session:
                    session.execute(
                        sa.update(GalleryPhoto).where(GalleryPhoto.id == row.id).values(model=model, **values)
                    )
        self._passed = rows[-1].id
        if len(faults) == len(rows):
            raise faults[0]
        for fault in faults:
            log.warning("a photo of the gallery is not embedded: %s", fault.message)
        return True

    def adding(self) -> Any:
        """Return a context manager that locks the gallery; it yields False if another process has the lock.

        Raises:
            StorageError: the disk refused.
        """
        with disk_errors("The gallery cannot be changed"):
            make_dirs(self.folder)
        return only_holder(self.folder / "lock")

    # -- as a whole

    def status(self) -> Status:
        """Return the state of the gallery.

        Raises:
            StorageError: the database refused.
        """
        version = self._identifier().bundle.version
        count = sa.func.count
        by_state = sa.select(GalleryPhoto.state, count()).group_by(GalleryPhoto.state)
        kept = sa.select(count(), count(GalleryPhoto.label.distinct())).where(GalleryPhoto.state == "kept")
        with read(self.sessions) as session:
            states = dict(
                session.execute(by_state).all()  # type: ignore[arg-type]
            )
            breeds = session.execute(kept).one()[1]
            embedded_now = session.execute(kept.where(GalleryPhoto.model == version.revision)).one()[0]
        index = self._index or read_index(self._file)
        searched = len(index.names) if index and index.stamp.startswith(f"{version.revision} ") else 0
        return Status(
            states.get("kept", 0), states.get("duplicate", 0), states.get("bad", 0),
            embedded_now, breeds, searched, version.version,
        )  # fmt: skip

    def clear(self) -> int:
        """Delete the whole gallery; consented photos of flags are not part of it and stay.

        Returns:
            The number of kept photos that were deleted.

        Raises:
            RequestError: ``busy`` if another process builds the gallery.
            StorageError: disk or database refused.
        """
        with self.adding() as alone:
            if not alone:
                raise RequestError(
                    "busy", "The gallery is being built by another process; stop that first.", status=503
                )
            with write(self.sessions) as session:
                number = session.scalar(
                    sa.select(sa.func.count()).select_from(GalleryPhoto).where(GalleryPhoto.state == "kept")
                )
                session.execute(sa.delete(GalleryPhoto))
            self._delete_index()
            with disk_errors("Not all pictures of the gallery were deleted"):
                if self.pictures.root.exists():
                    shutil.rmtree(self.pictures.root)
            self._index = None
            self._thumbnail.cache_clear()
            return number or 0


def embedded(identifier: Identifier, photo: Photo) -> dict[str, Any]:
    """Return the columns of `GalleryPhoto` that a model fills in for a photo.

    Raises:
        PhotoError: ``damaged`` if the model finds no pet.
    """
    answer = identifier.identify(photo)
    if not answer.pets:
        raise PhotoError("damaged", "The model sees no pet in it.")
    pet = answer.pets[0]
    vector = pet.embedding / max(float(np.linalg.norm(pet.embedding)), 1e-9)
    crop = photo.to_pil().crop(tuple(round(value) for value in pet.crop))  # type: ignore[arg-type]
    return {
        "state": "kept", "problem": None, "pets": len(answer.pets),
        **dict(zip(("x0", "y0", "x1", "y1"), map(float, pet.box), strict=True)),
        "said": pet.breeds[0].id, "probability": pet.breeds[0].probability,
        "phash": difference_hash(crop), "embedding": vector.astype(np.float16).tobytes(),
    }  # fmt: skip
