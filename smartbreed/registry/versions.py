"""Every release known here: what the Hub offers, what was served, what cannot be."""

from __future__ import annotations

from typing import Any, NamedTuple

from smartbreed.core.errors import BundleError, HubCallError
from smartbreed.core.settings import Settings
from smartbreed.inference.results import ModelVersion
from smartbreed.registry.initial_model import embedded_version, open_bundle
from smartbreed.registry.model_source import EMBEDDED, ModelSource, another_model, newer, order, read_source
from smartbreed.registry.state import SourceState, StateFile


class Row(NamedTuple):
    """One release.

    Attributes:
        serves: an app that starts now serves it.
        pinned: a maintainer has chosen it.
        here: it was served before and needs no download.
        bad: why it cannot be served; empty when nothing is known against it.
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
    """The newest first, and why the Hub's part is missing (empty when it is not).

    Raises:
        BundleError: SMARTBREED_MODEL names nothing that could be served.
    """
    source = read_source(settings)
    state = StateFile(settings.home_dir).read(source.key)
    serving = open_bundle(settings).version
    found = {(good.repo, _id(good.repo, good.revision)): good.version for good in state.known_good}
    found |= {(source.repo, bad.revision): bad.version for bad in state.rejected}
    found[serving.repo, _id(serving.repo, serving.revision)] = serving.version
    if state.pin:
        found[state.pin.repo, _id(state.pin.repo, state.pin.revision)] = state.pin.version
    offered, problem = _offered(settings, source)
    found |= {(source.repo, sha): version for version, sha in offered}
    rows = [_row(version, repo, revision, state, serving) for (repo, revision), version in found.items()]
    return sorted(rows, key=lambda row: (order(row.version), row.repo == EMBEDDED), reverse=True), problem


def why_not_taken(settings: Settings) -> str:
    """Why the newest release of SMARTBREED_MODEL_REPO is no candidate; empty when it is one.

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
        return ""  # what is wrong there is said elsewhere


def _id(repo: str, revision: str) -> str:
    return EMBEDDED if repo == EMBEDDED else revision


def _row(version: str, repo: str, revision: str, state: SourceState, serving: ModelVersion) -> Row:
    pin = state.pin
    return Row(
        version or "?",
        revision,
        repo,
        serves=(repo, revision) == (serving.repo, _id(serving.repo, serving.revision)),
        pinned=pin is not None and (repo, revision) == (pin.repo, _id(pin.repo, pin.revision)),
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
