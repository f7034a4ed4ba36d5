"""Change a repo: commits, branches, tags, squashing."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from localhub.errors import NO_PULL_REQUESTS, HubError, bad_request, too_large
from localhub.intake import MAX_LINE, MAX_MESSAGE, MAX_TITLE, TOO_LONG, Intake, decode_base64
from localhub.names import check_path
from localhub.preupload import Ignore, is_large
from localhub.routing import Call, Route, Table, answer
from localhub.store import Opened
from localhub.trees import find, load_blobs

_MAX_GITIGNORE = 100_000


def preupload(call: Call) -> Response:
    """Handle ``POST …/preupload/{revision}``: how to send each file, and the id that it has in the repo."""
    _refuse_pull_request(call)
    facts = []
    with call.open() as opened:
        commit = opened.commit(call.revision)
        given = call.body.get("gitIgnore")
        ignored = Ignore(given[:_MAX_GITIGNORE] if isinstance(given, str) else _gitignore(call, opened))
        for file in call.items("files"):
            if not isinstance(file, dict):
                raise bad_request("files must be objects")
            path, size = "/".join(check_path(file.get("path"))), file.get("size", 0)
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise bad_request("size must be a number of bytes")
            large = is_large(path, size, decode_base64(file.get("sample", "")))
            entry = find(opened.db, commit.tree, tuple(path.split("/")))
            fact = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": ignored(path)}
            if entry is not None and not entry.folder:
                # The client compares this with the id that it computes for this mode; equal means unchanged.
                blob = load_blobs(opened.db, [entry.oid])[entry.oid]
                fact["oid"] = blob.etag
            facts.append(fact)
    return answer({"files": facts, "commitOid": commit.oid})


def _gitignore(call: Call, opened: Opened) -> str:
    try:
        blob = opened.blob(opened.commit(call.revision), ".gitignore")
    except HubError:
        return ""
    if blob.size > _MAX_GITIGNORE:
        return ""
    return call.store.files.read(blob.sha256).decode("utf-8", "replace")


async def commit(call: Call) -> Response:
    """Handle ``POST …/commit/{revision}``: newline-delimited JSON, read and stored line by line."""
    _refuse_pull_request(call)

    def check() -> None:
        with call.open():
            pass

    await run_in_threadpool(check)  # before a long body is read
    intake = Intake(call.store, call.limits)
    async for lines in _lines(call):
        await run_in_threadpool(intake.take, lines)
    title, message, parent = intake.header()
    made = await run_in_threadpool(
        lambda: call.store.commit(
            call.repo,
            call.revision,
            intake.changes,
            author=call.author,
            title=title,
            message=message,
            parent_commit=parent,
        )
    )
    url = f"{call.base}/{call.repo.url_path}/commit/{made.oid}"
    return answer({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


async def _lines(call: Call) -> AsyncIterator[list[bytes]]:
    pending: list[bytes] = []
    waiting = total = 0
    async for chunk in call.request.stream():
        total += len(chunk)
        if total > call.limits.commit_bytes:
            raise too_large(f"A commit is at most {call.limits.commit_bytes} bytes; send fewer files at once")
        *whole, rest = chunk.split(b"\n")
        if whole:
            yield [b"".join([*pending, whole[0]]), *whole[1:]]
            pending, waiting = [], 0
        pending.append(rest)
        waiting += len(rest)
        if waiting > MAX_LINE:
            raise too_large(TOO_LONG)
    if waiting:
        yield [b"".join(pending)]


def _refuse_pull_request(call: Call) -> None:
    if call.flag("create_pr"):
        raise bad_request(NO_PULL_REQUESTS)


def create_branch(call: Call) -> Response:
    """Handle ``POST …/branch/{branch}``."""
    start = call.text("startingPoint", "main")
    call.store.create_ref(call.repo, "branch", call.revision, start)
    return answer({})


def delete_branch(call: Call) -> Response:
    """Handle ``DELETE …/branch/{branch}``."""
    call.store.delete_ref(call.repo, "branch", call.revision)
    return answer({})


def create_tag(call: Call) -> Response:
    """Handle ``POST …/tag/{revision}``."""
    message = call.text("message", "")[:MAX_MESSAGE]
    call.store.create_ref(call.repo, "tag", call.text("tag"), call.revision, message)
    return answer({})


def delete_tag(call: Call) -> Response:
    """Handle ``DELETE …/tag/{tag}``."""
    call.store.delete_ref(call.repo, "tag", call.revision)
    return answer({})


def squash(call: Call) -> Response:
    """Handle ``POST …/super-squash/{branch}``."""
    title = call.text("message", "Super-squash branch")[:MAX_TITLE] or "Super-squash branch"
    call.store.squash(call.repo, call.revision, author=call.author, title=title)
    return answer({})


ROUTES: Table = {
    ("POST", "api:preupload"): Route(
        preupload, write=True, body="json", query=("create_pr",), keys=("files", "gitIgnore", "gitAttributes")
    ),
    ("POST", "api:commit"): Route(stream=commit, write=True, query=("create_pr",)),
    ("POST", "api:branch"): Route(create_branch, write=True, body="json", keys=("startingPoint",)),
    ("DELETE", "api:branch"): Route(delete_branch, write=True),
    ("POST", "api:tag"): Route(create_tag, write=True, body="json", keys=("tag", "message")),
    ("DELETE", "api:tag"): Route(delete_tag, write=True),
    ("POST", "api:super-squash"): Route(squash, write=True, body="json", keys=("message",)),
}
