"""Every released version and what was measured of it, as plain values, from the model repo's tags."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smartbreed.breeds.catalogue import BREEDS, get_breed
from smartbreed.core.errors import SmartBreedError
from smartbreed.dataset.accepted import LEARNT, parse_learnt
from smartbreed.dataset.needs import Need

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from smartbreed.core.settings import Settings


@dataclass(frozen=True)
class Release:
    """One version of the model.

    Attributes:
        version: ``1.2.0``.
        revision: full commit sha; the embedded model's is its own digest.
        released_at: None where it is not known.
        public: share of the public test photos named right, 0…1; None where not measured.
        gate: the same of the gate's pictures, on which every version is compared with the one before.
        ece: expected calibration error, 0…1.
        flagged: share of newly accepted photos it had not learnt from that it named right, 0…1.
        flagged_before: what the version before it made of the same photos.
        breeds: how many it knows.
        learnt: what is new against its parent, in words or breed names.
        served: it answers now.
        shipped: it came with the program, however late it was published.
        bad: why it may not be served; empty when it may.
    """

    version: str
    revision: str
    released_at: dt.datetime | None = None
    public: float | None = None
    gate: float | None = None
    ece: float | None = None
    flagged: float | None = None
    flagged_before: float | None = None
    breeds: int = 0
    learnt: tuple[str, ...] = ()
    served: bool = False
    shipped: bool = False
    bad: str = ""


@dataclass(frozen=True)
class Serving:
    """What answers now.

    Attributes:
        since: since when this process answers with it.
        chosen: why this one, see `smartbreed.registry.initial_model.Chosen`.
        problem: why a newer one could not be taken; empty when all is well.
        no_releases: why a retraining could not release anything here; empty when it can.
        pin, pin_revision: version and revision a maintainer has chosen; empty when none. It answers
            as soon as it has been loaded.
        before: version that a rollback goes back to; empty when there is none.
        next: version that is newer and will be taken; empty when there is none or none is taken.
    """

    version: str
    revision: str
    repo: str
    breeds: int
    since: dt.datetime | None = None
    chosen: str = "latest"
    problem: str = ""
    no_releases: str = ""
    pin: str = ""
    pin_revision: str = ""
    before: str = ""
    next: str = ""

    @property
    def loading(self) -> str:
        """The version that is to take its place; empty when there is none."""
        return (self.pin if self.pin != self.version else "") if self.pin else self.next


@dataclass(frozen=True)
class Waiting:
    """Photos on their way through the feedback loop.

    Attributes:
        accepted: accepted photos that no version has learnt from yet.
        since: the version that learnt last; empty before the first.
        breeds: names of what those photos show, most frequent first, with their number.
        flags: flags saved in all.
        published: of them, in the dataset.
        reviewed: flags with a decision.
        undecided: flags without a decision; None where that is not known.
        pending: flags and decisions not yet in the dataset.
        parked: those the Hub refused until a person does something.
        problem: the last error of publishing; empty when all is well.
        details: sentences about single flags, shards and files that trouble publishing.
        published_at: when something was published last.
        needs: what each mode of retraining has and needs; empty where that is not known.
    """

    accepted: int = 0
    since: str = ""
    breeds: tuple[tuple[str, int], ...] = ()
    flags: int = 0
    published: int = 0
    reviewed: int = 0
    undecided: int | None = None
    pending: int = 0
    parked: int = 0
    problem: str = ""
    details: tuple[str, ...] = ()
    published_at: dt.datetime | None = None
    needs: tuple[Need, ...] = ()


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
            self._refresh()
            return [*(self._known or [])]

    def learnt(self) -> dict[str, str] | None:
        """What the newest version has learnt (see `parse_learnt`); None when the Hub never answered."""
        with self._guard:
            self._refresh()
            return None if self._known is None else self._learnt

    def forget(self) -> None:
        """Ask the Hub the next time: something was released."""
        self._asked_at = float("-inf")

    def _refresh(self) -> None:
        if time.monotonic() - self._asked_at < _FRESH_S:
            return
        try:
            self._known, self.problem = self._ask(), ""
        except SmartBreedError as error:
            if error.code == "hub_no_repo":  # there is no release so far
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
