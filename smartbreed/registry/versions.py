"""All releases known here: those on the Hub, those that were served and those that were rejected."""

from __future__ import annotations

from typing import Any, NamedTuple

from smartbreed.core.errors import BundleError, HubCallError
from smartbreed.core.settings import Settings
from smartbreed.inference.results import ModelVersion
from smartbreed.registry.initial_model import embedded_version, open_bundle
from smartbreed.registry.model_source import EMBEDDED, ModelSource, another_model, newer, order, read_source
from smartbreed.registry.state import SourceState, StateFile, identity


class Row(NamedTuple):
    """One release.

    Attributes:
        version: such as ``1.2.0``; ``?`` if unknown.
        revision: full commit sha, or ``embedded``.
        repo: its repo, or ``embedded``.
        serves: True if an app that starts now serves it.
        pinned: True if a maintainer has pinned it.
        here: True if it was served before, so that no download is needed.
        bad: why it cannot be served; empty if it was not rejected.
    """

    version: str
    revision: str
    repo: str
    serves: bool = False
    pinned: bool = False
    here: bool = False
    bad: str = ""

    def as_dict(self) -> dict[str, Any]:
        return self._asdict()


def list_releases(settings: Settings) -> tuple[list[Row], str]:
    """Return all releases, newest first, and why those on the Hub are missing (empty if they are not).

    Raises:
        BundleError: SMARTBREED_MODEL names nothing that could be served.
    """
    source = read_source(settings)
    state = StateFile(settings.home_dir).read(source.key)
    serving = open_bundle(settings).version
    found = {(good.repo, good.identity): good.version for good in state.known_good}
    found |= {(source.repo, bad.revision): bad.version for bad in state.rejected}
    found[serving.repo, identity(serving.repo, serving.revision)] = serving.version
    if state.pin:
        found[state.pin.repo, state.pin.identity] = state.pin.version
    offered, problem = _offered(settings, source)
    found |= {(source.repo, sha): version for version, sha in offered}
    rows = [_row(version, repo, revision, state, serving) for (repo, revision), version in found.items()]
    return sorted(rows, key=lambda row: (order(row.version), row.repo == EMBEDDED), reverse=True), problem


def why_not_taken(settings: Settings) -> str:
    """Return why the newest release of SMARTBREED_MODEL_REPO cannot be served; empty if it can.

    Raises:
        BundleError: SMARTBREED_MODEL names nothing that could be served.
    """
    source = read_source(settings)
    if source.kind != "embedded":
        return ""
    from smartbreed.hub.client import connect, repo_state
    from smartbreed.registry.releases import read_version

    api = connect(settings)
    try:
        sha = repo_state(api, source.repo, "model").sha
        config = read_version(api, source.repo, sha)
        if config is None or newer(config.version, embedded_version()):
            return ""
        return another_model(api, source.repo, sha)
    except (HubCallError, BundleError):
        return ""  # such errors are reported elsewhere


def _row(version: str, repo: str, revision: str, state: SourceState, serving: ModelVersion) -> Row:
    pin = state.pin
    return Row(
        version or "?",
        revision,
        repo,
        serves=(repo, revision) == (serving.repo, identity(serving.repo, serving.revision)),
        pinned=pin is not None and (repo, revision) == (pin.repo, pin.identity),
        here=repo == EMBEDDED or any(good.revision == revision for good in state.known_good),
        bad=state.why_rejected(revision),
    )


def _offered(settings: Settings, source: ModelSource) -> tuple[list[tuple[str, str]], str]:
    if source.kind == "folder":
        return [], ""
    from smartbreed.hub.client import connect, list_tags
    from smartbreed.registry.releases import versions

    try:
        return versions(list_tags(connect(settings), source.repo, "model")), ""
    except HubCallError as error:
        return [], "" if error.kind == "no_repo" and source.kind == "embedded" else error.message
