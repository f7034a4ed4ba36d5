"""Validate the names of repos, files in a repo, branches and tags.

Names come from the network, and end up in URLs, in file names where a repo is
downloaded, and in listings. So invalid ones are refused early, and by one rule.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from localhub.errors import HubError, bad_request, no_entry

REPO_TYPES = ("model", "dataset", "space")
#: Prefix of a repo's URLs; models have none.
URL_PREFIX = {"model": "", "dataset": "datasets/", "space": "spaces/"}
DEFAULT_BRANCH = "main"
_RESERVED = ("api", "models", "datasets", "spaces", "healthz")

#: Longest path and segment in bytes, and most segments of a path; real file systems allow little more.
MAX_PATH = 1024
MAX_SEGMENT = 255
MAX_DEPTH = 64

_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BAD_REF = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|//|@\{|^[-/.]|/\.|[/.]$|\.lock(/|$)|^refs(/|$)|^HEAD$|^@$"
)


class RepoName(NamedTuple):
    """A repo's type and its two-part name."""

    type: str
    namespace: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def url_path(self) -> str:
        """Path of the repo's page, without a leading slash: ``datasets/owner/name``."""
        return f"{URL_PREFIX[self.type]}{self.id}"

    @property
    def api_path(self) -> str:
        """Path of the repo in the API, without a leading slash: ``api/datasets/owner/name``."""
        return f"api/{self.type}s/{self.id}"


def repo_name(repo_type: object, namespace: object, name: object) -> RepoName:
    """Check the type and name of a repo.

    Raises:
        HubError: 400, with the received value.
    """
    if repo_type not in REPO_TYPES:
        raise bad_request(f"type must be one of {', '.join(REPO_TYPES)}. Received: {_show(repo_type)}")
    for part in (namespace, name):
        if not isinstance(part, str) or not _PART.fullmatch(part) or ".." in part or "--" in part:
            raise bad_request(
                "A repo is called owner/name; each has 1 to 96 letters, digits, '_', '-' and '.', begins "
                f"with a letter or digit and does not end with '-' or '.'. Received: {_show(part)}"
            )
    if str(namespace).lower() in _RESERVED:
        raise bad_request(
            f"That owner's name is part of the Hub's own addresses. Received: {_show(namespace)}"
        )
    if str(name).lower().endswith((".git", ".ipynb")):
        raise bad_request(f"A repo's name cannot end with .git or .ipynb. Received: {_show(name)}")
    return RepoName(str(repo_type), str(namespace), str(name))


def check_path(path: object) -> tuple[str, ...]:
    """Split the path of a file or folder in a repo into its segments.

    Raises:
        HubError: 400 for a path that could mean something else on a disk (``..``, empty segments,
            control characters, backslashes, ``.git``) or that is too long.
    """
    if not isinstance(path, str):
        raise bad_request(f"A path is a text. Received: {_show(path)}")
    try:
        length = len(path.encode())
    except UnicodeEncodeError:
        raise bad_request(f"A path must be valid Unicode. Received: {_show(path)}") from None
    segments = tuple(path.split("/"))
    if length > MAX_PATH or len(segments) > MAX_DEPTH:
        raise bad_request(
            f"A path has at most {MAX_PATH} bytes and {MAX_DEPTH} levels. Received: {_show(path)}"
        )
    if _CONTROL.search(path) or "\\" in path:
        raise bad_request(f"A path has no control characters and no backslash. Received: {_show(path)}")
    for segment in segments:
        if segment in ("", ".", "..") or segment.lower() == ".git" or len(segment.encode()) > MAX_SEGMENT:
            raise bad_request(
                f"A path has no empty, '.', '..' or '.git' segment, nor one over {MAX_SEGMENT} bytes. "
                f"Received: {_show(path)}"
            )
    return segments


def wanted_path(path: str) -> tuple[str, ...]:
    """Like `check_path`, but for reading: a path that cannot be stored does not exist.

    Raises:
        HubError: 404.
    """
    try:
        return check_path(path)
    except HubError:
        raise no_entry(_show(path)) from None


def check_ref(name: object, kind: str = "branch") -> str:
    """Check the name of a new branch or tag, by git's rules and a few more.

    Raises:
        HubError: 400; also for 40 hex digits, which would hide the commit with that id.
    """
    if (
        not isinstance(name, str)
        or not 1 <= len(name) <= 200
        or _BAD_REF.search(name)
        or not name.isprintable()
        or is_sha1(name.lower())
    ):
        raise bad_request(f"Invalid reference for a {kind}. Received: {_show(name)}")
    return name


def is_sha1(text: object) -> bool:
    """True if `text` looks like a full commit or git object id."""
    return isinstance(text, str) and _SHA1.fullmatch(text) is not None


def is_sha256(text: object) -> bool:
    """True if `text` looks like the name of a blob or LFS file."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def _show(value: object) -> str:
    """Return a received value as it may be shown in an answer: short, and plain ASCII."""
    text = ascii(value)
    return text if len(text) <= 120 else text[:117] + "..."
