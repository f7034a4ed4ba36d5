"""Every released version and what was measured of it, from the model repo's tags."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from smartbreed.breeds.catalogue import BREEDS, get_breed
from smartbreed.core.errors import SmartBreedError
from smartbreed.dataset.accepted import LEARNT, parse_learnt
from smartbreed.registry.release_summary import Release

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from smartbreed.core.settings import Settings

CONFIG = "config.json"
#: The Hub is not asked more often, however many people look at the page.
_FRESH_S = 5.0
#: Older versions are not listed.
_MOST = 40


class Releases:
    """The versions of the model repo of the settings; safe to use from many threads.

    Args:
        settings: name Hub and repo.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._files: dict[tuple[str, str], bytes | None] = {}  # of a commit, which never changes
        self._known: list[Release] | None = None
        self._learnt: dict[str, str] = {}
        self._asked_at = float("-inf")
        #: Why the list may be old; empty when the Hub has answered.
        self.problem = ""

    def known(self) -> list[Release]:
        """Every version, the newest first; the last known ones while the Hub does not answer."""
        with self._guard:
            self._look()
            return [*(self._known or [])]

    def learnt(self) -> dict[str, str] | None:
        """What the newest version has learnt (see `parse_learnt`); None when the Hub never answered."""
        with self._guard:
            self._look()
            return None if self._known is None else self._learnt

    def forget(self) -> None:
        """Ask the Hub the next time: something was released."""
        self._asked_at = float("-inf")

    def _look(self) -> None:
        if time.monotonic() - self._asked_at < _FRESH_S:
            return
        try:
            self._known, self.problem = self._ask(), ""
        except SmartBreedError as error:
            if error.code == "hub_no_repo":  # nobody has released anything so far
                self._known, self._learnt, self.problem = [], {}, ""
            else:
                self.problem = error.message
        self._asked_at = time.monotonic()

    def _ask(self) -> list[Release]:
        from smartbreed.hub.client import commit_dates, list_tags
        from smartbreed.hub.connection import connect
        from smartbreed.registry.model_source import read_source
        from smartbreed.registry.releases import versions

        repo = read_source(self._settings).repo
        if not repo:
            return []
        api = connect(self._settings)
        tags = versions(list_tags(api, repo, "model"))[:_MOST]
        if not tags:
            return []
        dates = commit_dates(api, repo, "model")
        configs = {version: parse(self._file(api, repo, sha, CONFIG)) for version, sha in tags}
        self._learnt = parse_learnt(self._file(api, repo, tags[0][1], LEARNT))
        return [
            release_of(
                configs[version],
                version,
                sha,
                history=history_of(configs, version),
                released_at=dates.get(sha),
            )
            for version, sha in tags
        ]

    def _file(self, api: HfApi, repo: str, sha: str, path: str) -> bytes | None:
        from smartbreed.hub.client import read_file

        if (sha, path) not in self._files:
            self._files[(sha, path)] = read_file(api, repo, "model", path, sha)
        return self._files[(sha, path)]


def parse(text: bytes | None) -> dict[str, Any]:
    """``config.json`` as it is; empty where it is of no use."""
    try:
        values = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def history_of(configs: dict[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """What was measured of a version, by itself and again when it was the champion of the next."""
    merged: dict[str, Any] = {}
    for config in reversed(configs.values()):  # a later measure is on the pictures of the later gate
        entries = config.get("history")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("version") == version:
                merged |= entry
    return merged


def release_of(
    config: dict[str, Any], version: str, revision: str, *, history: dict[str, Any] | None = None, **more: Any
) -> Release:
    """A release with the figures of its ``config.json``.

    Args:
        history: its entry of `history_of`.
        more: further fields of the release.
    """
    if not config:
        return Release(version, revision, bad="Its config.json cannot be read.", **more)
    recorded, measured = history or {}, _section(_section(config, "metrics"), "classifier")
    found = _section(config, "classifier").get("labels")
    labels = [label for label in found if isinstance(label, dict)] if isinstance(found, list) else []
    names = {str(label.get("id")): str(label.get("name") or "") for label in labels}
    learnt = recorded.get("learnt")
    return Release(
        version,
        revision,
        public=_share(measured.get("top1")),
        gate=_share(recorded.get("gate_top1")),
        ece=_share(recorded.get("gate_ece", measured.get("ece"))),
        flagged=_share(recorded.get("flagged_top1")),
        flagged_before=_share(recorded.get("flagged_top1_before")),
        breeds=len(labels),
        learnt=tuple(_name(str(one), names) for one in learnt) if isinstance(learnt, list) else (),
        **more,
    )


def _name(breed: str, names: dict[str, str]) -> str:
    return BREEDS[breed].name if breed in BREEDS else names.get(breed) or get_breed(breed).name


def _section(values: dict[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= 1 else None
