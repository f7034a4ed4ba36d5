"""Upload large files ahead of their commit, with git's LFS protocol and the transfer ``basic``.

See https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md. The client sends no token
with the bytes, so the upload address that it gets is signed; it is valid for a day.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from localhub.errors import HubError, bad_request, no_entry, too_large
from localhub.names import is_sha256
from localhub.routing import Call, Route, Table, answer

_LIFETIME = 24 * 3600
#: Bytes collected before they are passed to the thread that writes.
_CHUNK = 1 << 20


def batch(call: Call) -> Response:
    """Handle ``POST /[datasets/|spaces/]{repo}.git/info/lfs/objects/batch``."""
    operation = call.text("operation")
    if operation not in ("upload", "download"):
        raise bad_request("operation must be upload or download")
    if operation == "upload":
        call.access.check_write(call.user)
    with call.open():
        pass
    if call.text("hash_algo", "sha256") != "sha256":
        raise HubError(409, "Only sha256 is supported")
    objects = [_answer(call, operation, item) for item in call.items("objects")]
    return answer({"transfer": "basic", "objects": objects, "hash_algo": "sha256"})


def _answer(call: Call, operation: str, item: object) -> dict[str, Any]:
    oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else (None, None)
    if not is_sha256(oid) or isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise bad_request("An object has an oid, the sha256 of its content, and a size")
    fact: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
    if operation == "download":
        # Only by path and revision: a hash alone must not give access to a private repo's files.
        message = "Download from /resolve/; the embedded Hub hands out no large files by their hash"
        return fact | {"error": {"code": 404, "message": message}}
    if size > call.limits.file_bytes:
        return fact | {"error": {"code": 413, "message": f"A file is at most {call.limits.file_bytes} bytes"}}
    if call.store.files.claim(str(oid)) == size:
        return fact
    token = _signer(call).dumps([str(oid), size])
    href = f"{call.base}/{call.repo.url_path}.git/info/lfs/objects/{oid}?{urlencode({'token': token})}"
    return fact | {"actions": {"upload": {"href": href, "header": {}, "expires_in": _LIFETIME}}}


def _signer(call: Call) -> URLSafeTimedSerializer:
    salt = f"upload {call.repo.type} {call.repo.id}"
    return URLSafeTimedSerializer(call.store.db.secret, salt, signer_kwargs={"digest_method": hashlib.sha256})


async def upload(call: Call) -> Response:
    """Handle the ``PUT`` of an object to its signed address: hash it while writing, keep it if it matches."""
    oid = call.rest[0] if call.rest else ""
    if len(call.rest) != 1 or not is_sha256(oid):
        raise no_entry("no such object")
    try:
        signed, size = _signer(call).loads(call.request.query_params.get("token", ""), max_age=_LIFETIME)
    except SignatureExpired:
        raise HubError(403, "This upload address has expired; ask for another") from None
    except BadData:
        raise HubError(403, "This upload address is not valid") from None
    if signed != oid:
        raise HubError(403, "This upload address is not valid")
    with call.store.files.writer() as writer:
        pending: list[bytes] = []
        waiting = total = 0
        async for chunk in call.request.stream():
            total += len(chunk)
            if total > size:
                raise too_large(f"More than the {size} bytes announced")
            pending.append(chunk)
            waiting += len(chunk)
            if waiting >= _CHUNK:
                await run_in_threadpool(writer.write, b"".join(pending))
                pending, waiting = [], 0
        await run_in_threadpool(writer.write, b"".join(pending))
        if total != size or writer.sha256 != oid:
            raise bad_request("The bytes are not those announced")
        await run_in_threadpool(writer.keep, oid)
    return Response(status_code=200)


ROUTES: Table = {
    ("POST", "git:batch"): Route(batch, body="json"),
    ("PUT", "git:object"): Route(stream=upload, query=("token",)),
}
