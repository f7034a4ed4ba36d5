"""All calls to a Hub, always through ``huggingface_hub``.

`connect` returns the client of the Hub that the settings name; the functions here use it for
what the packages need. Each raises a `smartbreed.core.errors.HubCallError` whose ``kind`` says what
the failure means. None of them retries: the caller knows what may wait.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from smartbreed.core.errors import HubCallError
from smartbreed.core.files import disk_errors, make_dirs, replace_durably, write_tmp
from smartbreed.core.scratch import scratch_folder as private_folder
from smartbreed.hub.connection import Hub, chosen_hub, connect, embedded_store, mounted_store
from smartbreed.hub.retry import hub_errors, pause_s

if TYPE_CHECKING:
    from huggingface_hub import HfApi

__all__ = [
    "Hub",
    "HubCallError",
    "RemoteFile",
    "RepoState",
    "chosen_hub",
    "commit_files",
    "connect",
    "delete_repo",
    "download_file",
    "download_snapshot",
    "embedded_store",
    "ensure_repo",
    "erase_contents",
    "file_at",
    "list_commits",
    "list_files",
    "list_tags",
    "parse_repo",
    "pause_s",
    "read_file",
    "repo_state",
    "scratch_folder",
    "tag",
]

RepoType = Literal["model", "dataset", "space"]
#: Path → size, sha256 (None unless a large file) and git's blob id.
Listing = dict[str, tuple[int, str | None, str]]
#: Prefix of the folders for downloads, in the system's folder for temporary files.
SCRATCH = "smartbreed-hub-"
_REPO = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_SHA = re.compile(r"[0-9a-f]{40}")


class RepoState(NamedTuple):
    """The current state of a branch.

    Attributes:
        sha: full id of its newest commit.
        created: when the repo was created; a different value later means a new repo of the same name.
    """

    sha: str
    created: dt.datetime | None


class RemoteFile(NamedTuple):
    """A file of a repo; `sha256` is None unless it is large, `oid` is git's id of what git itself stores."""

    path: str
    size: int
    oid: str
    sha256: str | None


def parse_repo(source: str) -> tuple[str, str] | None:
    """Split ``owner/name[@revision]`` into repo and revision (default ``main``); None if it is no repo id."""
    found = _REPO.fullmatch(source)
    return (found["repo"], found["revision"] or "main") if found else None


def ensure_repo(api: HfApi, repo: str, repo_type: RepoType, *, private: bool = False) -> None:
    """Create a repo unless it exists."""
    with hub_errors(repo):
        api.create_repo(repo, repo_type=repo_type, private=private, exist_ok=True)


def repo_state(api: HfApi, repo: str, repo_type: RepoType, revision: str = "main") -> RepoState:
    """Return the current state of a revision.

    Raises:
        HubCallError: ``no_repo``, ``no_entry`` if the revision does not exist, or another kind.
    """
    with hub_errors(repo):
        info = api.repo_info(repo, repo_type=repo_type, revision=revision)
    return RepoState(str(info.sha), getattr(info, "created_at", None))


def list_files(
    api: HfApi, repo: str, repo_type: RepoType, revision: str, folder: str | None = None
) -> dict[str, RemoteFile]:
    """Return every file of a revision, or of a folder in it, by path; empty if the folder does not exist."""
    from huggingface_hub.hf_api import RepoFile

    found: dict[str, RemoteFile] = {}
    try:
        with hub_errors(repo):
            for item in api.list_repo_tree(
                repo, folder, repo_type=repo_type, revision=revision, recursive=True
            ):
                if isinstance(item, RepoFile):
                    sha256 = item.lfs.sha256 if item.lfs else None
                    found[item.path] = RemoteFile(item.path, item.size, item.blob_id, sha256)
    except HubCallError as error:
        if error.kind != "no_entry" or folder is None:
            raise
    return found


def file_at(api: HfApi, repo: str, repo_type: RepoType, path: str, revision: str) -> RemoteFile | None:
    """Return one file of a revision; None if it does not exist."""
    from huggingface_hub.hf_api import RepoFile

    with hub_errors(repo):
        for item in api.get_paths_info(repo, [path], repo_type=repo_type, revision=revision):
            if isinstance(item, RepoFile):
                return RemoteFile(item.path, item.size, item.blob_id, item.lfs.sha256 if item.lfs else None)
    return None


