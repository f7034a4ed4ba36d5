"""The publisher's access to the dataset repo: read it, commit to it, erase from its history."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smartbreed.dataset.dataset_card import write_card
from smartbreed.dataset.repo_state import CARD, MANIFEST, DatasetState, Facts, read_dataset_state
from smartbreed.dataset.shard_builder import inspect
from smartbreed.dataset.shard_store import ShardStore
from smartbreed.dataset.tables import Shard
from smartbreed.hub import client
from smartbreed.hub.client import RemoteFile, RepoState

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass
class View:
    """The files, manifest and card of the repo at one commit."""

    sha: str
    files: dict[str, RemoteFile]
    manifest: bytes | None
    card: str


#: A shard and its local file; None deletes the shard from the repo.
Change = tuple[Shard, Path | None]


def facts_of(shard: Shard) -> Facts:
    """Return the facts of a shard in the database, as `DatasetState` lists them."""
    facts: Facts = json.loads(shard.facts)
    return {**facts, "sha256": shard.sha256, "size": shard.size}


def _key(file: RemoteFile) -> tuple[str, str]:
    return (file.path, file.sha256 or file.oid)


def _rows(shard: Shard) -> str:
    return f"{shard.rows} {shard.config.removesuffix('s') if shard.rows == 1 else shard.config}"


class DatasetRepo:
    """One dataset repo of one Hub.

    Args:
        connect: returns the client; called late, because importing it takes a while.
        repo: ``owner/name``.
    """

    def __init__(self, connect: Callable[[], HfApi], repo: str) -> None:
        self._connect = connect
        self.repo = repo
        #: Facts of unknown shards, or what is wrong with them, by path and hash: each is inspected once.
        self._looked: dict[tuple[str, str], Facts | str] = {}

    @property
    def api(self) -> HfApi:
        return self._connect()

    def state(self) -> RepoState:
        """Return the newest commit of ``main`` and when the repo was created.

        Raises:
            HubCallError: of any kind; ``no_repo`` if there is no such repo.
        """
        return client.repo_state(self.api, self.repo, "dataset")

    def create(self) -> RepoState:
        """Create the repo unless it exists."""
        client.ensure_repo(self.api, self.repo, "dataset")
        return self.state()

    def read_view(self) -> View:
        """Read file list, manifest and card at the newest commit."""
        api, sha = self.api, self.state().sha
        files = client.list_files(api, self.repo, "dataset", sha)
        manifest = card = None
        if MANIFEST in files and files[MANIFEST].size < 50_000_000:
            manifest = client.read_file(api, self.repo, "dataset", MANIFEST, sha)
        if CARD in files and files[CARD].size < 1_000_000:
            card = client.read_file(api, self.repo, "dataset", CARD, sha)
        return View(sha, files, manifest, (card or b"").decode("utf-8", "replace"))

    def dataset_state(self, view: View, shard_store: ShardStore, change: Shard | None = None) -> DatasetState:
        """Return the state of the repo at a view, or after one shard is added, replaced or deleted."""
        ours = {shard.path: facts_of(shard) for shard in shard_store.published()}
        files = dict(view.files)
        if change is not None:
            ours.pop(change.path, None)
            files.pop(change.path, None)
        found = read_dataset_state(
            files,
            view.manifest,
            ours,
            lambda *where: self._read_facts(view, *where),
            seen=lambda path: _key(files[path]) in self._looked,
        )
        if change is not None and change.rows:
            found.shards[change.path] = facts_of(change)
        return found

    def _read_facts(self, view: View, config: str, path: str) -> Facts:
        file = view.files[path]
        key = _key(file)
        if key not in self._looked:
            with client.scratch_folder() as folder:
                copy = client.download_file(self.api, self.repo, "dataset", path, view.sha, folder)
                try:
                    self._looked[key] = {
                        **inspect(config, copy),
                        **({"sha256": file.sha256} if file.sha256 else {"oid": file.oid}),
                    }
                except ValueError as error:
                    self._looked[key] = str(error)
        found = self._looked[key]
        if isinstance(found, str):
            raise ValueError(found)
        return found

    def commit(self, view: View, change: Change | None, dataset_state: DatasetState | None) -> View:
        """Make one commit that adds, replaces or deletes a shard and updates card and manifest.

        Args:
            view: the repo before the commit.
            change: the shard and its file; None updates only card and manifest.
            dataset_state: the repo after the commit; None commits only the shard, whatever the branch's
                newest commit is.

        Returns:
            The view after the commit. It lacks the entry of a written shard; until the repo is read
            again, only `sha` is certain.

        Raises:
            HubCallError: the commit failed; after ``retry`` it may have been applied all the same.
        """
        files: dict[str, bytes | Path] = {}
        delete = []
        title = "Bring the dataset card up to date"
        after = View(view.sha, dict(view.files), view.manifest, view.card)
        if change is not None:
            shard, file = change
            after.files.pop(shard.path, None)
            if file is not None:
                files[shard.path] = file
                title = f"{'Replace' if shard.published_at else 'Add'} {_rows(shard)}"
            else:
                delete = [shard.path] if shard.path in view.files else []
                title = f"Remove a file of {shard.config}: its rows were withdrawn"
        if dataset_state is not None:
            after.manifest = files[MANIFEST] = dataset_state.manifest()
            after.card = write_card(self.repo, dataset_state, view.card)
            files[CARD] = after.card.encode()
        parent = view.sha if dataset_state is not None else None
        after.sha = client.commit_files(
            self.api, self.repo, "dataset", files, title=title, parent=parent, delete=delete
        )
        return after

    def find(self, path: str, revision: str) -> RemoteFile | None:
        """Return a file's entry at a revision; None if it is not there."""
        return client.file_at(self.api, self.repo, "dataset", path, revision)

    def fetch(self, path: str, revision: str) -> bytes:
        """Download a file and return its content.

        Raises:
            HubCallError: the file cannot be downloaded.
            StorageError: the disk refused the temporary copy.
        """
        with client.scratch_folder() as folder:
            return client.download_file(self.api, self.repo, "dataset", path, revision, folder).read_bytes()

    def erase(self, contents: list[str]) -> None:
        """Erase contents from the whole history, by their sha256."""
        client.erase_contents(self.api, self.repo, "dataset", contents)
