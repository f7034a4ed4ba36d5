"""Check the lines of a commit as they arrive, and store file contents at once."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from localhub.commits import Change
from localhub.errors import bad_request, no_entry, too_large
from localhub.names import check_path, is_sha256
from localhub.preupload import REGULAR_MAX
from localhub.repo_card import MAX_CARD, CardError, check_card
from localhub.routing import Limits, loads
from localhub.store import HubStore
from localhub.trees import lfs_blob

#: Longest line in bytes: one regular file in base64, and its path.
MAX_LINE = REGULAR_MAX * 4 // 3 + 16_000
TOO_LONG = f"A file over {REGULAR_MAX} bytes must be uploaded ahead of the commit"
MAX_TITLE, MAX_MESSAGE = 2_000, 64_000
_COMMIT_ID = re.compile(r"[0-9A-Fa-f]{5,40}")


class Intake:
    """Checks the lines of a commit, and stores file contents, as they arrive."""

    def __init__(self, store: HubStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._header: dict[str, Any] | None = None
        self.changes: list[Change] = []

    def take(self, lines: list[bytes]) -> None:
        """Read some lines; the contents of small files are on disk afterwards.

        Raises:
            HubError: 400 for an invalid line, 404 for a large file that was not uploaded, 413 over a limit.
        """
        for line in lines:
            if not line.strip():
                continue
            if len(line) > MAX_LINE:
                raise too_large(TOO_LONG)
            item = loads(line)
            try:
                key, value = item["key"], item["value"]
            except (KeyError, TypeError, IndexError):
                raise bad_request("A line of the commit is no JSON object with key and value") from None
            if not isinstance(value, dict):
                raise bad_request("The value of a line must be an object")
            if key == "header":
                self._header = value
            else:
                self.changes.append(self._change(key, value))
            if len(self.changes) > self._limits.operations:
                raise too_large(f"A commit has at most {self._limits.operations} operations")

    def header(self) -> tuple[str, str, str | None]:
        """Return the title, the message and the expected parent commit; None for any parent.

        Raises:
            HubError: 400, the header is missing or invalid.
        """
        header = self._header or {}
        title, message = header.get("summary"), header.get("description") or ""
        parent = header.get("parentCommit")
        if not isinstance(title, str) or not title.strip() or not isinstance(message, str):
            raise bad_request("A commit needs a header with a summary")
        if len(title) > MAX_TITLE or len(message) > MAX_MESSAGE:
            raise bad_request(f"A summary has at most {MAX_TITLE} characters, a description {MAX_MESSAGE}")
        if parent is not None and not (isinstance(parent, str) and _COMMIT_ID.fullmatch(parent)):
            raise bad_request("parentCommit must be a commit id")
        return title, message, parent

    def _change(self, key: object, value: dict[str, Any]) -> Change:
        path = "/".join(check_path(_stripped(value.get("path"))))
        if key == "file":
            if value.get("encoding", "base64") != "base64":
                raise bad_request("encoding must be base64")
            data = decode_base64(value.get("content"))
            if path == "README.md":
                _check_readme(data)
            return self._store.put_text(path, data)
        if key == "lfsFile":
            oid, size = self._uploaded(value)
            if path == "README.md" and size <= MAX_CARD:
                _check_readme(self._store.files.read(oid))
            return Change("put", path, lfs_blob(oid, size))
        if key in ("deletedFile", "deletedFolder"):
            return Change("remove_folder" if key == "deletedFolder" else "remove_file", path)
        raise bad_request(f"No such operation: {ascii(key)[:40]}")

    def _uploaded(self, value: dict[str, Any]) -> tuple[str, int]:
        oid = value.get("oid")
        if value.get("algo", "sha256") != "sha256" or not isinstance(oid, str) or not is_sha256(oid):
            raise bad_request("A large file is named by its sha256")
        size = self._store.files.claim(oid)
        if size is None:
            raise no_entry(f"the large file {oid} has not been uploaded")
        if value.get("size", size) != size:
            raise bad_request(f"The large file {oid} has {size} bytes")
        return oid, size


def _check_readme(data: bytes) -> None:
    try:
        check_card(data.decode("utf-8", "replace"))
    except CardError as error:
        raise bad_request(f"Invalid metadata in README.md: {error}") from None


def _stripped(path: object) -> object:
    """Remove the trailing slash that the client adds to folders to be deleted."""
    return path.rstrip("/") if isinstance(path, str) else path


def decode_base64(text: object) -> bytes:
    """Decode base64.

    Raises:
        HubError: 400.
    """
    try:
        return base64.b64decode(text.encode("ascii") if isinstance(text, str) else b"?", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise bad_request("Content must be base64") from None
