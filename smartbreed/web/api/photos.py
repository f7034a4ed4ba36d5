"""Turn what a caller sent as a photo into bytes or a checked path, with a name.

At the Gradio endpoints, a photo is an uploaded file (the client's ``handle_file``),
a web address, a data URL, or base64. Text is never taken for a path, so that a caller
cannot read files of this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import anyio.to_thread

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.photo import decode_base64
from smartbreed.web.api.fetch import fetch

#: Path with which Gradio's own clients refer to a file that they uploaded before.
_UPLOAD_ROUTE = "/gradio_api/file="
#: Base64 shorter than this, in characters, is decoded without a thread.
_SHORT = 100_000


@dataclass(frozen=True)
class Given:
    """A photo to read: its bytes, or the path of an upload. If there is none, ``error`` says why."""

    source: bytes | Path = b""
    name: str = ""
    error: PhotoError | None = None


def clean_name(name: Any) -> str:
    """Return a file name without its folders and control characters, at most 255 characters long."""
    if not isinstance(name, str):
        return ""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:255]


async def receive(value: Any, *, uploads: Path, max_bytes: int) -> Given:
    """Receive one photo in any form. A problem is returned in ``error``, never raised.

    Args:
        value: Gradio's file dictionary, or text.
        uploads: the folder of uploads; no file outside it is read.
        max_bytes: most bytes to fetch or decode.
    """
    name = ""
    try:
        if isinstance(value, dict):
            name = clean_name(value.get("orig_name"))
            value = value.get("path") or value.get("url")
            if isinstance(value, str) and not _is_text_photo(value):
                path = _upload(value, uploads)
                return Given(path, name or clean_name(path.name))
        if value is None or value == "":
            raise PhotoError("no_photo", "No photo was sent; choose one and try again.")
        if not isinstance(value, str):
            raise PhotoError(
                "no_photo",
                "A photo is an uploaded file, a web address, a data URL or base64. "
                f"Received: {type(value).__name__}",
            )
        if value[:8].lower().startswith(("http://", "https://")):
            earlier = _earlier_upload(value, uploads)
            if earlier is not None:
                return Given(earlier, name or clean_name(earlier.name))
            data, found = await fetch(value, max_bytes=max_bytes)
            return Given(data, name or clean_name(found))
        if len(value) < _SHORT:
            return Given(decode_base64(value, max_bytes=max_bytes), name)
        # Decoding a long text takes a while, and would block the event loop.
        return Given(await anyio.to_thread.run_sync(partial(decode_base64, value, max_bytes=max_bytes)), name)
    except PhotoError as error:
        return Given(name=name, error=error)


def _is_text_photo(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://", "data:"))


def _upload(text: str, uploads: Path) -> Path:
    """Return the path of an upload.

    Raises:
        PhotoError: ``not_found``; the same for a missing file and one elsewhere, so nothing can be probed.
    """
    path = _inside(text, uploads)
    if path is None:
        raise PhotoError(
            "not_found", "This file was not uploaded here, or is gone again. Upload it once more."
        )
    return path


def _earlier_upload(url: str, uploads: Path) -> Path | None:
    """Return the file that a URL of the app's own upload route refers to; None for other URLs.

    Gradio's MCP upload helper answers with such a URL. The file is read from disk: to
    fetch it would be a request to this server itself, which `fetch` refuses.
    """
    try:
        _, route, tail = urlsplit(url).path.partition(_UPLOAD_ROUTE)
    except ValueError:  # not a valid URL; `fetch` reports that
        return None
    return _inside(unquote(tail), uploads) if route else None


def _inside(text: str, folder: Path) -> Path | None:
    try:
        path = Path(text).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a loop of links
        return None
