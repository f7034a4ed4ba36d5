"""The model to beat: the newest release, or the one that comes with the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from smartbreed.config import EMBEDDED_BUNDLE, Settings
from smartbreed.models.releases import download
from smartbreed.models.source import EMBEDDED, newer, read_source
from smartbreed.vision.bundle import Bundle, load_bundle
from training.retraining.release import Released, finish_unfinished, publish_champion

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@dataclass(frozen=True)
class Champion:
    """A verified bundle, and its release; None when it is not in the model repo."""

    bundle: Bundle
    released: Released | None


def find_champion(api: HfApi, settings: Settings, repo: str) -> Champion:
    """What a challenger has to beat.

    The newest release of the model repo, unless the embedded model (or the folder that
    SMARTBREED_MODEL names) is newer than it.

    Args:
        api: from `smartbreed.hub.client.connect`.
        settings: as the app has them.
        repo: model repo that releases go to.

    Raises:
        BundleError: there is none that verifies.
        HubCallError: the Hub cannot be asked.
    """
    released = finish_unfinished(api, repo)
    source = read_source(settings)
    own = load_bundle(source.folder if source.kind == "folder" else EMBEDDED_BUNDLE, repo=EMBEDDED)
    if released is None or (source.kind != "repo" and newer(own.config.version, released.version)):
        return Champion(own, None)
    return Champion(download(api, settings, repo, released.revision), released)


def ensure_published(api: HfApi, repo: str, champion: Champion) -> Released:
    """The champion's release; published now if the repo has none of it."""
    return champion.released or publish_champion(api, repo, champion.bundle)
