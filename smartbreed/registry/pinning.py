"""A maintainer's choice of the release that answers, from now on and after every restart.

This module saves the choice in the state file. The running app watches that file and applies it.
"""

from __future__ import annotations

import datetime as dt
import logging

from smartbreed.core.errors import BundleError, HubCallError, RequestError
from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
from smartbreed.inference.bundle import load_bundle
from smartbreed.registry.initial_model import as_known_good, embedded_version, open_release
from smartbreed.registry.model_source import EMBEDDED, ModelSource, read_source
from smartbreed.registry.state import KnownGood, Rejected, SourceState, StateFile

log = logging.getLogger(__name__)

LATEST = "latest"
#: Fewest leading digits that are recognised as a commit id.
_FEWEST_DIGITS = 4


def use(settings: Settings, wanted: str) -> KnownGood | None:
    """Pin a release; one that was never served here is first downloaded, verified and tried.

    If an error is raised, the earlier choice stays.

    Args:
        settings: the installation's settings.
        wanted: a version, a tag, the beginning of a commit id, ``embedded``, or ``latest`` to remove the
            pin and follow the newest release.

    Returns:
        The pinned release; None for ``latest``.

    Raises:
        RequestError: SMARTBREED_MODEL names a folder or one revision, so there is no choice.
        BundleError: there is no such release, or it cannot be served.
        HubCallError: the Hub is needed and does not answer.
        StorageError: the disk refused.
    """
    source, file = _open(settings)
    if wanted == LATEST:
        file.change(source.key, lambda state: state.pinned(None))
        return None
    chosen = (
        _embedded(settings, source, wanted)
        or _here(settings, file.read(source.key), wanted)
        or _fetch(settings, source, file, wanted)
    )
    file.change(source.key, lambda state: state.pinned(None).serving(chosen).pinned(chosen))
    return chosen


def rollback(settings: Settings, current: str = "") -> KnownGood:
    """Pin the release that was served before the current one, and return it.

    Args:
        settings: the installation's settings.
        current: `smartbreed.registry.state.identity` of the release in use; empty to take it from the state.

    Raises:
        RequestError: SMARTBREED_MODEL leaves no choice, or there is no earlier release.
        BundleError: the files of the earlier release are gone or damaged.
        StorageError: the disk refused.
    """
    source, file = _open(settings)
    state = file.read(source.key)
    chosen = before(source, state, current or _serving(state))
    if chosen is None:
        raise RequestError("no_release", "There is no release before this one to go back to.")
    open_release(settings, chosen)
    file.change(source.key, lambda state: state.pinned(chosen))
    return chosen


def before(source: ModelSource, state: SourceState, current: str) -> KnownGood | None:
    """Return the release that a rollback goes to; None if there is none.

    Args:
        source: where models come from.
        state: its state.
        current: `smartbreed.registry.state.identity` of the release to go back from.
    """
    older = state.older_than(current)
    if older is None:
        return None
    for release in older:
        if not state.why_rejected(release.revision):
            return as_shipped(release)
    if source.kind == "embedded" and all(one.repo != EMBEDDED for one in state.known_good):
        return as_shipped(KnownGood(repo=EMBEDDED, revision=EMBEDDED, version=""))
    return None


def as_shipped(release: KnownGood) -> KnownGood:
    """Return a release; the embedded model has the version that it has in this program."""
    if release.repo != EMBEDDED:
        return release
    return release.model_copy(update={"version": embedded_version()})


def _serving(state: SourceState) -> str:
    if state.pin:
        return state.pin.identity
    return state.known_good[0].identity if state.known_good else ""


def _open(settings: Settings) -> tuple[ModelSource, StateFile]:
    source = read_source(settings)
    if source.kind == "folder" or source.sha:
        raise _no_choice(settings)
    return source, StateFile(settings.home_dir)


def _no_choice(settings: Settings) -> RequestError:
    return RequestError(
        "fixed_model",
        "SMARTBREED_MODEL names the one model to serve; set it to a repo, or leave it empty, to choose "
        f"releases. Received: {settings.model!r}",
    )


def _embedded(settings: Settings, source: ModelSource, wanted: str) -> KnownGood | None:
    """Return the bundle shipped with the program if its version, ``embedded`` or its revision is wanted."""
    if source.kind != "embedded":
        return None
    bundle = load_bundle(EMBEDDED_BUNDLE, repo=EMBEDDED)
    named = wanted.removeprefix("v") in (EMBEDDED, bundle.version.version)
    digits = len(wanted) >= _FEWEST_DIGITS and bundle.version.revision.startswith(wanted.lower())
    return as_known_good(settings, bundle, _now()) if named or digits else None


def _here(settings: Settings, state: SourceState, wanted: str) -> KnownGood | None:
    """Return the wanted release if it was served before and is still on this disk; else None."""
    digits = wanted.lower() if len(wanted) >= _FEWEST_DIGITS else "-"
    for known_good in state.known_good:
        named = wanted.removeprefix("v") == known_good.version or known_good.revision.startswith(digits)
        if named and known_good.repo != EMBEDDED:
            try:
                open_release(settings, known_good)
            except BundleError as error:
                log.warning("version %s is fetched again: %s", known_good.version, error.message)
            else:
                return known_good
    return None


def _fetch(settings: Settings, source: ModelSource, file: StateFile, wanted: str) -> KnownGood:
    from smartbreed.hub.client import connect, list_tags
    from smartbreed.registry.releases import download, resolve
    from smartbreed.registry.smoke_test import InconclusiveError, try_out

    api = connect(settings)
    try:
        if source.asked in list_tags(api, source.repo, "model"):
            raise _no_choice(settings)
        sha, version = resolve(api, source.repo, wanted)
    except HubCallError as error:
        if error.kind == "no_repo":
            raise BundleError(f"There is no release {wanted!r:.60}: {error.message}") from None
        raise
    try:
        bundle = download(api, settings, source.repo, sha)
        try_out(bundle)
    except InconclusiveError:
        raise  # no result, so it is not rejected
    except BundleError as error:
        rejected = Rejected(revision=sha, version=version, reason=error.message, at=_now())
        file.change(source.key, lambda state: state.failing(rejected))
        raise
    return as_known_good(settings, bundle, _now())


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
