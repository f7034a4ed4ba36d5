"""Serve the bytes of a file: HEAD, GET and ranges, and 304 if the caller has it already."""

from __future__ import annotations

import os
from mimetypes import guess_type
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from localhub.errors import no_entry
from localhub.files import disk_errors
from localhub.routing import Call, Route, Table


def resolve(call: Call) -> Response:
    """Handle ``GET`` and ``HEAD /[datasets/|spaces/]{repo}/resolve/{revision}/{path}``."""
    with call.open() as opened:
        commit = opened.commit(call.revision)
        if not call.path:
            raise no_entry("''")
        blob = opened.blob(commit, call.path)
    etag = f'"{blob.etag}"'
    name = call.path.rsplit("/", 1)[-1]
    headers = {
        "X-Repo-Commit": commit.oid,
        "ETag": etag,
        # The client names files in its cache after this. Without redirects it is the same as ETag.
        "X-Linked-Etag": etag,
        "X-Linked-Size": str(blob.size),
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "Cache-Control": "no-cache",
        # Files are untrusted: a browser must not run them as pages of this address.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if _known(call.request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    path = call.store.files.path(blob.sha256)
    with disk_errors():
        facts = os.stat(path)
    return FileResponse(path, headers=headers, media_type=_media_type(name, lfs=blob.lfs), stat_result=facts)


def _known(header: str, etag: str) -> bool:
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def _media_type(name: str, *, lfs: bool) -> str:
    if not lfs:
        return "text/plain; charset=utf-8"
    guessed = guess_type(name)[0] or ""
    return guessed if guessed.startswith("image/") and "svg" not in guessed else "application/octet-stream"


ROUTES: Table = {("GET", "web:resolve"): Route(resolve, query=("download",))}
