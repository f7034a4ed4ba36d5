"""One installation: its flags, its publisher, its Hub, and a clock that a test moves."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any
from urllib.parse import urlsplit

from localhub.inprocess import InProcessTransport
from localhub.names import RepoName
from localhub.server import HubApp
from localhub.store import HubStore
from localhub.trees import walk
from smartbreed.core.settings import Settings
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.dataset.publisher import Publisher
from smartbreed.dataset.schema import shard_config
from smartbreed.dataset.status import PublishingStatus
from smartbreed.feedback.flags import FlagService, Receipt, open_feedback
from smartbreed.hub import session
from smartbreed.hub.connection import chosen_hub, connect, embedded_store
from smartbreed.hub.embedded import unmount_in_process
from support.clock import Clock
from support.faults import Faults
from support.flags import flag_request


class PublishingWorld:
    """An installation; `faults` stands between it and its Hub."""

    def __init__(self, settings: Settings, hub_home: Settings | None = None) -> None:
        self.settings = settings
        self.hub_settings = hub_home or settings
        self.flags: FlagService = open_feedback(settings)
        self.clock = Clock(dt.datetime.now(dt.UTC))
        self.slept: list[float] = []
        self.api = connect(self.hub_settings)
        store = embedded_store(self.hub_settings)
        assert store is not None
        self.store: HubStore = store
        hub = chosen_hub(self.hub_settings)
        self.host = str(urlsplit(hub.endpoint).hostname)
        self.faults = Faults(HubApp(store, hosts=[self.host]))
        session.mount(self.host, InProcessTransport(self.faults))
        self.publisher = Publisher(
            self.flags.sessions,
            settings.home_dir / "shards",
            lambda: self.api,
            hub=hub.name,
            repo=settings.dataset,
            sources=[FlagSource(self.flags.blobs), DecisionSource()],
            clock=self.clock,
            sleep=self.slept.append,
        )
        self._next = 0

    def close(self) -> None:
        self.flags.close()
        unmount_in_process(self.host)

    def flag(self, count: int = 1, flagger: str = "ann", **changes: Any) -> list[Receipt]:
        """Save flags of new photos."""
        receipts = []
        for _ in range(count):
            self._next += 1
            receipts.append(self.flags.save(flag_request(self._next, flagger_token=flagger, **changes)))
        return receipts

    @property
    def repo(self) -> RepoName:
        return RepoName("dataset", *self.settings.dataset.split("/"))

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Every file of the dataset repo."""
        with self.store.open(self.repo) as opened:
            commit = opened.commit(revision)
            found = {
                path: opened.blob(commit, path).sha256
                for path, entry in walk(opened.db, commit.tree)
                if not entry.folder
            }
        return {path: self.store.files.read(sha256) for path, sha256 in found.items()}

    def rows(self, config: str = "flags") -> list[dict[str, Any]]:
        """Every row of every shard in the dataset repo."""
        import pyarrow.parquet as pq

        return [
            row
            for path, data in sorted(self.files().items())
            if shard_config(path) == config
            for row in pq.read_table(io.BytesIO(data)).to_pylist()
        ]

    def ids(self) -> list[str]:
        """Flag ids in the dataset, sorted; a flag that is in it twice is twice in here."""
        return sorted(row["flag_id"] for row in self.rows())

    def commits(self) -> int:
        return len(self.api.list_repo_commits(self.settings.dataset, repo_type="dataset"))

    def status(self) -> PublishingStatus:
        return self.publisher.status()

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files()["data/manifest.json"])
        return found

    def card(self) -> str:
        return self.files()["README.md"].decode()
