"""Every exception SmartBreed raises on purpose.

Each carries a stable ``code`` (for programs), a ``message`` (one sentence a
person can act on) and the HTTP ``status`` it maps to. A message must not contain
the path of an upload or other private data.
"""

from __future__ import annotations


class SmartBreedError(Exception):
    """Base of all errors a user may see.

    Args:
        code: stable identifier in snake_case, part of the public contract.
        message: one sentence that says what is wrong and what to do.
        status: the HTTP status to answer with (always 4xx or 5xx).
    """

    status = 500

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if status is not None:
            self.status = status

    def as_dict(self) -> dict[str, str]:
        """Return the ``error`` object of the public contract: ``{"code": …, "message": …}``."""
        return {"code": self.code, "message": self.message}


#: Every code that a photo can be refused with → its HTTP status.
PHOTO_CODES: dict[str, int] = {
    "no_photo": 400,  # nothing was sent
    "empty": 400,  # zero bytes
    "bad_base64": 400,  # text that is neither base64 nor a data URL
    "not_found": 404,  # the path does not exist
    "unreadable": 400,  # a directory, or no permission
    "too_many_bytes": 413,  # over the limit on bytes
    "too_many_pixels": 413,  # over the limit on pixels, decompression bombs
    "too_small": 422,  # a side of under 8 pixels
    "unsupported_format": 415,  # not a picture, or of an unsupported format
    "truncated": 422,  # the file ends too early
    "damaged": 422,  # a picture that cannot be decoded
    "too_slow": 422,  # decoding takes too long for the number of pixels
    "busy": 503,  # too many photos at once
}


class PhotoError(SmartBreedError):
    """A photo that cannot be used; ``code`` is a key of `PHOTO_CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=PHOTO_CODES[code])


class RequestError(SmartBreedError):
    """An invalid argument other than the photo (unknown breed, pet 7 of 2)."""

    status = 422


class SettingError(SmartBreedError):
    """An invalid setting that prevents the start; the message names the variable and what was received."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_setting", message)


class BundleError(SmartBreedError):
    """A model bundle that cannot be trusted or loaded."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_bundle", message)


class FlagError(SmartBreedError):
    """A flag was not saved; the message says why."""

    status = 422


class MaintainerError(SmartBreedError):
    """Only maintainers may do this, and the request could not be attributed to one."""

    status = 403


class AccountError(SmartBreedError):
    """A refused account operation; the message helps the person, but not an attacker."""

    status = 422


class ReviewError(SmartBreedError):
    """A review decision was not recorded; the message says why."""

    status = 422


class StorageError(SmartBreedError):
    """The disk or the database failed; nothing was half-written."""

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__("storage", message)


class UnavailableError(SmartBreedError):
    """A feature needs something that is not installed or not reachable here."""

    status = 503


class HubCallError(SmartBreedError):
    """A failed call to a Hub, classified by what to do next.

    Attributes:
        kind: ``retry`` (send the same call again later; the outcome of this one may be unknown),
            ``stale`` (read the repo again: another writer was faster), ``no_repo``, ``no_entry`` (no such
            revision or file) or ``refused`` (a person has to do something first).
        answered: HTTP status of the Hub's response; 0 if there was none.
        retry_after_s: seconds the Hub asked to wait; None if it did not ask.
    """

    status = 503

    def __init__(
        self, kind: str, message: str, *, answered: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__("hub_" + kind, message)
        self.kind = kind
        self.answered = answered
        self.retry_after_s = retry_after_s
