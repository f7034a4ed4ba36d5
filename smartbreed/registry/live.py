"""The model that answers now, and how another takes its place between two requests.

A request takes `LiveModel.current` once and keeps it to its end, so every answer comes from
one model and names it. What a swap replaces goes away with the last request that holds it.
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
from smartbreed.registry.state import KnownGood, Rejected, StateFile
from smartbreed.registry.warm_up import warm_up

log = logging.getLogger(__name__)


class LoadedModel:
    """A loaded model and what belongs to it.

    Args:
        identifier: of a verified bundle.
        chosen: why it is this one.
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
        """Made on the first request; its process starts later still."""
        return DeepExplainer(self.identifier.bundle.folder)

    def retire(self) -> None:
        """Another has taken its place: the process of the deeper explanations ends after the present one."""
        if "deeper" in self.__dict__:
            self.deeper.retire()


@dataclass(frozen=True)
class ModelStatus:
    """What maintainers should know.

    Attributes:
        chosen: see `Chosen`.
        loaded_at: since when it answers.
        watching: ``owner/name@branch`` whose releases are taken; empty when none are.
        problem: why it is not the one it should be, in a sentence; empty when all is well.
        looked_at: when the Hub was asked last; None: not yet.
        pin, pin_revision: version and revision a maintainer has chosen; empty when none.
        before: version that `LiveModel.rollback` goes back to; empty when there is none.
        rejected: releases that cannot be served, the newest first, each with its reason.
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
        """Plain JSON."""
        plain = {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in asdict(self).items()
            if name != "rejected"
        }
        return {**plain, "bad": [rejected.model_dump() for rejected in self.rejected]}


class LiveModel:
    """Loads the model to begin with; safe to use from many threads.

    Args:
        settings: as `smartbreed.core.settings.load_settings` returns them.

    Attributes:
        current: what answers; read it once a request.
        source: where models come from.

    Raises:
        BundleError: there is no model that could be served.
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
        """What answered with this version, if it still does.

        Raises:
            UnavailableError: ``model_changed``: another model answers now.
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
        """What answers, why, and what is wrong; no Hub is asked."""
        current, state = self.current, self.state.read(self.source.key)
        return ModelStatus(
            version=current.version.version,
            revision=current.version.revision,
            repo=current.version.repo,
            chosen=current.chosen,
            loaded_at=current.loaded_at,
            watching=f"{self.source.repo}@{self.source.asked}" if self.watched else "",
            problem=self.problem,
            looked_at=self.looked_at,
            pin=state.pin.version if state.pin else "",
            pin_revision=state.pin.revision if state.pin else "",
            before=getattr(pinning.before(self.source, state, current.version.revision), "version", ""),
            rejected=state.rejected,
        )

    @property
    def watched(self) -> bool:
        """Whether newer releases are taken, unless a maintainer has pinned one."""
        return self.source.kind != "folder" and not self.source.sha and self.current.chosen != "fixed"

    def use(self, wanted: str) -> KnownGood | None:
        """Serve a version, tag or commit from now on; ``latest``: the newest again. See `pinning.use`.

        Raises:
            SmartBreedError: there is none, or it cannot be served; nothing has changed then.
        """
        chosen = pinning.use(self.settings, wanted)
        self.poke()
        return chosen

    def rollback(self) -> KnownGood:
        """Go back to the release before this one. See `pinning.rollback`.

        Raises:
            SmartBreedError: there is none; nothing has changed then.
        """
        chosen = pinning.rollback(self.settings, self.current.version.revision)
        self.poke()
        return chosen

    def on_poke(self, wake: Callable[[], None]) -> None:
        """What `poke` calls: the watcher."""
        self._poke = wake

    def poke(self) -> None:
        """Something has changed at the Hub or was chosen: look soon."""
        self._poke()

    def swap(self, bundle: Bundle, chosen: Chosen, wanted: Callable[[], bool] = lambda: True) -> None:
        """Load, warm up and serve another model; the present one answers until then.

        Args:
            wanted: asked when all is ready: whether it shall still be this one. Downloading and trying
                take long, and a maintainer may have chosen another meanwhile; nothing changes then.

        Raises:
            BundleError: it does not load; nothing has changed then.
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
        """Remember a release that cannot be served; it is not tried again unless a maintainer asks."""
        log.warning("version %s (%.10s) is refused: %s", version or "?", revision, error.message)
        rejected = Rejected(revision=revision, version=version, reason=error.message, at=_now())
        try:
            self.state.change(self.source.key, lambda state: state.failing(rejected))
        except StorageError as trouble:
            log.warning("%s", trouble.message)
        self.problem = f"The release {version or revision[:10]} cannot be served: {error.message}"

    def miss(self, error: HubCallError) -> None:
        """The Hub could not be asked; what answers goes on answering."""
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
        except StorageError as error:  # it serves all the same; after a restart an older one may
            log.warning("%s", error.message)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
