"""Downloading what a repo holds at one revision, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smartbreed.core.errors import BundleError, HubCallError
from smartbreed.core.files import disk_errors, make_dirs, replace_durably, write_tmp
from smartbreed.hub import session
from smartbreed.hub.retry import hub_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_SHA = re.compile(r"[0-9a-f]{40}")


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


def download_snapshot(
    api: HfApi, repo: str, repo_type: Literal["model", "dataset", "space"], revision: str, cache_dir: Path
) -> Path:
    """Every file of one commit, from the Hub or from what was downloaded before.

    The library returns an incomplete folder without a word when its cache is partial and the Hub
    is down. So the list of files is kept once it is known, and each download is compared with it,
    contents included.

    Args:
        revision: full sha of the commit, from `repo_state`.
        cache_dir: where downloads are kept.

    Returns:
        A folder that holds exactly the files of the commit.

    Raises:
        HubCallError: also when a file is missing or is not what the Hub lists.
        StorageError: the disk refused.
    """
    if not _SHA.fullmatch(revision):
        raise HubCallError("refused", f"A snapshot is named by its full sha. Received: {revision!r:.60}")
    listing = cache_dir / "listings" / f"{repo_type}--{repo.replace('/', '--')}--{revision}.json"
    expected = _known_listing(listing)
    if expected is None:
        expected = _listing(api, repo, repo_type, revision)
    with hub_errors(repo):
        folder = Path(
            api.snapshot_download(
                repo, repo_type=repo_type, revision=revision, cache_dir=cache_dir, max_workers=4
            )
        )
    for path, (size, sha256, oid) in expected.items():
        _check(repo, folder / path, path, size, sha256, oid)
    with disk_errors("The list of a repo's files was not saved"):
        make_dirs(listing.parent)
        replace_durably(write_tmp(listing.parent, listing.name, json.dumps(expected).encode()), listing)
    return folder


Listing = dict[str, tuple[int, str | None, str]]


def _known_listing(file: Path) -> Listing | None:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_bytes())
        return {str(path): (int(size), sha256, str(oid)) for path, (size, sha256, oid) in found.items()}
    return None


def _listing(
    api: HfApi, repo: str, repo_type: Literal["model", "dataset", "space"], revision: str
) -> Listing:
    from smartbreed.hub.client import list_files, repo_state

    # Listing retries for half a minute when nobody answers; this one asks once.
    repo_state(api, repo, repo_type, revision)
    return {
        file.path: (file.size, file.sha256, file.oid)
        for file in list_files(api, repo, repo_type, revision).values()
    }


def _check(repo: str, file: Path, path: str, size: int, sha256: str | None, oid: str) -> None:
    """Compare a downloaded file with the Hub's listing; a wrong one is removed so that it is fetched anew."""
    right = file.is_file() and file.stat().st_size == size
    if right:
        if sha256 is not None:
            digest, wanted = hashlib.sha256(), sha256
        else:  # git's id of a file that is part of the commit itself
            digest, wanted = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False), oid
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        right = digest.hexdigest() == wanted
    if not right:
        with suppress(OSError):
            file.resolve().unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        raise HubCallError(
            "retry",
            f"The download of {repo} is incomplete: {path} is missing or is not what the Hub lists. "
            "It is fetched again at the next attempt.",
        )


def fetch_bundle(repo: str, revision: str, cache_dir: Path, api: HfApi | None = None) -> FetchedBundle:
    """Download a model repo's files, or take them from the cache when the Hub cannot be reached.

    The library may return an incomplete folder in the second case: the caller must
    verify every file, as `smartbreed.inference.bundle.load_bundle` does.

    Args:
        repo: ``owner/name``.
        revision: branch, tag or commit.
        cache_dir: where downloads are kept.
        api: from `smartbreed.hub.client.connect`; None: the Hub of the environment.

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
    download = api.snapshot_download if api is not None else snapshot_download
    try:
        folder = Path(download(repo, revision=revision, cache_dir=cache_dir, max_workers=4))
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
