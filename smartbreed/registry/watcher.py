"""The thread that loads newer releases, or the one that a maintainer pins, while the app serves.

Every second it checks whether the pin has changed or the embedded Hub's branch has moved; that
costs one look at a file and one at a database row. It asks the Hub every SMARTBREED_WATCH seconds and
when a webhook calls. Errors here never reach a visitor.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from smartbreed.core.errors import BundleError, HubCallError, SmartBreedError
from smartbreed.core.periodic import PeriodicTask
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.connection import chosen_hub
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.registry.initial_model import embedded_version, open_release
from smartbreed.registry.live import LiveModel
from smartbreed.registry.model_source import EMBEDDED, another_model, newer
from smartbreed.registry.smoke_test import InconclusiveError
from smartbreed.registry.state import KnownGood

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: Seconds between the first try and the second; the pause doubles with each try, up to the longest.
FIRST_S, LONGEST_S = 60.0, 6 * 3600.0


class Backoff:
    """Exponential backoff for each revision.

    Args:
        clock: returns monotonic seconds; tests pass their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, tuple[int, float]] = {}  # number of tries, and earliest time of the next

    def put_off(self, revision: str) -> None:
        """Record a try without a result."""
        times, _ = self._tries.get(revision, (0, 0.0))
        pause = min(FIRST_S * 2.0 ** min(times, 20), LONGEST_S)
        self._tries[revision] = (times + 1, self._clock() + pause)

    def too_soon(self, revision: str) -> bool:
        """Return whether the next try still has to wait."""
        return self._clock() < self._tries.get(revision, (0, 0.0))[1]

    def forget(self, revision: str) -> None:
        """Reset the backoff of a revision, because a try came to a result."""
        self._tries.pop(revision, None)


log = logging.getLogger(__name__)

#: Seconds between the cheap checks of the pin and of the embedded Hub.
TICK_S = 1.0
#: Known good releases whose files are kept in the cache, newest first.
_KEPT = 4


