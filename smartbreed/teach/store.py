"""Storage and deletion of members' models: database rows, a folder per model, and optional Hub repos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read
from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors
from smartbreed.core.settings import Settings
from smartbreed.feedback.blobs import BlobStore
from smartbreed.feedback.tables import is_id
from smartbreed.hub.client import connect, delete_repo
from smartbreed.teach.tables import TeachClass, TeachModel, TeachPhoto


class ModelStore:
    """The stored models of all members. Safe for any number of threads and processes.

    A model's row is written before its folder and deleted before it, so a crash can leave a folder without a
    row, which `sweep` removes.

    Args:
        sessions: a migrated database.
        settings: the home and the Hub.
    """

    def __init__(self, sessions: Sessions, settings: Settings) -> None:
        self.sessions, self.settings = sessions, settings
        self._root = settings.home_dir / "teach"

    def folder(self, model_id: str) -> Path:
        """Return the folder with all files of a model."""
        return self._root / model_id

    def photos(self, model_id: str) -> BlobStore:
        """Return the store of a model's photos."""
        return BlobStore(self.folder(model_id) / "photos")

    def bundle(self, model_id: str, number: int) -> Path:
        """Return the folder of one of a model's bundles."""
        return self.folder(model_id) / "bundles" / str(number)

    def new_bundle(self, model_id: str) -> int:
        """Make an empty folder for a bundle and return its number, which no other bundle of the model has.

        Raises:
            StorageError: disk or database refused.
        """
        with read(self.sessions) as session:
            query = sa.select(TeachModel.bundle).where(TeachModel.id == model_id)
            number = session.scalar(query) or 0
        with disk_errors("The model was not saved"):
            while True:
                number += 1
                try:
                    self.bundle(model_id, number).mkdir(parents=True)
                    return number
                except FileExistsError:  # of another training, in this process or in another one
                    continue

    def drop_bundles(self, model_id: str, last: int) -> None:
        """Delete a model's bundles up to the number ``last``; what cannot be deleted stays."""
        for folder in self.bundle(model_id, last).parent.iterdir():
            if folder.name.isdecimal() and int(folder.name) <= last:
                shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove folders without a row, left by a process that died after it had deleted the rows."""
        if not self._root.is_dir():
            return
        folders = {path.name for path in self._root.iterdir() if is_id(path.name) and path.is_dir()}
        with read(self.sessions) as session:
            known = set(session.scalars(sa.select(TeachModel.id)))
        self.drop(folders - known)

    def erase_rows(self, session: Session, member_id: str) -> tuple[list[str], list[str]]:
        """Delete a member's rows in the caller's transaction.

        Returns:
            Ids and repos of the models, to pass to `drop` after the commit.
        """
        found = session.scalars(sa.select(TeachModel).where(TeachModel.member_id == member_id)).all()
        gone = [row.id for row in found], [row.repo for row in found if row.repo]
        for row in found:
            self.erase_row(session, row)
        return gone

    @staticmethod
    def erase_row(session: Session, row: TeachModel) -> None:
        """Delete the rows of one model in the caller's transaction."""
        for table in (TeachPhoto, TeachClass):
            session.execute(sa.delete(table).where(table.model_id == row.id))
        session.delete(row)

    def drop(self, ids: Iterable[str], repos: Iterable[str] = ()) -> None:
        """Delete the folders and repos of models whose rows are gone.

        Raises:
            StorageError: the disk refused.
            HubCallError: the Hub refused; a further call continues.
        """
        for model_id in ids:
            with disk_errors("A model was not deleted"):
                if self.folder(model_id).exists():
                    shutil.rmtree(self.folder(model_id))
        for repo in repos:
            delete_repo(connect(self.settings), repo, "model")

    def export(self, member_id: str) -> tuple[list[dict[str, Any]], Iterator[tuple[str, bytes]]]:
        """Return all data kept about a member's models.

        Returns:
            A dict for each model, for JSON; and the photos, each with its name in the archive.

        Raises:
            StorageError: the database refused.
        """
        with read(self.sessions) as session:
            models = session.scalars(sa.select(TeachModel).where(TeachModel.member_id == member_id)).all()
            ids = [model.id for model in models]
            classes = session.scalars(sa.select(TeachClass).where(TeachClass.model_id.in_(ids))).all()
            columns = (TeachPhoto.model_id, TeachPhoto.class_id, TeachPhoto.sample_id, TeachPhoto.name)
            photos = session.execute(sa.select(*columns).where(TeachPhoto.model_id.in_(ids))).all()
        names = {one.id: one.name for one in classes}
        said = [
            {
                "name": model.name, "subject": model.subject, "address": model.address, "repo": model.repo,
                "made_at": model.made_at, "report": json.loads(model.report or "null"),
                "classes": [one.name for one in classes if one.model_id == model.id],
                "photos": [
                    {"class": names[photo.class_id], "name": photo.name, "file": _file(photo)}
                    for photo in photos if photo.model_id == model.id
                ],
            }
            for model in models
        ]  # fmt: skip

        def files() -> Iterator[tuple[str, bytes]]:
            for photo in photos:
                try:
                    yield _file(photo), self.photos(photo.model_id).get(photo.sample_id)
                except StorageError:  # the photo was deleted meanwhile
                    continue

        return said, files()


def _file(photo: Any) -> str:
    return f"teach/{photo.model_id}/{photo.sample_id}.jpg"
