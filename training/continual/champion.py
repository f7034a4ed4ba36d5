"""Find the champion: the model in use and that a challenger must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.registry.model_source import EMBEDDED, ModelSource, another_model, newer, read_source
from smartbreed.registry.releases import download, read_head
from smartbreed.registry.state import KnownGood, SourceState, StateFile
from training.continual.release import Released, finish_unfinished, publish_champion

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Champion:
    """A verified bundle.

    Attributes:
        bundle: the bundle.
        released: its release and the head of the branch; None if it is not in the model repo.
        newest: version at the head of the repo; may differ from the one in use. "" if there is none.
    """

    bundle: Bundle
    released: Released | None
    newest: str = ""

    @property
    def base(self) -> str:
        """The version that the next version number must exceed."""
        version = self.bundle.config.version
        return self.newest if self.newest and newer(self.newest, version) else version


def find_champion(api: HfApi, settings: Settings, repo: str) -> Champion:
    """Return the model that the app on this home answers with, which a challenger must beat.

    That is the release a maintainer has pinned, else the newest release of the repo that can be served.
    Without SMARTBREED_MODEL it is the embedded model until the repo has a newer release. If no app has run
    on this home, there is no pin and no rejected release, and only the settings decide.

    Args:
        api: from `smartbreed.hub.client.connect`.
        settings: the app's settings.
        repo: model repo that releases go to; "" if nothing is released.

    Raises:
        BundleError: no bundle can be verified, or the repo holds another model than the embedded one.
        HubCallError: the Hub cannot be asked.
    """
    source = read_source(settings)
    if source.kind == "repo" and source.asked != "main":
        return Champion(download(api, settings, source.repo, read_head(api, source).sha), None)
    if source.kind == "folder" and not repo:
        return Champion(load_bundle(source.folder), None)
    head = finish_unfinished(api, repo)
    newest = head.version if head else ""
    if source.kind == "folder":
        own = load_bundle(source.folder, repo=EMBEDDED)
        if head is None or newer(own.config.version, head.version):
            return Champion(own, None, newest)
        return Champion(download(api, settings, repo, head.revision), head, newest)
    state = StateFile(settings.home_dir).read(source.key)
    chosen = state.pin or _instead(source, state, head)
    if chosen and chosen.repo != EMBEDDED:
        bundle = download(api, settings, chosen.repo, chosen.revision)
        at = Released(bundle.config.version, chosen.revision, head.head if head else "")
        return Champion(bundle, at, newest)
    if source.kind == "repo":
        if head is None:
            raise BundleError(f"The model repo {repo} holds no version that could be retrained.")
        return Champion(download(api, settings, repo, head.revision), head, newest)
    own = load_bundle(EMBEDDED_BUNDLE, repo=EMBEDDED)
    if head is None:
        return Champion(own, None)
    if chosen is None and newer(head.version, own.config.version):
        return Champion(download(api, settings, repo, head.revision), head, newest)
    if reason := another_model(api, repo, head.revision):
        raise BundleError(reason)
    return Champion(own, None, newest)


def _instead(source: ModelSource, state: SourceState, head: Released | None) -> KnownGood | None:
    """Return what answers in place of a rejected newest release; None if it is not rejected.

    Also None if the source is a repo without another known good release.
    """
    if head is None or not state.why_rejected(head.revision):
        return None
    known_good = next((one for one in state.known_good if not state.why_rejected(one.revision)), None)
    if known_good is None and source.kind == "embedded":
        return KnownGood(repo=EMBEDDED, revision=EMBEDDED, version="")
    return known_good


def ensure_published(api: HfApi, repo: str, champion: Champion) -> Released:
    """Return the champion's release; publish the champion first if the repo does not have it."""
    return champion.released or publish_champion(api, repo, champion.bundle)