class Watcher(PeriodicTask):
    """Keeps a `LiveModel` up to date.

    Args:
        live: the model to keep up to date.
        tick: seconds between checks of the pin and of the embedded Hub.
        backoff: decides when a release is tried again after an inconclusive smoke test.
    """

    def __init__(self, live: LiveModel, *, tick: float = TICK_S, backoff: Backoff | None = None) -> None:
        # Stopping does not wait for a running download: the next start resumes it.
        super().__init__("model-watcher", self._check_if_due, tick, patience_s=2.0)
        self.live = live
        self._backoff = backoff or Backoff()
        self._every = live.settings.watch
        self._tick = tick
        self._asked = False
        self._known: dict[str, str] = {}  # version by sha of heads that were not taken
        self._peeked = ""
        self._attempts = 0
        self._next = 0.0
        self._mark: object = None

    def start(self) -> None:
        """Start the thread, unless the setting names a folder or a full sha, which never change."""
        if self.live.source.kind == "folder" or self.live.source.sha:
            return
        self.live.on_poke(self.poke)
        self._mark = self.live.state.mark()
        self._next = time.monotonic() + self._tick if self._every else float("inf")
        super().start()

    def poke(self) -> None:
        """Make the thread ask the Hub soon; never blocks."""
        self._asked = True
        self.wake()

    def check(self) -> None:
        """Serve the pinned release if there is one, else the newest.

        Errors of the Hub or of a release are not raised; `LiveModel.status` reports them.
        """
        live = self.live
        try:
            pin = live.state.read(live.source.key).pin
            if pin is not None:
                self._follow(pin)
            elif live.watched:
                if live.current.chosen == "pinned":  # the pin was removed
                    live.current.chosen = "embedded" if live.current.version.repo == EMBEDDED else "latest"
                live.looked_at = dt.datetime.now(dt.UTC)
                self._take_newest()
            self._attempts = 0
        except HubCallError as error:
            self._missed(error)
        except SmartBreedError as error:
            live.problem = error.message
            log.warning("%s", error.message)

    def _check_if_due(self) -> None:
        asked, self._asked = self._asked, False
        mark = self.live.state.mark()
        chosen, self._mark = mark != self._mark, mark
        due = time.monotonic() >= self._next or (self._every > 0 and self._has_moved())
        if asked or due or chosen:
            try:
                self.check()
            finally:
                self._plan()

    def _plan(self) -> None:
        from smartbreed.hub.retry import pause_s

        if not self._every:
            self._next = float("inf")
            return
        pause = min(self._every, pause_s(self._attempts)) if self._attempts else self._every
        self._next = time.monotonic() + max(pause, self._tick)

    def _missed(self, error: HubCallError) -> None:
        live = self.live
        self._attempts += 1
        nothing_yet = live.source.kind == "embedded" and live.current.version.repo == EMBEDDED
        if error.kind == "no_repo" and nothing_yet:
            live.problem = ""  # nothing was released yet
            return
        if live.problem != error.message:
            log.warning("the model repo could not be asked: %s", error.message)
        live.miss(error)

    def _follow(self, pin: KnownGood) -> None:
        """Serve the release that a maintainer has pinned."""
        live = self.live
        now = live.current.version
        if pin.revision == now.revision or pin.repo == now.repo == EMBEDDED:
            live.current.chosen = "pinned"
            live.problem = ""
            return
        if reason := live.state.read(live.source.key).why_rejected(pin.revision):
            live.problem = f"The chosen version {pin.version} cannot be served: {reason}"
            return
        choice = f"{pin.revision} {pin.at}"  # a pin that is set again starts without a backoff
        if self._backoff.too_soon(choice):
            return
        try:
            live.swap(self._open(pin), "pinned", lambda: self._pin() == pin)
            self._backoff.forget(choice)
        except InconclusiveError as error:
            self._put_off(choice, error)
        except BundleError as error:
            live.refuse(pin.revision, pin.version, error)

    def _pin(self) -> KnownGood | None:
        return self.live.state.read(self.live.source.key).pin

    def _put_off(self, revision: str, error: InconclusiveError) -> None:
        self._backoff.put_off(revision)
        self.live.problem = error.message
        log.warning("release %.10s: %s", revision, error.message)

    def _open(self, pin: KnownGood) -> Bundle:
        """Open a pinned release from this disk, where it was tried before, or download and try it again."""
        from smartbreed.hub.client import connect
        from smartbreed.registry.releases import download
        from smartbreed.registry.smoke_test import try_out

        try:
            return open_release(self.live.settings, pin)
        except BundleError as error:
            if pin.repo == EMBEDDED:
                raise
            log.warning("version %s is fetched again: %s", pin.version, error.message)
        bundle = download(connect(self.live.settings), self.live.settings, pin.repo, pin.revision)
        try_out(bundle)
        return bundle

    def _take_newest(self) -> None:
        from smartbreed.hub.client import connect
        from smartbreed.registry.releases import download, read_head, read_version, tidy
        from smartbreed.registry.smoke_test import try_out

        live, source = self.live, self.live.source
        if self._nothing_to_ask():
            return
        api: HfApi = connect(live.settings)
        head = read_head(api, source)
        state = live.state.read(source.key)
        if head.fixed or head.sha == live.current.version.revision:
            live.current.chosen = "fixed" if head.fixed else "latest"
            live.problem = ""
            return
        if reason := state.why_rejected(head.sha):
            live.problem = f"The newest release cannot be served: {reason}"
            return
        if self._backoff.too_soon(head.sha):
            return
        version = self._known.get(head.sha, "")
        try:
            if not version:
                config = read_version(api, source.repo, head.sha)
                if config is None:
                    return  # the repo exists but has no release yet
                version = self._known[head.sha] = config.version
            if source.kind == "embedded" and not newer(version, embedded_version()):
                self._back_to_embedded()
                live.problem = another_model(api, source.repo, head.sha)
                return
            bundle = download(api, live.settings, source.repo, head.sha)
            try_out(bundle)
            # A maintainer may have pinned another release during the download and the smoke test.
            live.swap(bundle, "latest", lambda: self._pin() is None)
            self._backoff.forget(head.sha)
        except InconclusiveError as error:
            self._put_off(head.sha, error)
            return
        except BundleError as error:
            live.refuse(head.sha, version, error)
            tidy(live.settings, source.repo, {head.sha})
            return
        self._tidy()

    def _back_to_embedded(self) -> None:
        """Serve the embedded model again, because it is at least as new as the newest release."""
        if self.live.current.version.repo != EMBEDDED:
            self.live.swap(load_bundle(EMBEDDED_BUNDLE, repo=EMBEDDED), "embedded")
        self.live.current.chosen = "embedded"
        self.live.problem = ""

    def _tidy(self) -> None:
        from smartbreed.registry.releases import tidy

        state = self.live.state.read(self.live.source.key)
        kept = {known_good.revision for known_good in state.known_good[:_KEPT]} | {
            self.live.current.version.revision
        }
        kept |= {state.pin.revision} if state.pin else set()
        known = {known_good.revision for known_good in state.known_good} | {
            rejected.revision for rejected in state.rejected
        }
        tidy(self.live.settings, self.live.source.repo, known - kept)

    def _nothing_to_ask(self) -> bool:
        """Return whether the embedded Hub has no database yet; then its client need not be loaded."""
        settings = self.live.settings
        return chosen_hub(settings).embedded and not (settings.home_dir / "hub" / "hub.db").exists()

    def _has_moved(self) -> bool:
        """Return whether the embedded Hub's branch has moved since the last check.

        This reads the store itself, since its listeners only get the pushes of their own process.
        """
        live = self.live
        if not chosen_hub(live.settings).embedded or self._nothing_to_ask():
            return False
        try:
            from localhub.names import repo_name
            from localhub.store import HubStore
            from smartbreed.hub.client import embedded_store
            from smartbreed.hub.embedded import embedded_errors

            store: HubStore | None = embedded_store(live.settings)
            if store is None:
                return False
            with (
                embedded_errors(),
                store.open(repo_name("model", *live.source.repo.split("/"))) as opened,
            ):
                found = opened.commit(live.source.asked).oid
        except SmartBreedError:
            found = ""  # no such repo yet, or the store cannot be read now
        moved, self._peeked = bool(found) and found != self._peeked, found or self._peeked
        return moved
