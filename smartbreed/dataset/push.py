"""Pushing one shard: commit with the card, look again when others were faster, and confirm."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from smartbreed.core.errors import HubCallError
from smartbreed.dataset.dataset_card import write_card
from smartbreed.dataset.remote import DatasetRepo, View, facts_of
from smartbreed.dataset.repo_state import DatasetState, same
from smartbreed.dataset.shard_builder import rebuild, restore, stored
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.tables import Shard
from smartbreed.feedback.blobs import BlobStore

#: Attempts to commit shard and card together before the shard goes alone.
_TOGETHER = 6
_ALONE = 4
_PAUSE_S = 0.2
_MOST_NOTES = 200
#: What a Hub answers when it dislikes what is sent rather than who sends it.
REFUSED_CONTENT = (400, 413, 422)
#: Another writer was faster; also when they have rewritten the history we were looking at.
_LOOK_AGAIN = ("stale", "no_entry")


class Pusher:
    """Pushes shards into a repo, keeping in mind what it has seen there.

    Args:
        remote: the repo.
        shard_store: the books.
        store: files of the shards.
        sleep: waits.
    """

    def __init__(
        self, remote: DatasetRepo, shard_store: ShardStore, store: BlobStore, sleep: Callable[[float], None]
    ) -> None:
        self._remote = remote
        self._shard_store = shard_store
        self._store = store
        self._sleep = sleep
        self._view: View | None = None

    @property
    def view(self) -> View:
        """The repo as last seen."""
        if self._view is None:
            self._view = self._remote.read_view()
        return self._view

    def push(self, shard: Shard) -> str | None:
        """Make the Hub have a shard as it is to be.

        Returns:
            A commit in which it is so; None when the shard was changed meanwhile.

        Raises:
            HubCallError: it may or may not have it.
        """
        if self._is_there(shard):
            self._shard_store.change(card_stale=True)  # it came without our knowing, so perhaps without card
            return self.view.sha
        file = self._file(shard)
        if shard.rows and file is None:
            self._make_again(shard)
            return None
        commit = self._together(shard, file) or self._alone(shard, file)
        found = self._remote.find(shard.path, commit)
        if (found is not None) if not shard.rows else not same(found, facts_of(shard)):
            raise HubCallError(
                "retry", f"The Hub took a commit, but has not its file. Repo: {self._remote.repo}."
            )
        if found is not None and self._view is not None:
            self._view.files[shard.path] = found
        return commit

    def finish_card(self) -> str | None:
        """Bring card and manifest up to date where a shard came without them, and note what is foreign.

        Returns:
            A sentence, when the Hub does not accept the card; the shards do not depend on it.
        """
        dataset_state = self._remote.dataset_state(self.view, self._shard_store)
        self._note_foreign(dataset_state)
        for attempt in range(_TOGETHER):
            if self._card_is_current(dataset_state):
                break
            try:
                self._view = self._remote.commit(self.view, None, dataset_state)
            except HubCallError as error:
                if error.kind == "refused" and error.answered in REFUSED_CONTENT:
                    return f"The dataset card was not accepted. {error.message}"
                if error.kind not in _LOOK_AGAIN:
                    raise
                self._wait(attempt)
            dataset_state = self._remote.dataset_state(self.view, self._shard_store)
        self._shard_store.change(card_stale=not self._card_is_current(dataset_state))
        return None

    def _note_foreign(self, dataset_state: DatasetState) -> None:
        """Files that are not ours or not as we left them, for the maintainer."""
        notes = dict(list(dataset_state.foreign.items())[:_MOST_NOTES])
        for shard in self._shard_store.published():
            found = self.view.files.get(shard.path)
            if not same(found, facts_of(shard)) and len(notes) < _MOST_NOTES:
                notes.setdefault(
                    shard.path,
                    "published from here, and deleted since"
                    if found is None
                    else "changed by another writer",
                )
        self._shard_store.change(foreign=json.dumps(notes))

    def _card_is_current(self, dataset_state: DatasetState) -> bool:
        view = self.view
        return view.manifest == dataset_state.manifest() and view.card == write_card(
            self._remote.repo, dataset_state, view.card
        )

    def _is_there(self, shard: Shard) -> bool:
        found = self.view.files.get(shard.path)
        return found is None if not shard.rows else same(found, facts_of(shard))

    def _file(self, shard: Shard) -> Path | None:
        return self._store.path(shard.sha256) if stored(self._store, shard) is not None else None

    def _make_again(self, shard: Shard) -> None:
        """A shard whose file is lost: from the photos, else from what the Hub has at its path."""
        if shard.path in self.view.files and not self._shard_store.has_photos(shard):
            data = self._remote.fetch(shard.path, self.view.sha)
            if restore(shard, self._shard_store, self._store, data):
                return
        rebuild(shard, self._shard_store, self._store)

    def _together(self, shard: Shard, file: Path | None) -> str | None:
        """Shard, manifest and card in one commit; None when others are always faster."""
        for attempt in range(_TOGETHER):
            try:
                dataset_state = self._remote.dataset_state(self.view, self._shard_store, shard)
                after = self._remote.commit(self.view, (shard, file), dataset_state)
            except HubCallError as error:
                if error.kind == "refused" and error.answered == 400:
                    self._shard_store.change(card_stale=True)
                    return None  # perhaps only the card is what it does not like
                if error.kind not in _LOOK_AGAIN:
                    raise
                self._wait(attempt)
                continue
            self._view = after
            return after.sha
        return None

    def _alone(self, shard: Shard, file: Path | None) -> str:
        """The shard by itself, with which no other commit can conflict."""
        self._shard_store.change(card_stale=True)
        for attempt in range(_ALONE):
            try:
                commit = self._remote.commit(self.view, (shard, file), None).sha
            except HubCallError as error:
                if error.kind not in _LOOK_AGAIN or attempt == _ALONE - 1:
                    raise
                self._wait(attempt)
                continue
            self._view = None
            return commit
        raise AssertionError("unreachable")

    def _wait(self, attempt: int) -> None:
        self._view = None
        self._sleep(_PAUSE_S * 2**attempt * (0.5 + random.random()))
