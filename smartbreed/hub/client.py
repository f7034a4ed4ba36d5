"""The only place that talks to a Hub, always through ``huggingface_hub``.

``HF_ENDPOINT`` and ``HF_TOKEN`` choose the Hub; nothing else of this project
knows where it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from smartbreed.errors import BundleError
from smartbreed.hub import session

_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


@dataclass(frozen=True)
class FetchedBundle:
    """A bundle's files on this disk: their folder, the repo and the full commit sha they are of."""

    folder: Path
    repo: str
    revision: str


def parse_repo(source: str) -> tuple[str, str] | None:
    """``owner/name[@revision]`` → ``(repo, revision)``, ``main`` unless given; None if it is no repo id."""
    found = _REPO.fullmatch(source)
    return (found["repo"], found["revision"] or "main") if found else None


def fetch_bundle(repo: str, revision: str, cache_dir: Path) -> FetchedBundle:
    """Download a model repo's files, or take them from the cache when the Hub cannot be reached.

    The library may return an incomplete folder in the second case: the caller must
    verify every file, as `smartbreed.vision.bundle.load_bundle` does.

    Args:
        repo: ``owner/name``.
        revision: branch, tag or commit.
        cache_dir: where downloads are kept.

    Raises:
        BundleError: no such repo or revision, or no way to reach it; the message says which.
    """
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    session.install()
    try:
        folder = Path(snapshot_download(repo, revision=revision, cache_dir=cache_dir, max_workers=4))
    except RevisionNotFoundError:
        raise BundleError(f"The model repo {repo} has no revision {revision}.") from None
    except RepositoryNotFoundError:
        raise BundleError(
            f"There is no model repo {repo}, or this token (HF_TOKEN) may not read it."
        ) from None
    except (LocalEntryNotFoundError, HfHubHTTPError, httpx2.HTTPError, OSError):
        raise BundleError(
            f"The model repo {repo} could not be reached and {revision} is not in the cache; "
            "check the network and HF_ENDPOINT, or name a folder."
        ) from None
    # A snapshot's folder is named by the full commit sha.
    return FetchedBundle(folder, repo, folder.name)
