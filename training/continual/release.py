"""Publish a version as one commit and one tag; an empty repo gets the champion first.

Every step is idempotent. A commit whose response was lost is recognised by the bytes of its
``config.json``, which pin all other files, and a version without a tag gets one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from smartbreed.core.errors import HubCallError
from smartbreed.hub.client import commit_files, ensure_repo, list_tags, pause_s, read_file, repo_state, tag
from smartbreed.inference.bundle import CONFIG, Bundle, parse_config

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

#: Attempts at one step while the Hub is unreachable or busy.
ATTEMPTS = 5


@dataclass(frozen=True)
class Released:
    """A version in the model repo.

    Attributes:
        version: ``1.1.0``.
        revision: full sha of its commit.
        head: head of the branch when it was looked up; later commits may have changed other files, such as a
            picture.
    """

    version: str
    revision: str
    head: str = ""


def next_version(version: str, *, new_breeds: bool, taken: set[str]) -> str:
    """Return the next free version after ``version``: a minor step for new breeds, else a patch step.

    Args:
        version: the current version.
        new_breeds: whether breeds are added.
        taken: versions that already have a tag.
    """
    numbers = [int(part) if part.isdigit() else 0 for part in version.split("-")[0].split(".")[:3]]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    while True:
        major, minor, patch = (major, minor + 1, 0) if new_breeds else (major, minor, patch + 1)
        found = f"{major}.{minor}.{patch}"
        if found not in taken:
            return found


def publish_champion(
    api: HfApi, repo: str, champion: Bundle, sleep: Callable[[float], None] = time.sleep
) -> Released:
    """Create the repo if needed and publish the champion under its own version, unless it is there already.

    Raises:
        HubCallError: the Hub refuses, or cannot be reached.
    """
    version = champion.config.version
    _patiently(lambda: ensure_repo(api, repo, "model"), sleep)
    tags = _patiently(lambda: list_tags(api, repo, "model"), sleep)
    if f"v{version}" in tags:
        head = _patiently(lambda: repo_state(api, repo, "model"), sleep).sha
        return Released(version, tags[f"v{version}"], head)
    files = [*champion.config.files, CONFIG]
    return _commit(
        api, repo, {name: champion.folder / name for name in files}, version, None,
        f"{champion.config.name} {version}", "The first version in this repo.", sleep,
    )  # fmt: skip


def publish(
    api: HfApi,
    repo: str,
    folder: Path,
    version: str,
    parent: Released,
    learnt: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Released:
    """Publish a challenger's folder as ``version``; safe to repeat.

    Args:
        api: from `smartbreed.hub.client.connect`.
        repo: model repo.
        folder: a finished bundle.
        version: ``1.1.0``.
        parent: release that the branch must still be at.
        learnt: body of the commit message.
        sleep: called with the seconds to wait between attempts.

    Raises:
        HubCallError: ``stale`` if another version was published in the meantime, because the challenger was
            not compared with that one; other kinds if the Hub refuses or cannot be reached.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    title = f"{parse_config((folder / CONFIG).read_bytes()).name} {version}"
    return _commit(api, repo, files, version, parent.head or parent.revision, title, learnt, sleep)


def finish_unfinished(api: HfApi, repo: str, sleep: Callable[[float], None] = time.sleep) -> Released | None:
    """Return the version at the head of the repo; tag it if a process died between commit and tag.

    Returns:
        None if there is no repo, or no bundle in it.
    """
    try:
        sha = _patiently(lambda: repo_state(api, repo, "model"), sleep).sha
        text = _patiently(lambda: read_file(api, repo, "model", CONFIG, sha), sleep)
    except HubCallError as error:
        if error.kind in ("no_repo", "no_entry"):
            return None
        raise
    if text is None:
        return None
    version = parse_config(text).version
    tags = _patiently(lambda: list_tags(api, repo, "model"), sleep)
    if f"v{version}" not in tags:
        _patiently(lambda: tag(api, repo, "model", f"v{version}", sha), sleep)
        return Released(version, sha, sha)
    # A commit that is not a release may lie on top, so the tag identifies the release.
    tagged = tags[f"v{version}"]
    same = _patiently(lambda: read_file(api, repo, "model", CONFIG, tagged), sleep) == text
    return Released(version, tagged if same else sha, sha)


def _commit(
    api: HfApi,
    repo: str,
    files: dict[str, Path],
    version: str,
    parent: str | None,
    title: str,
    message: str,
    sleep: Callable[[float], None],
) -> Released:
    wanted = files[CONFIG].read_bytes()
    for attempt in range(1, ATTEMPTS + 1):
        state = _patiently(lambda: repo_state(api, repo, "model"), sleep)
        there = _patiently(partial(read_file, api, repo, "model", CONFIG, state.sha), sleep)
        if there == wanted:
            revision = state.sha  # an earlier attempt succeeded, but its response was lost
            break
        try:
            revision = commit_files(
                api, repo, "model", files, title=title, message=message, parent=parent or state.sha
            )
            break
        except HubCallError as error:
            if error.kind == "stale" and not _arrived(api, repo, wanted, sleep):
                raise
            if error.kind not in ("retry", "stale") or attempt == ATTEMPTS:
                raise
            sleep(pause_s(attempt, error.retry_after_s))
    _patiently(lambda: tag(api, repo, "model", f"v{version}", revision, title), sleep)
    return Released(version, revision, revision)


def _arrived(api: HfApi, repo: str, wanted: bytes, sleep: Callable[[float], None]) -> bool:
    """True when the head of the branch holds exactly this ``config.json``."""
    sha = _patiently(lambda: repo_state(api, repo, "model"), sleep).sha
    return bool(_patiently(lambda: read_file(api, repo, "model", CONFIG, sha), sleep) == wanted)


def _patiently(act: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Call ``act``, retrying with backoff while the Hub is unreachable or busy.

    ``act`` must be idempotent.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return act()
        except HubCallError as error:
            if error.kind != "retry":
                raise
            sleep(min(pause_s(attempt, error.retry_after_s), 60.0))
    return act()
