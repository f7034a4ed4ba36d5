"""The persistent state of the served models, in one small file that is replaced atomically.

For each source, ``SMARTBREED_HOME/models/state.json`` holds the pin, the releases that were
served (newest first) and those that cannot be served. Both the app and the command line change
it, so a change takes a lock, reads the file, and renames a new file into its place.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartbreed.core.errors import StorageError
from smartbreed.core.files import disk_errors, make_dirs, only_holder, replace_durably, sweep_tmp, write_tmp
from smartbreed.registry.model_source import EMBEDDED

log = logging.getLogger(__name__)

FORMAT = 1
_MOST_KNOWN_GOOD = 8
_MOST_REJECTED = 50
_OLD_S = 3600.0


def identity(repo: str, revision: str) -> str:
    """Return what tells a release from others: its revision, or ``embedded`` for the program's own model.

    The embedded model is one release whatever its digest is: an update of the program replaces it.
    """
    return EMBEDDED if repo == EMBEDDED else revision


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class KnownGood(_Record):
    """A release that was verified and served.

    Attributes:
        repo: its repo, or ``embedded``.
        revision: full commit sha, or digest of the embedded model.
        version: such as ``1.2.0``.
        folder: folder of its snapshot, relative to SMARTBREED_HOME; empty for the embedded model.
        at: when it began to serve, ISO 8601 in UTC.
    """

    repo: str
    revision: str
    version: str
    folder: str = ""
    at: str = ""

    @property
    def identity(self) -> str:
        return identity(self.repo, self.revision)


class Rejected(_Record):
    """A release that cannot be served, and why."""

    revision: str
    version: str = ""
    reason: str
    at: str = ""


class SourceState(_Record):
    """The state of one model source.

    Attributes:
        pin: the release that a maintainer has pinned; None to follow the newest.
        known_good: releases that were served, newest first; the first one is served unless there is a pin.
        rejected: releases that cannot be served, newest first.
    """

    pin: KnownGood | None = None
    known_good: tuple[KnownGood, ...] = Field(default=(), validation_alias="good", serialization_alias="good")
    rejected: tuple[Rejected, ...] = Field(default=(), validation_alias="bad", serialization_alias="bad")

    def why_rejected(self, revision: str) -> str:
        """Return the reason why a release is rejected; empty if it is not."""
        return next((rejected.reason for rejected in self.rejected if rejected.revision == revision), "")

    def older_than(self, wanted: str) -> list[KnownGood] | None:
        """Return the known good releases that served before one; None if that one is not among them.

        Args:
            wanted: the `identity` of a release.
        """
        place = self._place(wanted)
        return None if place is None else list(self.known_good[place + 1 :])

    def _place(self, wanted: str) -> int | None:
        # An earlier program may have written the embedded model down several times, one for each digest. Its
        # last place counts, so that a rollback never goes forward.
        places = [place for place, one in enumerate(self.known_good) if one.identity == wanted]
        return places[-1] if places else None

    def serving(self, release: KnownGood, before: KnownGood | None = None) -> SourceState:
        """Return the state after a release began to serve: first among the known good, and not rejected.

        A release that a rollback pinned keeps its place, so that the next rollback goes further back.

        Args:
            release: the release that serves now.
            before: the release that served until now; it becomes known good too.
        """
        known = {one.revision for one in self.known_good}
        others = [one for one in self.known_good if one.identity != release.identity]
        place = 0
        if self.pin and self.pin.identity == release.identity:
            known_place = self._place(release.identity)
            if known_place is not None:
                place = sum(one.identity != release.identity for one in self.known_good[:known_place])
            elif release.repo == EMBEDDED:  # a rollback past all that are remembered leads to it
                place = min(len(others), _MOST_KNOWN_GOOD - 1)
                others = others[:place]
        known_good = [*others[:place], release, *others[place:]]
        if before and before.revision not in known and before.identity != release.identity:
            known_good = [one for one in known_good if one.identity != before.identity]
            known_good.insert(known_good.index(release) + 1, before)
        rejected = tuple(one for one in self.rejected if one.revision != release.revision)
        return self.model_copy(
            update={"known_good": tuple(known_good[:_MOST_KNOWN_GOOD]), "rejected": rejected}
        )

    def failing(self, release: Rejected) -> SourceState:
        """Return the state after a release was rejected."""
        rest = [rejected for rejected in self.rejected if rejected.revision != release.revision]
        return self.model_copy(update={"rejected": (release, *rest)[:_MOST_REJECTED]})

    def pinned(self, release: KnownGood | None) -> SourceState:
        """Return the state with another pin (None for no pin); a pinned release is no longer rejected.

        A maintainer may pin a rejected release to have it tried again.
        """
        revision = release.revision if release else ""
        rejected = tuple(one for one in self.rejected if one.revision != revision)
        return self.model_copy(update={"pin": release, "rejected": rejected})


class _File(_Record):
    format: int = FORMAT
    sources: dict[str, SourceState] = {}


class StateFile:
    """The state file; it is created on the first change.

    Args:
        home: SMARTBREED_HOME.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "models"
        self._path = self._folder / "state.json"

    def read(self, key: str) -> SourceState:
        """Return the state of a source, or an empty one. Never raises; a damaged file counts as missing."""
        return self._load().sources.get(key, SourceState())

    def change(self, key: str, alter: Callable[[SourceState], SourceState]) -> SourceState:
        """Change the state of a source and return the new state.

        Args:
            key: `smartbreed.registry.model_source.ModelSource.key`.
            alter: returns the new state, given the current one.

        Raises:
            StorageError: the disk refused, or a newer program wrote the file; the state is unchanged.
        """
        with disk_errors("The choice of model was not saved"):
            make_dirs(self._folder)
            with only_holder(self._folder / "lock", patience_s=-1):
                file = self._load(keep_damaged=True)
                before = file.sources.get(key, SourceState())
                after = alter(before)
                if after != before:
                    whole = _File(sources={**file.sources, key: after})
                    text = whole.model_dump_json(indent=1, by_alias=True).encode()
                    replace_durably(write_tmp(self._folder, self._path.name, text), self._path)
                sweep_tmp(self._folder, _OLD_S)
                return after

    def mark(self) -> tuple[int, int]:
        """Return a value that differs after every change, whichever process made it."""
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)

    def _load(self, *, keep_damaged: bool = False) -> _File:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return _File()
        except OSError as error:
            log.warning("the choice of model cannot be read: %s", error.strerror)
            return _File()
        try:
            file = _File.model_validate_json(text)
        except ValidationError:
            log.warning("models/state.json is damaged; it is put aside as state.json.damaged")
            if keep_damaged:
                with suppress(OSError):
                    os.replace(self._path, self._path.with_suffix(".json.damaged"))
            return _File()
        if file.format > FORMAT:
            if keep_damaged:
                raise StorageError("A newer SmartBreed has written models/state.json; use that one.")
            return _File()
        return file
