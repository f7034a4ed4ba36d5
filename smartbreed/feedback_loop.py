"""The whole feedback loop in numbers, gathered from the packages that each know a part of it.

Pages and commands read it from here; nothing here changes anything. If a package cannot
answer (the Hub is down, the database is locked), numbers are missing, not the page.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from smartbreed.core.errors import BundleError, SmartBreedError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import Bundle, read_config
from smartbreed.inference.results import ModelVersion
from smartbreed.registry.initial_model import embedded_version
from smartbreed.registry.model_source import EMBEDDED, newer, why_no_releases
from smartbreed.registry.release_history import CONFIG, Release, Serving, Waiting, parse, release_of
from smartbreed.statistics.report import ForMaintainers, Report, for_maintainers, report

if TYPE_CHECKING:
    from smartbreed.registry.live import ModelStatus
    from smartbreed.services import Services

#: Seconds for which counts are cached, however many people look.
FRESH_S = 2.0
_known: WeakKeyDictionary[Services, tuple[float, Waiting]] = WeakKeyDictionary()
_reports: WeakKeyDictionary[Services, tuple[float, Report]] = WeakKeyDictionary()


def serving(services: Services) -> Serving:
    """Return which version is in use, and why."""
    status = services.model.status()
    return Serving(
        version=status.version,
        revision=status.revision,
        repo=status.repo,
        breeds=len(services.identifier.bundle.config.classifier.labels),
        since=status.loaded_at,
        chosen=status.chosen,
        problem=status.problem,
        no_releases=why_no_releases(services.settings),
        pin=status.pin,
        pin_revision=status.pin_revision,
        before=status.before,
        next=_next(services, status),
    )


def _next(services: Services, status: ModelStatus) -> str:
    """Return the newest release while it is fetched and loaded; else empty."""
    if status.pin or status.problem or not status.watching or not services.settings.watch:
        return ""
    newest = next(iter(services.releases.known()), None)
    if newest is None or newest.bad or any(one.revision == newest.revision for one in status.rejected):
        return ""
    return newest.version if newer(newest.version, status.version) else ""


def waiting(services: Services) -> Waiting:
    """Return what is on its way through the feedback loop, at most `FRESH_S` seconds old; never raises."""
    now = time.monotonic()
    known = _known.get(services)
    if known is None or now - known[0] >= FRESH_S:
        known = _known[services] = (now, _count(services))
    return known[1]


def _count(services: Services) -> Waiting:
    try:
        stats = services.review.progress()
        publishing = services.publishing()
        found = services.accepted()
        newest, status = services.releases.known(), services.model.status()
        return Waiting(
            accepted=found.total(),
            since=newest[0].version if newest and not status.pin else status.version,
            breeds=tuple(found.most_common()),
            flags=stats.decided + stats.open,
            published=publishing.published,
            reviewed=stats.decided,
            undecided=stats.open,
            pending=publishing.waiting + publishing.decisions,
            parked=publishing.parked,
            problem=publishing.problem or "",
            details=(*publishing.problems, *(f"{path}: {why}" for path, why in publishing.foreign.items())),
            published_at=publishing.success_at,
            needs=tuple(services.needs().values()),
        )
    except SmartBreedError as error:
        return Waiting(problem=error.message)


def releases(services: Services) -> list[Release]:
    """Return every known version, newest first, including the one in use if it is unreleased."""
    status = services.model.status()
    bad = {one.revision: one for one in status.rejected}
    shipped = embedded_version() if services.model.source.kind == "embedded" else ""
    found = [
        replace(
            one,
            served=_serves(status, one),
            shipped=one.version == shipped,
            bad=bad[one.revision].reason if one.revision in bad else one.bad,
        )
        for one in services.releases.known()
    ]
    listed = {one.revision for one in found}
    found += [
        Release(one.version or "?", one.revision, bad=one.reason)
        for one in status.rejected
        if one.revision not in listed
    ]
    if not any(one.served for one in found):
        config = parse((services.identifier.bundle.folder / CONFIG).read_bytes())
        own = status.repo == EMBEDDED
        found.append(release_of(config, status.version, status.revision, served=True, shipped=own))
    return found


def statistics(services: Services) -> Report:
    """Return the public statistics, at most `FRESH_S` seconds old.

    Raises:
        StorageError: the database failed.
    """
    now = time.monotonic()
    known = _reports.get(services)
    if known is None or now - known[0] >= FRESH_S:
        bundle = services.identifier.bundle
        found = report(
            services.flags.sessions,
            bundle,
            releases(services),
            _before(services),
            dt.datetime.now(dt.UTC).date(),
        )
        known = _reports[services] = (now, found)
    return known[1]


def forget_statistics() -> None:
    """Drop the cached statistics, so that the next call counts again."""
    _reports.clear()


def statistics_for_maintainers(services: Services) -> ForMaintainers:
    """Return the statistics that only maintainers see.

    Raises:
        StorageError: the database failed.
    """
    return for_maintainers(services.flags.sessions, services.baseline, dt.datetime.now(dt.UTC).date())


def _before(services: Services) -> Bundle | None:
    """Return the version served before the present one; None if its files are gone."""
    model, version = services.model, services.identifier.bundle.config.version
    for good in model.state.read(model.source.key).known_good:
        folder = services.settings.home_dir / good.folder if good.folder else EMBEDDED_BUNDLE
        if good.version != version and newer(version, good.version):
            with suppress(BundleError):  # only its figures are read, nothing in it is run
                _, config = read_config(folder)
                return Bundle(folder, config, ModelVersion(good.repo, good.revision, good.version))
    return None


def _serves(status: ModelStatus, release: Release) -> bool:
    if status.repo in ("", EMBEDDED):  # the same model may be published, as a parent of later ones
        return status.version == release.version
    return status.revision == release.revision
