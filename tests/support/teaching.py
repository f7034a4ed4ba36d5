"""Photographs of a few classes to teach, and a member who teaches them."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from functools import cache
from pathlib import Path

from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.teach.service import Teach
from support.photos import pattern, rows


@cache
def classes(count: int = 2, photos: int = 8) -> dict[str, list[bytes]]:
    """Photographs by class: as many breeds as wanted, or as there are."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for row in rows("breeds"):
        if len(found[row["breed"]]) < photos:
            found[row["breed"]].append(row["image"]["bytes"])
        full = [some for some in found.values() if len(some) == photos]
        if len(full) >= count:
            break
    return {f"Pet {n}": some for n, some in enumerate(full[:count], start=1)}


def as_folder(folder: Path, wanted: dict[str, list[bytes]] | None = None) -> Path:
    """The classes as a folder with a folder for each."""
    for name, photos in (wanted or classes()).items():
        (folder / name).mkdir(parents=True)
        for number, data in enumerate(photos):
            (folder / name / f"{number}.jpg").write_bytes(data)
    return folder


def as_zip(wanted: dict[str, list[bytes]] | None = None, **more: bytes) -> io.BytesIO:
    """The classes as a zip; ``more``: further entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, photos in (wanted or classes()).items():
            for number, data in enumerate(photos):
                archive.writestr(f"my pets/{name}/{number}.jpg", data)
        for name, data in more.items():
            archive.writestr(name, data)
    file.seek(0)
    return file


class Teacher:
    """Members who teach, in a home of their own."""

    #: A model of Rosa's, and its address, where a test keeps one.
    model = at = ""

    def __init__(self, home: Path, **settings: object) -> None:
        self.services = Services(load_settings(home=home, hub="embedded", **settings))
        self.rosa, self.tom = (
            self.services.roster.create(f"{name}@example.org")[0].id for name in ("rosa", "tom")
        )

    @property
    def teach(self) -> Teach:
        return self.services.teach

    def filled(self, name: str = "My pets") -> str:
        """A model of Rosa's with a few pictures of no pet, which are quick: its id."""
        row = self.teach.make(self.rosa, name, "whole")
        wanted = {"Pet 1": [pattern(n) for n in range(4)], "Pet 2": [pattern(n, "waves") for n in range(4)]}
        self.teach.add_zip(self.rosa, row.id, as_zip(wanted))
        return row.id

    def trained(self, name: str = "My pets") -> str:
        """A model of Rosa's that knows `classes`: its id."""
        row = self.teach.make(self.rosa, name, "pet")
        self.teach.add_zip(self.rosa, row.id, as_zip())
        self.train(row.id)
        return row.id

    def train(self, model_id: str) -> None:
        """Train, and wait for the end."""
        training = self.teach.train(self.rosa, model_id)
        self.teach._pool.submit(lambda: None).result()
        assert training.done
        assert training.problem == ""