def commit_files(
    api: HfApi,
    repo: str,
    repo_type: RepoType,
    files: Mapping[str, bytes | Path],
    *,
    title: str,
    message: str = "",
    parent: str | None = None,
    delete: Iterable[str] = (),
) -> str:
    """Make one commit to ``main``; files whose content is there already add nothing.

    Args:
        files: content by path in the repo.
        parent: full sha that the branch must be at; None: any.
        delete: paths of files to delete.

    Returns:
        The full sha of the commit.

    Raises:
        HubCallError: ``stale`` if the branch is not at ``parent``. After ``retry`` the commit may
            have been applied: check, or send the same commit again.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    added = [
        CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
        for path, content in files.items()
    ]
    deleted = [CommitOperationDelete(path, is_folder=False) for path in delete]
    with hub_errors(repo):
        made = api.create_commit(
            repo,
            [*added, *deleted],
            repo_type=repo_type,
            commit_message=title,
            commit_description=message,
            parent_commit=parent,
            num_threads=2,
        )
    return str(made.oid)


def tag(api: HfApi, repo: str, repo_type: RepoType, name: str, revision: str, message: str = "") -> None:
    """Tag a revision; an existing tag of that name is not moved."""
    with hub_errors(repo):
        api.create_tag(
            repo, tag=name, revision=revision, tag_message=message, repo_type=repo_type, exist_ok=True
        )


def list_tags(api: HfApi, repo: str, repo_type: RepoType) -> dict[str, str]:
    """Return the full sha of each tag."""
    with hub_errors(repo):
        refs = api.list_repo_refs(repo, repo_type=repo_type)
    return {ref.name: str(ref.target_commit) for ref in refs.tags}


def list_commits(api: HfApi, repo: str, repo_type: RepoType, revision: str = "main") -> list[tuple[str, str]]:
    """Return full sha and title of every commit of a revision, newest first."""
    with hub_errors(repo):
        commits = api.list_repo_commits(repo, repo_type=repo_type, revision=revision)
    return [(commit.commit_id, commit.title) for commit in commits]


def commit_dates(api: HfApi, repo: str, repo_type: RepoType) -> dict[str, dt.datetime]:
    """Return when each commit of ``main`` was made, by its full sha."""
    with hub_errors(repo):
        commits = api.list_repo_commits(repo, repo_type=repo_type)
    return {commit.commit_id: commit.created_at for commit in commits}


def download_file(api: HfApi, repo: str, repo_type: RepoType, path: str, revision: str, folder: Path) -> Path:
    """Download one file of a revision into a folder; the user's cache is not used."""
    with hub_errors(repo):
        return Path(api.hf_hub_download(repo, path, repo_type=repo_type, revision=revision, local_dir=folder))


def download_snapshot(api: HfApi, repo: str, repo_type: RepoType, revision: str, cache_dir: Path) -> Path:
    """Return a folder with every file of one commit, from the Hub or from an earlier download.

    If its cache is partial and the Hub is down, the library silently returns an incomplete folder.
    So the list of files is saved once it is known, and each download is compared with it,
    contents included.

    Args:
        revision: full sha of the commit, from `repo_state`.
        cache_dir: where downloads are kept.

    Returns:
        A folder that contains exactly the files of the commit.

    Raises:
        HubCallError: also if a file is missing or differs from the Hub's listing.
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


def _known_listing(file: Path) -> Listing | None:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_bytes())
        return {str(path): (int(size), sha256, str(oid)) for path, (size, sha256, oid) in found.items()}
    return None


def _listing(api: HfApi, repo: str, repo_type: RepoType, revision: str) -> Listing:
    # Without an answer, listing would retry for half a minute; this call fails at once.
    repo_state(api, repo, repo_type, revision)
    return {
        file.path: (file.size, file.sha256, file.oid)
        for file in list_files(api, repo, repo_type, revision).values()
    }


def _check(repo: str, file: Path, path: str, size: int, sha256: str | None, oid: str) -> None:
    """Compare a downloaded file with the Hub's listing; delete a wrong one so that it is fetched again."""
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


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Create a folder that is deleted after the block.

    Raises:
        StorageError: the disk refused, also inside the block.
    """
    with (
        disk_errors("A file of the Hub was not kept here"),
        private_folder(Path(tempfile.gettempdir()), SCRATCH) as folder,
    ):
        yield folder


def read_file(api: HfApi, repo: str, repo_type: RepoType, path: str, revision: str) -> bytes | None:
    """Return the bytes of a small file; None if it does not exist.

    Raises:
        StorageError: the disk refused the temporary copy.
    """
    try:
        with scratch_folder() as folder:
            return download_file(api, repo, repo_type, path, revision, folder).read_bytes()
    except HubCallError as error:
        if error.kind == "no_entry":
            return None
        raise


def erase_contents(api: HfApi, repo: str, repo_type: RepoType, contents: Iterable[str]) -> int:
    """Remove large files, given by sha256, from every commit of a repo; return how many were found.

    Later commits get new ids. The embedded Hub removes the bytes at once. Bytes of an upload that was never
    committed go at once too if the Hub runs in this process, else with its next garbage collection.
    huggingface.co removes bytes in its own time. Copies that others have downloaded are not reached.
    """
    from localhub.maintenance import discard

    wanted = set(contents)
    with hub_errors(repo):
        found = [item for item in api.list_lfs_files(repo, repo_type=repo_type) if item.file_oid in wanted]
        if found:
            api.permanently_delete_lfs_files(repo, found, repo_type=repo_type)
        if (store := mounted_store(api.endpoint)) is not None:
            discard(store, wanted)
    return len(found)


def delete_repo(api: HfApi, repo: str, repo_type: RepoType) -> None:
    """Delete a repo with all its history, if it exists; the embedded Hub removes the bytes at once."""
    from localhub.maintenance import forget_unreachable

    with hub_errors(repo):
        api.delete_repo(repo, repo_type=repo_type, missing_ok=True)
        if (store := mounted_store(api.endpoint)) is not None:
            forget_unreachable(store)
