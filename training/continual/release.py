"""One commit and one tag: the champion first if the repo is empty, then the new version.

Every step looks before it acts and may be repeated: a commit whose answer was lost is found by the
bytes of its ``config.json``, which pin all other files, and a version without its tag gets it.
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

#: Attempts at one step while the Hub cannot be reached or is busy.
ATTEMPTS = 5


@dataclass(frozen=True)
class Released:
    """Where a version is.

    Attributes:
        version: ``1.1.0``.
        revision: full sha of its commit.
        head: where the branch stood when it was looked up; others may have committed a picture since.
    """

    version: str
    revision: str
    head: str = ""


def next_version(version: str, *, new_breeds: bool, taken: set[str]) -> str:
    """The version after ``version``: minor for new breeds, else patch; one that no tag has."""
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
    """Make the repo if need be and publish the champion under its own version, unless it is there.

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
    """Publish a challenger's folder as ``version``, once.

    Args:
        api: from `smartbreed.hub.client.connect`.
        repo: model repo.
        folder: a finished bundle.
        version: ``1.1.0``.
        parent: what the branch must stand at.
        learnt: for the commit message.
        sleep: between attempts.

    Raises:
        HubCallError: ``stale`` when another version was published meanwhile; the challenger was
            not compared with that one.
    """
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    title = f"{parse_config((folder / CONFIG).read_bytes()).name} {version}"
    return _commit(api, repo, files, version, parent.head or parent.revision, title, learnt, sleep)


def finish_unfinished(api: HfApi, repo: str, sleep: Callable[[float], None] = time.sleep) -> Released | None:
    """The version at the head of the repo; one that was committed by a process that died gets its tag.

    Returns:
        None when there is no repo, or no bundle in it.
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
    # A commit that is no release may lie on top: the tag says which is.
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
            revision = state.sha  # an earlier attempt arrived although its answer did not
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
    """Whether the head of the branch holds this very ``config.json``."""
    sha = _patiently(lambda: repo_state(api, repo, "model"), sleep).sha
    return bool(_patiently(lambda: read_file(api, repo, "model", CONFIG, sha), sleep) == wanted)


def _patiently(act: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """Repeat what may be repeated while the Hub asks for patience."""
    for attempt in range(1, ATTEMPTS):
        try:
            return act()
        except HubCallError as error:
            if error.kind != "retry":
                raise
            sleep(min(pause_s(attempt, error.retry_after_s), 60.0))
    return act()
