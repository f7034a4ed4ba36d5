"""Every exception SmartBreed raises on purpose.

Each carries a stable ``code`` (for programs), a ``message`` (one sentence a
person can act on) and the HTTP ``status`` it maps to. Nothing in a message may
hold a path of an upload or other private data.
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
        """The ``error`` object of the contract: ``{"code": …, "message": …}``."""
        return {"code": self.code, "message": self.message}


#: Every code a photo can be refused with, and the HTTP status of each.
PHOTO_CODES: dict[str, int] = {
    "no_photo": 400,  # nothing was sent
    "empty": 400,  # zero bytes
    "bad_base64": 400,  # text that is no base64 or data URL
    "not_found": 404,  # the path does not exist
    "unreadable": 400,  # a directory, or no permission
    "too_many_bytes": 413,  # over the limit on bytes
    "too_many_pixels": 413,  # over the limit on pixels, decompression bombs
    "too_small": 422,  # a side of under 8 pixels
    "unsupported_format": 415,  # not a picture, or a kind we do not read
    "truncated": 422,  # the file ends too early
    "damaged": 422,  # a picture that cannot be decoded
    "too_slow": 422,  # a picture that takes longer to decode than its pixels explain
    "busy": 503,  # too many photos at once
}


class PhotoError(SmartBreedError):
    """A photo that cannot be used; ``code`` is a key of `PHOTO_CODES`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, status=PHOTO_CODES[code])


class RequestError(SmartBreedError):
    """An argument other than the photo makes no sense (unknown breed, pet 7 of 2)."""

    status = 422


class SettingError(SmartBreedError):
    """A setting that stops the start; the message names the variable and what was received."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_setting", message)


class BundleError(SmartBreedError):
    """A model bundle that cannot be trusted or loaded."""

    def __init__(self, message: str) -> None:
        super().__init__("bad_bundle", message)


class FlagError(SmartBreedError):
    """A flag that was not saved, and why."""

    status = 422


class MaintainerError(SmartBreedError):
    """Only maintainers may do this, and the request is not known to be from one."""

    status = 403


class AccountError(SmartBreedError):
    """Something of an account that is refused, in words that help the person and no attacker."""

    status = 422


class ReviewError(SmartBreedError):
    """A decision that was not taken, and why."""

    status = 422


class StorageError(SmartBreedError):
    """The disk or the database refused; nothing was half-written."""

    status = 503

    def __init__(self, message: str) -> None:
        super().__init__("storage", message)


class UnavailableError(SmartBreedError):
    """A feature that needs something not installed or not reachable here."""

    status = 503


class HubCallError(SmartBreedError):
    """A call to a Hub that failed, and what that means.

    Attributes:
        kind: ``retry`` (later, the same again; the outcome may be unknown), ``stale`` (look
            again: another writer was faster), ``no_repo``, ``no_entry`` (revision or file) or
            ``refused`` (a person has to do something first).
        answered: HTTP status the Hub gave; 0 when it gave none.
        retry_after_s: seconds the Hub asked to wait, if it did.
    """

    status = 503

    def __init__(
        self, kind: str, message: str, *, answered: int = 0, retry_after_s: float | None = None
    ) -> None:
        super().__init__("hub_" + kind, message)
        self.kind = kind
        self.answered = answered
        self.retry_after_s = retry_after_s
