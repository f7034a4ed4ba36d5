"""List the releases of a model repo, and download and verify one of them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from smartbreed.core.errors import BundleError, HubCallError
from smartbreed.core.files import disk_errors
from smartbreed.core.settings import Settings
from smartbreed.inference.bundle import CONFIG, Bundle, BundleConfig, load_bundle, parse_config
from smartbreed.inference.contents import check_folder
from smartbreed.registry.model_source import ModelSource, is_sha, order

if TYPE_CHECKING:
    from huggingface_hub import HfApi

log = logging.getLogger(__name__)

#: Largest release that is downloaded, all files together, in bytes.
MOST_BYTES = 2_000_000_000


class Head(NamedTuple):
    """The commit of the watched revision.

    Attributes:
        sha: full commit id.
        fixed: True if the setting names a tag or a full sha, so that no other commit is ever served.
    """

    sha: str
    fixed: bool


def cache_folder(settings: Settings) -> Path:
    """Return the folder of downloaded snapshots."""
    return settings.home_dir / "hub-cache"


def read_head(api: HfApi, source: ModelSource) -> Head:
    """Return the commit of a source's branch, tag or sha; the Hub is asked unless it is a full sha.

    Raises:
        HubCallError: the Hub cannot be asked, or there is no such repo or revision.
    """
    from smartbreed.hub.client import list_tags, repo_state

    if source.sha:
        return Head(source.sha, True)
    fixed = source.asked != "main" and source.asked in list_tags(api, source.repo, "model")
    return Head(repo_state(api, source.repo, "model", source.asked).sha, fixed)


def read_version(api: HfApi, repo: str, sha: str) -> BundleConfig | None:
    """Return ``config.json`` of a commit; None if there is none, as in a new repo.

    Raises:
        BundleError: the file is malformed, too old or too new.
        HubCallError: the Hub cannot be asked.
    """
    from smartbreed.hub.client import read_file

    text = read_file(api, repo, "model", CONFIG, sha)
    return None if text is None else parse_config(text)


def download(api: HfApi, settings: Settings, repo: str, sha: str) -> Bundle:
    """Download one commit and verify every file of it.

    Raises:
        HubCallError: the download did not finish; trying again may help.
        BundleError: the release is too large or not usable; trying again does not help.
        StorageError: the disk refused.
    """
    from smartbreed.hub.client import download_snapshot, list_files, repo_state

    bundle = _already_here(settings, repo, sha)
    if bundle is not None:
        return bundle
    repo_state(api, repo, "model", sha)  # fails at once if no Hub answers; listing files retries for 30 s
    size = sum(file.size for file in list_files(api, repo, "model", sha).values())
    if size > MOST_BYTES:
        raise BundleError(f"The release weighs {size} bytes; at most {MOST_BYTES} are taken.")
    folder = download_snapshot(api, repo, "model", sha, cache_folder(settings))
    return verify(folder, repo, sha)


def verify(folder: Path, repo: str, sha: str) -> Bundle:
    """Open a snapshot and check every file of it, including files that its ``config.json`` does not list.

    Raises:
        BundleError: a file is missing, damaged or not allowed; the message names it.
        StorageError: the disk refused.
    """
    bundle = load_bundle(folder, repo=repo, revision=sha)
    with disk_errors("The release could not be read"):
        check_folder(folder)
    return bundle


def _already_here(settings: Settings, repo: str, sha: str) -> Bundle | None:
    """Return the snapshot of an earlier download, verified again without asking the Hub; else None."""
    folder = cache_folder(settings) / f"models--{repo.replace('/', '--')}" / "snapshots" / sha
    try:
        return verify(folder, repo, sha) if (folder / CONFIG).is_file() else None
    except BundleError:
        return None  # incomplete, as after a kill: the download completes it or reports what is wrong


def versions(tags: dict[str, str]) -> list[tuple[str, str]]:
    """Return ``(version, sha)`` of the tags that name a version, newest first."""
    found = [(name.removeprefix("v"), sha) for name, sha in tags.items()]
    named = [(version, sha) for version, sha in found if version[:1].isdigit()]
    return sorted(named, key=lambda one: order(one[0]), reverse=True)


def resolve(api: HfApi, repo: str, wanted: str) -> tuple[str, str]:
    """Return ``(sha, version)`` of a version, tag, branch or prefix of a commit id; version may be empty.

    Raises:
        BundleError: the repo has nothing of that name, or the prefix is ambiguous.
        HubCallError: the Hub cannot be asked.
    """
    from smartbreed.hub.client import list_commits, list_tags, repo_state

    tags = list_tags(api, repo, "model")
    by_sha = {sha: version for version, sha in versions(tags)}
    for name in (wanted, f"v{wanted}"):
        if name in tags:
            return tags[name], by_sha.get(tags[name], "")
    if len(wanted) >= 4 and all(letter in "0123456789abcdef" for letter in wanted.lower()):
        commits = {sha for sha, _ in list_commits(api, repo, "model")} | set(tags.values())
        found = sorted(sha for sha in commits if sha.startswith(wanted.lower()))
        if len(found) > 1:
            raise BundleError(f"Several releases begin with {wanted}; give more of its digits.")
        if found:
            return found[0], by_sha.get(found[0], "")
        if is_sha(wanted):
            return wanted, ""
    try:
        sha = repo_state(api, repo, "model", wanted).sha
    except HubCallError as error:
        if error.kind != "no_entry":
            raise
        known = ", ".join(version for version, _ in versions(tags)[:8]) or "none"
        raise BundleError(
            f"The model repo {repo} has no version, tag or commit {wanted!r:.60}. Its versions: {known}."
        ) from None
    return sha, by_sha.get(sha, "")


def tidy(settings: Settings, repo: str, drop: set[str]) -> None:
    """Delete the snapshots `drop` of a repo, with the files that only they need."""
    if not drop:
        return
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir(cache_folder(settings))
    except (CacheNotFound, OSError, ValueError):
        return
    here = {
        revision.commit_hash
        for cached in found.repos
        if cached.repo_id == repo and cached.repo_type == "model"
        for revision in cached.revisions
    }
    if gone := here & drop:
        found.delete_revisions(*gone).execute()
        log.info("deleted %d old releases from the cache", len(gone))
