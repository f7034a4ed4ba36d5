"""Push one shard: commit it with the card, retry when another writer was faster, and verify it."""

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

#: Attempts to commit shard and card together before the shard is committed alone.
_TOGETHER = 6
#: Attempts to commit the shard alone.
_ALONE = 4
#: Seconds before the second attempt, with jitter; doubled each time.
_PAUSE_S = 0.2
_MOST_NOTES = 200
#: HTTP statuses with which a Hub refuses the content of a request rather than its sender.
REFUSED_CONTENT = (400, 413, 422)
#: Kinds of errors after which the repo is read again: another writer was faster, or rewrote the history.
_LOOK_AGAIN = ("stale", "no_entry")


class Pusher:
    """Pushes shards into a repo; caches its view of the repo between commits.

    Args:
        remote: the repo.
        shard_store: the publishing records.
        store: store of the shards' files.
        sleep: waits for a number of seconds.
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
        """The repo as last read; read now if there is no view."""
        if self._view is None:
            self._view = self._remote.read_view()
        return self._view

    def push(self, shard: Shard) -> str | None:
        """Add, replace or delete a shard's file on the Hub, so that it matches the shard.

        Returns:
            A commit at which the Hub's file matches; None if the shard's lost local file had to be
            recreated first, so that the shard must be pushed again.

        Raises:
            HubCallError: the push failed; the Hub may have applied it all the same.
        """
        if self._is_there(shard):
            self._shard_store.change(card_stale=True)  # an earlier, unconfirmed commit, perhaps without card
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
        """Bring card and manifest up to date if they lag behind the shards, and record foreign files.

        Returns:
            A sentence if the Hub refuses the card, which does not affect the shards; else None.
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
        """Record, for the maintainer, foreign files and shards that other writers deleted or changed."""
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
        """Recreate a shard's lost file from the photos, or else from the file at its path on the Hub."""
        if shard.path in self.view.files and not self._shard_store.has_photos(shard):
            data = self._remote.fetch(shard.path, self.view.sha)
            if restore(shard, self._shard_store, self._store, data):
                return
        rebuild(shard, self._shard_store, self._store)

    def _together(self, shard: Shard, file: Path | None) -> str | None:
        """Commit shard, manifest and card together; return None if the shard has to be committed alone."""
        for attempt in range(_TOGETHER):
            try:
                dataset_state = self._remote.dataset_state(self.view, self._shard_store, shard)
                after = self._remote.commit(self.view, (shard, file), dataset_state)
            except HubCallError as error:
                if error.kind == "refused" and error.answered == 400:
                    self._shard_store.change(card_stale=True)
                    return None  # perhaps the Hub refuses only the card
                if error.kind not in _LOOK_AGAIN:
                    raise
                self._wait(attempt)
                continue
            self._view = after
            return after.sha
        return None

    def _alone(self, shard: Shard, file: Path | None) -> str:
        """Commit only the shard, with no parent commit to check, so that no other commit conflicts."""
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
