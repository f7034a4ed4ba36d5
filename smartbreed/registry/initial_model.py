"""Open the model to start with. If one was served here before, the Hub is not asked."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeVar

from smartbreed.core.errors import BundleError, HubCallError, StorageError
from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
from smartbreed.inference.bundle import Bundle, load_bundle, read_config
from smartbreed.registry.model_source import EMBEDDED, ModelSource, newer, read_source
from smartbreed.registry.state import KnownGood, SourceState, StateFile

log = logging.getLogger(__name__)

#: Why a model answers: it came with the program, it is the newest release, a maintainer has pinned it,
#: or the setting allows no other.
Chosen = Literal["embedded", "latest", "pinned", "fixed"]
T = TypeVar("T")
#: Suffix of the state key for releases that commands fetched without a smoke test; the app ignores these.
_COMMANDS = " (commands)"


class Opened(NamedTuple):
    """A verified bundle and the reason for its choice."""

    bundle: Bundle
    chosen: Chosen


def open_bundle(settings: Settings) -> Bundle:
    """Open the bundle that the settings and a maintainer's pin select.

    Raises:
        BundleError: the bundle does not exist, cannot be reached or does not verify.
    """
    return open_with(settings, lambda opened: opened.bundle, ask_hub=True)


def open_with(settings: Settings, load: Callable[[Opened], T], *, ask_hub: bool = False) -> T:
    """Open the selected bundle and return what `load` makes of it; see `open_bundle`.

    If a bundle does not verify or cannot be read, or `load` raises BundleError for it, the next candidate is
    tried.

    Args:
        settings: the installation's settings.
        load: called with the bundle; its result is returned.
        ask_hub: for a repo, ask the Hub for the newest release instead of using the one served last;
            meant for programs that end before a `smartbreed.registry.watcher.Watcher` would ask.

    Raises:
        BundleError: no candidate is left; if the setting allows only one, the reason it failed.
    """
    source = read_source(settings)
    if source.kind == "folder":
        return load(Opened(load_bundle(source.folder), "fixed"))
    file = StateFile(settings.home_dir)
    state = file.read(source.key)
    known = list(_remembered(source, state))
    if ask_hub:
        known += _remembered(source, file.read(source.key + _COMMANDS))
    if source.kind == "repo" and (not known or (ask_hub and not source.sha and not state.pin)):
        try:
            fetched = _fetch(settings, source, state, tried=not ask_hub)
            return load(Opened(fetched, "fixed" if source.sha else "latest"))
        except (BundleError, StorageError) as error:
            if not known:
                raise
            log.warning("%s", error.message)
    for release, chosen in known:
        try:
            return load(Opened(open_release(settings, release), chosen))
        except (BundleError, StorageError) as error:
            log.warning("version %s cannot be served any more: %s", release.version, error.message)
    if source.kind == "embedded":
        return load(Opened(load_bundle(EMBEDDED_BUNDLE, repo=EMBEDDED), "embedded"))
    fetched = _fetch(settings, source, state, tried=not ask_hub)
    return load(Opened(fetched, "fixed" if source.sha else "latest"))


def open_release(settings: Settings, release: KnownGood) -> Bundle:
    """Open a release that was served before from this disk.

    Raises:
        BundleError: its files are gone or have changed.
    """
    if release.repo == EMBEDDED:
        return load_bundle(EMBEDDED_BUNDLE, repo=EMBEDDED)
    folder = settings.home_dir / release.folder
    return load_bundle(folder, repo=release.repo, revision=release.revision)


def embedded_version() -> str:
    """Return the version of the embedded model."""
    return read_config(EMBEDDED_BUNDLE)[1].version


def as_known_good(settings: Settings, bundle: Bundle, at: str) -> KnownGood:
    """Return the state entry of a bundle that began to serve at the time `at` (ISO 8601, UTC)."""
    version = bundle.version
    if version.repo == EMBEDDED:
        return KnownGood(repo=EMBEDDED, revision=version.revision, version=version.version, at=at)
    folder = str(bundle.folder.absolute().relative_to(settings.home_dir))
    return KnownGood(
        repo=version.repo, revision=version.revision, version=version.version, folder=folder, at=at
    )


def _remembered(source: ModelSource, state: SourceState) -> Iterator[tuple[KnownGood, Chosen]]:
    """Yield the releases that can be served without asking the Hub, in order of preference."""
    if state.pin:
        yield state.pin, "pinned"
    own = embedded_version() if source.kind == "embedded" else ""
    for release in state.known_good:
        if release.repo == EMBEDDED or (own and not newer(release.version, own)):
            continue  # the program's own model is at least as new, and is always there
        yield release, "fixed" if source.sha else "latest"


def _remember(settings: Settings, key: str, bundle: Bundle) -> None:
    known_good = as_known_good(settings, bundle, dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))
    try:
        StateFile(settings.home_dir).change(key, lambda state: state.serving(known_good))
    except StorageError as error:  # it serves anyway; the next start asks the Hub again
        log.warning("%s", error.message)


def _fetch(settings: Settings, source: ModelSource, state: SourceState, *, tried: bool) -> Bundle:
    """Download the newest release of a repo that can be served, as on the first start.

    Args:
        settings: the installation's settings.
        source: the repo.
        state: its state; releases that it rejects are tried only if there is no other.
        tried: whether to run a smoke test first, which the app needs and a command does not.

    Raises:
        BundleError: the repo cannot be reached, or it has no usable release.
    """
    # Imported here: importing the Hub's client takes longer than identifying a photo.
    from smartbreed.hub.client import connect, list_tags
    from smartbreed.registry.releases import download, read_head, versions
    from smartbreed.registry.smoke_test import try_out

    def take(sha: str) -> Bundle:
        bundle = download(api, settings, source.repo, sha)
        if tried:
            try_out(bundle)
        _remember(settings, source.key + ("" if tried else _COMMANDS), bundle)
        return bundle

    def revisions(head: str) -> Iterator[str]:
        yield head
        for _, sha in versions(list_tags(api, source.repo, "model")):  # asked only if the head is not usable
            yield sha

    api = connect(settings)
    try:
        head = read_head(api, source)
        if head.fixed:
            return take(head.sha)
        errors: dict[str, BundleError] = {}
        for sha in _rejected_last(revisions(head.sha), state):
            try:
                return take(sha)
            except BundleError as error:
                log.warning("release %.10s of %s is not usable: %s", sha, source.repo, error.message)
                errors[sha] = error
        raise errors[head.sha]
    except HubCallError as error:
        raise BundleError(_unreached(source, error)) from None


def _rejected_last(revisions: Iterable[str], state: SourceState) -> Iterator[str]:
    """Yield each revision once; what was rejected comes last, since it may work now."""
    seen: set[str] = set()
    rejected = []
    for revision in revisions:
        if revision in seen:
            continue
        seen.add(revision)
        if state.why_rejected(revision):
            rejected.append(revision)
        else:
            yield revision
    yield from rejected


def _unreached(source: ModelSource, error: HubCallError) -> str:
    if error.kind == "no_repo":
        return f"There is no model repo {source.repo}, or this token (HF_TOKEN) may not read it."
    if error.kind == "no_entry":
        return f"The model repo {source.repo} has no revision {source.asked}."
    return (
        f"The model repo {source.repo} could not be reached, and {source.asked} is not in the cache: "
        f"{error.message}"
    )
