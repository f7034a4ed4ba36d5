"""Every exception of the Hub; those a request may raise carry the header the real client recognises.

Over plain HTTP ``huggingface_hub`` maps no bare 401 or 404 to its exceptions: only the
``X-Error-Code`` header makes one a ``RepositoryNotFoundError`` and so on.
"""

from __future__ import annotations


class LocalHubError(Exception):
    """Base of all; `message` is one sentence for a person and never holds a path of this disk."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingError(LocalHubError):
    """An option that stops the start."""


class StorageError(LocalHubError):
    """The disk or the database refused; nothing was half-written."""

    status = 503


class HubError(LocalHubError):
    """A request the Hub refuses.

    Args:
        status: HTTP status, 4xx or 5xx.
        message: one sentence.
        header: value of ``X-Error-Code``, or empty.
    """

    def __init__(self, status: int, message: str, *, header: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.header = header


class Moved(Exception):
    """What is asked for is at another address now; `location` is a path."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def bad_request(message: str) -> HubError:
    """400: the request makes no sense."""
    return HubError(400, message)


def not_served(name: str) -> HubError:
    """400 for something the public Hub understands and this one does not: never accepted and ignored."""
    return HubError(400, f"The embedded Hub does not serve {ascii(name)[1:-1][:80]!r} here")


#: Said wherever a client would propose a change or discuss one.
NO_PULL_REQUESTS = "The embedded Hub has no pull requests and no discussions; commit to a branch"


def no_repo(repo_id: str) -> HubError:
    """404 for a repo that is not there, or that this caller may not know of."""
    return HubError(404, f"Repository not found: {repo_id}", header="RepoNotFound")


def no_revision(revision: str) -> HubError:
    """404 for a branch, tag or commit."""
    return HubError(404, f"Invalid rev id: {revision}", header="RevisionNotFound")


def no_entry(path: str) -> HubError:
    """404 for a file or folder; the client looks for the first words of the sentence."""
    return HubError(404, f"A file with this name doesn't exist: {path}", header="EntryNotFound")


def conflict(message: str) -> HubError:
    """409: it exists already."""
    return HubError(409, message)


def too_large(message: str) -> HubError:
    """413: over a limit; sending it again will not help."""
    return HubError(413, message)
