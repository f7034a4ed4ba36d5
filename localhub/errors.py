"""The exceptions of the Hub. Those that a request may raise carry the header that real clients recognise.

``huggingface_hub`` does not map a bare 401 or 404 to its exceptions. Only the header
``X-Error-Code`` makes it raise ``RepositoryNotFoundError`` and so on.
"""

from __future__ import annotations


class LocalHubError(Exception):
    """Base class of all. `message` is one sentence for people, and never contains a path of this disk."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingError(LocalHubError):
    """An option is unusable; the Hub does not start."""


class StorageError(LocalHubError):
    """The disk or the database failed; nothing is half-written."""

    status = 503


class HubError(LocalHubError):
    """A request that the Hub refuses.

    Args:
        status: HTTP status, 4xx or 5xx.
        message: one sentence.
        header: value of ``X-Error-Code``; empty for none.
    """

    def __init__(self, status: int, message: str, *, header: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.header = header


class Moved(Exception):
    """The requested resource has a new address; `location` is its path."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def bad_request(message: str) -> HubError:
    """Return a 400: the request is invalid."""
    return HubError(400, message)


def not_served(name: str) -> HubError:
    """Return a 400 for an option that only the public Hub supports. Such options are never just ignored."""
    return HubError(400, f"The embedded Hub does not serve {ascii(name)[1:-1][:80]!r} here")


#: Message for every attempt to open a pull request or a discussion.
NO_PULL_REQUESTS = "The embedded Hub has no pull requests and no discussions; commit to a branch"


def no_repo(repo_id: str) -> HubError:
    """Return a 404 for a repo that does not exist, or that this caller may not know of."""
    return HubError(404, f"Repository not found: {repo_id}", header="RepoNotFound")


def no_revision(revision: str) -> HubError:
    """Return a 404 for a branch, tag or commit."""
    return HubError(404, f"Invalid rev id: {revision}", header="RevisionNotFound")


def no_entry(path: str) -> HubError:
    """Return a 404 for a file or folder. The client looks for the first words of the message."""
    return HubError(404, f"A file with this name doesn't exist: {path}", header="EntryNotFound")


def conflict(message: str) -> HubError:
    """Return a 409: it exists already."""
    return HubError(409, message)


def too_large(message: str) -> HubError:
    """Return a 413: it is over a limit, and sending it again will not help."""
    return HubError(413, message)
