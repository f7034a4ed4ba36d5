"""The released versions and their metrics, as plain values read from the tags of the model repo."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Callable
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
        revision: full commit sha; for the embedded model, its own digest.
        released_at: when it was released; None if unknown.
        public: top-1 accuracy on the public test photos, 0…1; None if not measured.
        gate: top-1 accuracy on the gate set, on which each version is compared with the one before.
        ece: expected calibration error, 0…1.
        flagged: top-1 accuracy on newly accepted photos that it had not learnt from, 0…1.
        flagged_before: accuracy of the version before it on the same photos.
        breeds: number of breeds that it knows.
        learnt: what is new compared with its parent, in words or as breed names.
        served: True if it is in use.
        shipped: True if it came with the program, even if it was published only later.
        bad: why it cannot be served; empty if it can.
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
    """The version in use.

    Attributes:
        version: its version.
        revision: its full revision.
        repo: its repo, or ``embedded``.
        breeds: number of breeds that it knows.
        since: when this process began to answer with it.
        chosen: why this version answers, see `smartbreed.registry.initial_model.Chosen`.
        problem: why a newer version could not be loaded; empty if there is no problem.
        no_releases: why a version that is retrained here would never be served; empty if it would be.
        pin, pin_revision: version and revision that a maintainer has pinned; empty if none. The pinned
            version answers as soon as it is loaded.
        before: version that a rollback returns to; empty if there is none.
        next: newer version that will replace it; empty if there is none or releases are not followed.
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
        """The version that is about to replace it; empty if there is none."""
        return (self.pin if self.pin != self.version else "") if self.pin else self.next


@dataclass(frozen=True)
class Waiting:
    """Counts of photos, flags and decisions on their way through the feedback loop.

    Attributes:
        accepted: accepted photos that no version has learnt from yet.
        since: the version whose training photos were subtracted for that; empty if unknown.
        breeds: name and number of each breed in those photos, most frequent first.
        flags: all flags saved here.
        published: flags that are in the dataset.
        reviewed: flags with a decision.
        undecided: flags without a decision; None if unknown.
        pending: flags and decisions that are not in the dataset yet.
        parked: flags that cannot be published now, for example because their photo is missing.
        problem: the last error of publishing; empty if there is none.
        details: sentences about single flags, shards and files with publishing problems.
        published_at: when publishing succeeded last; None if it never has.
        needs: what each mode of retraining has and needs; empty if unknown.
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
#: Seconds for which the list is cached, however many people open the page. If the Hub fails, the pause before
#: it is asked again doubles with each failure, up to the longest.
_FRESH_S, _LONGEST_S = 5.0, 60.0
#: Number of versions listed, the newest ones.
_MOST = 40


class Releases:
    """The releases of the model repo in the settings, cached briefly; safe to use from many threads.

    A Hub that hangs answers after its time-out only. Therefore one thread at a time asks it, without the
    lock, and the others get at once what is known.

    Args:
        settings: settings that name Hub and repo.
        clock: returns monotonic seconds; tests pass their own.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._asking = threading.Lock()  # held by the thread that asks the Hub
        self._guard = threading.Lock()  # held for moments, to read or change the following fields together
        self._known: list[Release] | None = None
        self._learnt: dict[str, str] = {}
        self._next = float("-inf")
        self._failures = 0
        self._forgotten = 0  # calls of `forget`
        self._files: dict[tuple[str, str], bytes | None] = {}  # by sha and path; a commit never changes
        #: Why the list may be out of date; empty if the Hub has answered.
        self.problem = ""

    def known(self) -> list[Release]:
        """Return the versions, newest first; while the Hub does not answer, those known before."""
        self._refresh()
        with self._guard:
            return [*(self._known or [])]

    def learnt(self) -> dict[str, str] | None:
        """Return what the newest version has learnt (see `parse_learnt`); None if the Hub never answered."""
        self._refresh()
        with self._guard:
            return None if self._known is None else self._learnt

    def forget(self) -> None:
        """Drop the cache after a release, so that the next call asks the Hub."""
        with self._guard:
            self._next, self._failures = float("-inf"), 0
            self._forgotten += 1

    def _refresh(self) -> None:
        """Ask the Hub if that is due and no other thread is asking it."""
        if self._clock() < self._next or not self._asking.acquire(blocking=False):
            return
        try:
            if self._clock() >= self._next:  # else another thread has just asked
                self._ask_once()
        finally:
            self._asking.release()

    def _ask_once(self) -> None:
        forgotten, problem = self._forgotten, ""
        found: tuple[list[Release], dict[str, str]] | None = None
        try:
            found = self._ask()
        except SmartBreedError as error:
            if error.code == "hub_no_repo":  # nothing was released yet
                found = [], {}
            else:
                problem = error.message
        with self._guard:
            self.problem = problem
            if found is not None:
                self._known, self._learnt = found
            if forgotten == self._forgotten:  # else there was a release meanwhile, which this answer may lack
                self._failures = self._failures + 1 if problem else 0
                pause = min(_FRESH_S * 2.0 ** min(self._failures, 10), _LONGEST_S)
                self._next = self._clock() + pause

    def _ask(self) -> tuple[list[Release], dict[str, str]]:
        """Return the versions, newest first, and what the newest one has learnt."""
        from smartbreed.hub.client import commit_dates, list_tags
        from smartbreed.hub.connection import connect
        from smartbreed.registry.model_source import read_source
        from smartbreed.registry.releases import versions

        repo = read_source(self._settings).repo
        if not repo:
            return [], {}
        api = connect(self._settings)
        tags = versions(list_tags(api, repo, "model"))[:_MOST]
        if not tags:
            return [], {}
        dates = commit_dates(api, repo, "model")
        configs = {version: parse(self._file(api, repo, sha, CONFIG)) for version, sha in tags}
        learnt = parse_learnt(self._file(api, repo, tags[0][1], LEARNT))
        found = [
            release_of(
                configs[version],
                version,
                sha,
                history=history_of(configs, version),
                released_at=dates.get(sha),
            )
            for version, sha in tags
        ]
        return found, learnt

    def _file(self, api: HfApi, repo: str, sha: str, path: str) -> bytes | None:
        from smartbreed.hub.client import read_file

        if (sha, path) not in self._files:
            self._files[(sha, path)] = read_file(api, repo, "model", path, sha)
        return self._files[(sha, path)]


def parse(text: bytes | None) -> dict[str, Any]:
    """Parse ``config.json`` without validation; return an empty dict if it is not a JSON object."""
    try:
        values = json.loads(text or b"{}")
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def history_of(configs: dict[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """Merge all measurements of a version: its own, and later ones in which it was the champion.

    Args:
        configs: ``config.json`` by version, newest first.
        version: the version whose measurements are merged.
    """
    merged: dict[str, Any] = {}
    for config in reversed(configs.values()):  # oldest first, so that the latest gate set counts
        entries = config.get("history")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("version") == version:
                merged |= entry
    return merged


def release_of(
    config: dict[str, Any], version: str, revision: str, *, history: dict[str, Any] | None = None, **more: Any
) -> Release:
    """Return a release with the metrics of its ``config.json``.

    Args:
        config: from `parse`; empty if the file cannot be read, which makes the release bad.
        version: such as ``1.2.0``.
        revision: full commit sha.
        history: its measurements from `history_of`.
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
