"""Classify failed calls to a Hub: try again later, read again, or ask a person.

The client of ``huggingface_hub`` 2.4 retries no commit and no creation of a repo, whatever
the server says. A call that may have reached the Hub (5xx, time-outs) has an unknown
outcome. Sending identical bytes again is harmless, so that is what "retry" means here.
"""

from __future__ import annotations

import datetime as dt
import errno
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Literal

from smartbreed.core.errors import HubCallError, StorageError
from smartbreed.core.files import disk_errors

#: Longest pause between two attempts, in seconds.
LONGEST_S = 3600.0
_FIRST_S = 5.0

Kind = Literal["retry", "stale", "no_repo", "no_entry", "refused"]
#: Error numbers of a full disk, which the library raises unchanged wherever it writes a file.
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LATER = frozenset({408, 425, 429})
_SENTENCES = {
    400: "The Hub does not accept the request",
    401: "The Hub does not accept the token; set HF_TOKEN to one that may write",
    403: "The token may not do this; set HF_TOKEN to one that may write to this repo",
    409: "Another writer is changing the repo at this moment",
    412: "Another writer has changed the repo meanwhile",
    413: "The Hub takes no upload as large as this",
    429: "The Hub asks for patience: too many requests",
}


def pause_s(attempts: int, retry_after_s: float | None = None, *, luck: float | None = None) -> float:
    """Return the seconds until the next attempt: exponential backoff with jitter, at most an hour.

    Args:
        attempts: number of consecutive failures, from 1.
        retry_after_s: what the Hub asked for; never shortened, except to an hour.
        luck: number in [0, 1) to use instead of a random one.
    """
    share = random.random() if luck is None else luck
    backoff = _FIRST_S * 2.0 ** min(max(attempts, 1) - 1, 16) * (0.5 + share)
    return min(max(backoff, retry_after_s or 0.0), LONGEST_S)


@contextmanager
def hub_errors(what: str) -> Iterator[None]:
    """Translate whatever ``huggingface_hub`` raises inside the block.

    Args:
        what: the repo, named at the end of the message.

    Raises:
        HubCallError: see its ``kind``.
    """
    try:
        yield
    except HubCallError:
        raise
    except Exception as error:
        raise explain(error, what) from error


def explain(error: BaseException, what: str) -> HubCallError:
    """Return the `HubCallError` for an exception of ``huggingface_hub``, its transport or the network."""
    import httpx2
    from huggingface_hub import errors as hf

    # A failed upload of a large file arrives as RuntimeError, a failed download as
    # LocalEntryNotFoundError; the cause says more.
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, OSError) and one.errno in _FULL:
            return HubCallError("retry", _full(one))
    for one in chain:
        if isinstance(one, hf.HfHubHTTPError | httpx2.HTTPStatusError):
            return _of_status(one, one.response.status_code, one.response.headers, what)
    for one in chain:
        if isinstance(one, hf.OfflineModeIsEnabled):
            return _call("retry", "HF_HUB_OFFLINE is set, so no Hub is asked; unset it to go online", what)
        if isinstance(one, httpx2.TimeoutException | TimeoutError):
            return _call("retry", "The Hub did not answer in time", what)
        if isinstance(one, httpx2.HTTPError | ConnectionError):
            return _call("retry", "The Hub cannot be reached; check the network and its address", what)
    for one in chain:
        if isinstance(one, hf.HFValidationError):
            return _call("refused", "That is no name of a repo: owner/name", what)
        if isinstance(one, httpx2.InvalidURL):
            return _call("refused", "SMARTBREED_HUB or HF_ENDPOINT is no web address", what)
        if isinstance(one, ValueError) and "LFS batch API returned errors" in str(one):
            said = " ".join(str(one).split())[:300]
            return _call("refused", f"The Hub does not take a file ({said})", what, status=413)
    # Any other failure on the way, such as xet's own errors, may be temporary.
    return _call("retry", f"Talking to the Hub failed ({type(error).__name__})", what)


def _full(error: OSError) -> str:
    try:
        with disk_errors("A file of the Hub was not kept here"):
            raise error
    except StorageError as refused:
        return refused.message


def _of_status(error: Exception, status: int, headers: Mapping[str, str], what: str) -> HubCallError:
    from huggingface_hub import errors as hf

    said = " ".join(str(getattr(error, "server_message", None) or "").split())[:200]
    reason = _SENTENCES.get(status, f"The Hub answered with an error ({status})")
    reason += f" (it says: {said})" if said else ""
    if status in (404, 401) and isinstance(error, hf.RepositoryNotFoundError):
        if status == 401:  # huggingface.co also answers 401 for a missing repo if no token is sent
            return _call("refused", _SENTENCES[401], what, status=401)
        return _call("no_repo", "There is no such repo, or this token may not see it", what)
    if isinstance(error, hf.RevisionNotFoundError):
        return _call("no_entry", "The repo has no such revision", what)
    if isinstance(error, hf.EntryNotFoundError):
        return _call("no_entry", "The repo has no such file", what)
    if status in (409, 412):
        return _call("stale", reason, what, status=status)
    if status in _LATER or status >= 500:
        return _call("retry", reason, what, status=status, retry_after_s=_retry_after(headers))
    return _call("refused", reason, what, status=status)


def _call(
    kind: Kind, reason: str, what: str, *, status: int = 0, retry_after_s: float | None = None
) -> HubCallError:
    message = f"{reason}. Repo: {what}."
    return HubCallError(kind, message, answered=status, retry_after_s=retry_after_s)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 8:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from ``Retry-After`` or huggingface.co's ``RateLimit``; None if not given.

    ``Retry-After`` is a number of seconds or a date.
    """
    from huggingface_hub.utils._http import parse_ratelimit_headers

    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text), 86_400)) if len(text) < 10 else 86_400.0
    if text:
        try:
            return max(0.0, (parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds())
        except (TypeError, ValueError):
            return None
    limit = parse_ratelimit_headers(headers)
    return float(limit.reset_in_seconds) if limit is not None and limit.remaining == 0 else None
