"""The model in use, and the swap to another one between two requests.

A request reads `LiveModel.current` once and keeps it to its end, so every answer comes from a single
model and names that one. A replaced model is freed with the last request that holds it.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from smartbreed.core.errors import HubCallError, SmartBreedError, StorageError, UnavailableError
from smartbreed.core.settings import Settings
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.deep_explanations import DeepExplainer
from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import ModelVersion
from smartbreed.registry import pinning
from smartbreed.registry.initial_model import Chosen, Opened, as_known_good, open_with
from smartbreed.registry.model_source import ModelSource, read_source
from smartbreed.registry.state import KnownGood, Rejected, StateFile, identity
from smartbreed.registry.warm_up import warm_up

log = logging.getLogger(__name__)


class LoadedModel:
    """A loaded model, the reason for its choice, and its explainer.

    Args:
        identifier: identifier of a verified bundle.
        chosen: why this model answers.
    """

    def __init__(self, identifier: Identifier, chosen: Chosen) -> None:
        self.identifier = identifier
        self.chosen: Chosen = chosen
        self.loaded_at = dt.datetime.now(dt.UTC)

    @property
    def version(self) -> ModelVersion:
        return self.identifier.bundle.version

    @cached_property
    def deeper(self) -> DeepExplainer:
        """The explainer for deep explanations; made on first use, its process starts later still."""
        return DeepExplainer(self.identifier.bundle.folder)

    def retire(self) -> None:
        """Stop the explainer's process, after its running explanations, since another model is in use now."""
        if "deeper" in self.__dict__:
            self.deeper.retire()


@dataclass(frozen=True)
class ModelStatus:
    """The status of the served model, for maintainers.

    Attributes:
        version: version in use.
        revision: its full revision.
        repo: its repo, or ``embedded``.
        chosen: why this version answers, see `Chosen`.
        loaded_at: when it began to answer.
        watching: ``owner/name@branch`` whose releases are followed; empty if none are.
        problem: why the wanted version does not answer, as a sentence; empty if there is no problem.
        looked_at: when the Hub was last asked for releases; None if not yet.
        pin, pin_revision: version and revision that a maintainer has pinned; empty if none.
        before: version that `LiveModel.rollback` returns to; empty if there is none.
        rejected: releases that cannot be served, newest first, each with its reason.
    """

    version: str
    revision: str
    repo: str
    chosen: Chosen
    loaded_at: dt.datetime
    watching: str = ""
    problem: str = ""
    looked_at: dt.datetime | None = None
    pin: str = ""
    pin_revision: str = ""
    before: str = ""
    rejected: tuple[Rejected, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain JSON values."""
        plain = {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in asdict(self).items()
            if name != "rejected"
        }
        return {**plain, "bad": [rejected.model_dump() for rejected in self.rejected]}


class LiveModel:
    """The served model, which can be swapped while the app runs; safe to use from many threads.

    Args:
        settings: as `smartbreed.core.settings.load_settings` returns them.

    Attributes:
        current: the model in use; read it once per request.
        source: where models come from.
        problem: why the wanted model does not answer, as a sentence; empty if there is no problem.
        looked_at: when the Hub was last asked for releases; None if not yet.

    Raises:
        BundleError: no model can be served.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.source: ModelSource = read_source(settings)
        self.state = StateFile(settings.home_dir)
        self.current: LoadedModel = open_with(settings, self._load)
        self.problem = ""
        self.looked_at: dt.datetime | None = None
        self._swapping = threading.Lock()
        self._poke: Callable[[], None] = lambda: None

    def loaded_for(self, version: ModelVersion) -> LoadedModel:
        """Return the loaded model of a version, if that version still answers.

        Raises:
            UnavailableError: ``model_changed``: another model is in use now.
        """
        current = self.current
        if current.version != version:
            raise UnavailableError(
                "model_changed",
                f"The model has changed since this answer (it was version {version.version}, now it is "
                f"{current.version.version}); identify the photo again.",
            )
        return current

    def status(self) -> ModelStatus:
        """Return which model answers, why, and any problem; the Hub is not asked."""
        current, state = self.current, self.state.read(self.source.key)
        pin = pinning.as_shipped(state.pin) if state.pin else None
        before = pinning.before(self.source, state, _identity(current))
        return ModelStatus(
            version=current.version.version,
            revision=current.version.revision,
            repo=current.version.repo,
            chosen=current.chosen,
            loaded_at=current.loaded_at,
            watching=f"{self.source.repo}@{self.source.asked}" if self.watched else "",
            problem=self.problem,
            looked_at=self.looked_at,
            pin=pin.version if pin else "",
            pin_revision=pin.revision if pin else "",
            before=before.version if before else "",
            rejected=state.rejected,
        )

    @property
    def watched(self) -> bool:
        """True if newer releases are followed while no release is pinned."""
        return self.source.kind != "folder" and not self.source.sha and self.current.chosen != "fixed"

    def use(self, wanted: str) -> KnownGood | None:
        """Pin a version, tag or commit; ``latest`` follows the newest release again. See `pinning.use`.

        Raises:
            SmartBreedError: there is no such release, or it cannot be served; nothing has changed.
        """
        chosen = pinning.use(self.settings, wanted)
        self.poke()
        return chosen

    def rollback(self) -> KnownGood:
        """Pin the release that was served before this one. See `pinning.rollback`.

        Raises:
            SmartBreedError: there is none; nothing has changed.
        """
        chosen = pinning.rollback(self.settings, _identity(self.current))
        self.poke()
        return chosen

    def on_poke(self, wake: Callable[[], None]) -> None:
        """Set the callback of `poke`, which wakes the watcher."""
        self._poke = wake

    def poke(self) -> None:
        """Wake the watcher, because the Hub has changed or a maintainer has chosen a release."""
        self._poke()

    def swap(self, bundle: Bundle, chosen: Chosen, wanted: Callable[[], bool] = lambda: True) -> None:
        """Load, warm up and serve another model; the current one answers until then.

        Args:
            bundle: the verified bundle to serve.
            chosen: why it is served.
            wanted: called just before the swap; if it returns False, nothing changes. Downloading and
                trying a release take long, so a maintainer may have chosen another one meanwhile.

        Raises:
            BundleError: the model does not load; nothing has changed.
        """
        with self._swapping:
            if bundle.version.revision == self.current.version.revision:
                self.current.chosen = chosen
                return
            fresh = self._load(Opened(bundle, chosen))
            warm_up(fresh.identifier)
            if not wanted():
                return
            before = self.current
            self._remember(bundle, before.identifier.bundle)
            self.current = fresh
            self.problem = ""
        before.retire()
        log.info(
            "version %s of %s answers now, instead of %s",
            fresh.version.version, fresh.version.repo, before.version.version,
        )  # fmt: skip

    def refuse(self, revision: str, version: str, error: SmartBreedError) -> None:
        """Reject a release that cannot be served; it is tried again only if a maintainer pins it."""
        log.warning("version %s (%.10s) is refused: %s", version or "?", revision, error.message)
        rejected = Rejected(revision=revision, version=version, reason=error.message, at=_now())
        try:
            self.state.change(self.source.key, lambda state: state.failing(rejected))
        except StorageError as trouble:
            log.warning("%s", trouble.message)
        self.problem = f"The release {version or revision[:10]} cannot be served: {error.message}"

    def miss(self, error: HubCallError) -> None:
        """Record that the Hub could not be asked; the current model goes on answering."""
        self.problem = error.message

    def _load(self, opened: Opened) -> LoadedModel:
        settings = self.settings
        identifier = Identifier(opened.bundle, threads=settings.threads, top_k=settings.top_k)
        return LoadedModel(identifier, opened.chosen)

    def _remember(self, bundle: Bundle, before: Bundle | None = None) -> None:
        good = as_known_good(self.settings, bundle, _now())
        first = as_known_good(self.settings, before, _now()) if before else None

        try:
            self.state.change(self.source.key, lambda state: state.serving(good, first))
        except StorageError as error:  # it serves anyway; a restart may load an older one
            log.warning("%s", error.message)


def _identity(model: LoadedModel) -> str:
    return identity(model.version.repo, model.version.revision)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
