"""Create, delete, rename and show repos."""

from __future__ import annotations

import datetime as dt
import sqlite3
from typing import Any

from starlette.responses import Response

from localhub import repos
from localhub.commits import Commit
from localhub.errors import HubError, StorageError, bad_request, not_served
from localhub.names import RepoName, repo_name
from localhub.repo_card import MAX_CARD, CardError, front_matter, tags_of
from localhub.repos import Repo
from localhub.routes import spaces
from localhub.routing import Call, Route, Table, answer
from localhub.store import HubStore, Opened
from localhub.trees import Blob, find, load_blobs, pointer, walk

_SDKS = ("gradio", "streamlit", "docker", "static")
#: Values of ``expand`` for a repo. All are always answered, except the card and the files in listings.
EXPAND = frozenset(
    {"author", "cardData", "createdAt", "disabled", "downloads", "gated", "lastModified", "library_name",
     "likes", "pipeline_tag", "private", "sdk", "sha", "siblings", "tags"}
)  # fmt: skip


def iso(seconds: float) -> str:
    """Format a time as the Hub does: ``2026-01-31T08:00:00.000Z``."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def lfs_facts(blob: Blob) -> dict[str, Any]:
    """Return what listings say of a large file. Its hash has two names, as two endpoints differ in this."""
    size = len(pointer(blob.sha256, blob.size))
    return {"oid": blob.sha256, "sha256": blob.sha256, "size": blob.size, "pointerSize": size}


def _named(call: Call) -> RepoName:
    namespace = call.body.get("organization") or call.author
    return repo_name(call.body.get("type") or "model", namespace, call.body.get("name"))


def _private(body: dict[str, Any]) -> bool | None:
    if body.get("visibility") is not None:
        if body["visibility"] not in ("public", "private"):
            raise bad_request("visibility must be public or private")
        return bool(body["visibility"] == "private")
    value = body.get("private")
    if value is not None and not isinstance(value, bool):
        raise bad_request("private must be true or false")
    return value


def create(call: Call) -> Response:
    """Handle ``POST /api/repos/create``. If the repo exists, the 409 has its address, as clients expect."""
    name = _named(call)
    sdk = call.body.get("sdk")
    if name.type == "space" and sdk not in _SDKS:
        raise bad_request(f"sdk must be one of {', '.join(_SDKS)}")
    private = bool(_private(call.body))
    url = f"{call.base}/{name.url_path}"
    also = spaces.keeper(spaces.given(call)) if name.type == "space" else None
    try:
        call.store.create_repo(name.id, name.type, author=call.author, private=private, sdk=sdk, also=also)
    except HubError as error:
        if error.status != 409:
            raise
        return _there_already(error, url=url, name=name.id)
    return answer({"url": url, "name": name.id, "id": name.id, "private": private})


def delete(call: Call) -> Response:
    """Handle ``DELETE /api/repos/delete``."""
    call.store.delete_repo(_named(call))
    return answer({})


def move(call: Call) -> Response:
    """Handle ``POST /api/repos/move``."""
    kind = call.body.get("type") or "model"
    old, new = (repo_name(kind, *_split(call.text(key))) for key in ("fromRepo", "toRepo"))
    with call.store.change(old, exact=True) as opened:
        repos.rename(opened.db, opened.repo, new)
    return answer({"url": f"{call.base}/{new.url_path}"})


def duplicate(call: Call) -> Response:
    """Handle ``POST /api/{type}s/{repo}/duplicate``: copy history and a Space's variables, but no secrets."""
    copy = repo_name(call.repo.type, *_split(call.text("repository")))
    private = _private(call.body)
    also = None
    with call.open() as opened:
        if copy.type == "space":
            also = spaces.keeper(spaces.given(call, spaces.variables_of(opened.db, opened.repo)))
    url = f"{call.base}/{copy.url_path}"
    try:
        call.store.duplicate_repo(call.repo, copy, private=private, also=also)
    except HubError as error:
        if error.status != 409:
            raise
        return _there_already(error, url=url)
    return answer({"url": url, "filesCopyPending": False})


def _there_already(error: HubError, **facts: str) -> Response:
    return answer({"error": error.message, **facts}, 409, headers={"X-Error-Message": error.message})


def _split(repo_id: str) -> tuple[str, str]:
    namespace, _, name = repo_id.partition("/")
    return namespace, name


def settings(call: Call) -> Response:
    """Handle ``PUT /api/{type}s/{repo}/settings``: only the visibility can be set."""
    if call.body.get("gated"):
        raise not_served("gated")
    private = _private(call.body)
    with call.store.change(call.repo) as opened:
        if private is None:
            private = opened.repo.private
        else:
            repos.set_private(opened.db, opened.repo, private)
    return answer({"private": private})


def auth_check(call: Call) -> Response:
    """Handle ``GET /api/{type}s/{repo}/auth-check[/write]``."""
    with call.open():
        if call.rest == ["write"]:
            call.access.check_write(call.user)
    return answer({})


def show(call: Call) -> Response:
    """Handle ``GET /api/{type}s/{repo}[/revision/{revision}]``."""
    with call.open() as opened:
        commit = opened.commit(call.revision)
        card = card_of(call.store, opened.db, commit)
        facts = summary(opened.repo, commit, card) | {
            "siblings": siblings(opened, commit, blobs=call.flag("blobs")),
            "cardData": card,
        }
    return answer(facts, headers={"X-Repo-Commit": commit.oid})


def summary(repo: Repo, commit: Commit, card: dict[str, Any] | None) -> dict[str, Any]:
    """Return what every listing says of a repo; `card` is the metadata of its README."""
    facts: dict[str, Any] = {
        "_id": f"{repo.key:024x}",
        "id": repo.name.id,
        "author": repo.name.namespace,
        "sha": commit.oid,
        "lastModified": iso(commit.created),
        "createdAt": iso(repo.created),
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags_of(repo.name.type, card),
    }
    if repo.name.type == "model":
        named = {key: value for key in ("pipeline_tag", "library_name") if (value := (card or {}).get(key))}
        facts |= {"modelId": repo.name.id, **named}
    if repo.name.type == "space":
        facts["sdk"] = repo.sdk
    return facts


def siblings(opened: Opened, commit: Commit, *, blobs: bool) -> list[dict[str, Any]]:
    """Return all files of a commit; with their ids and sizes if `blobs` is set."""
    entries = [(path, entry.oid) for path, entry in walk(opened.db, commit.tree) if not entry.folder]
    if not blobs:
        return [{"rfilename": path} for path, _ in entries]
    contents = load_blobs(opened.db, [oid for _, oid in entries])
    files = []
    for path, oid in entries:
        blob = contents[oid]
        fact: dict[str, Any] = {"rfilename": path, "blobId": oid, "size": blob.size}
        files.append(fact | {"lfs": lfs_facts(blob)} if blob.lfs else fact)
    return files


def card_of(store: HubStore, db: sqlite3.Connection, commit: Commit) -> dict[str, Any] | None:
    """Return the metadata of a commit's README; None if there is none, or it cannot be read."""
    entry = find(db, commit.tree, ("README.md",))
    if entry is None or entry.folder:
        return None
    blob = load_blobs(db, [entry.oid])[entry.oid]
    if blob.size > MAX_CARD:
        return None
    try:
        return front_matter(store.files.read(blob.sha256).decode("utf-8", "replace")) or None
    except (CardError, StorageError):  # a bad README must not hide its repo
        return None


ROUTES: Table = {
    ("POST", "/api/repos/create"): Route(
        create,
        write=True,
        body="json",
        keys=("type", "name", "organization", "visibility", "private", "sdk", *spaces.KEYS),
    ),
    ("DELETE", "/api/repos/delete"): Route(
        delete, write=True, body="json", keys=("type", "name", "organization")
    ),
    ("POST", "/api/repos/move"): Route(move, write=True, body="json", keys=("type", "fromRepo", "toRepo")),
    ("POST", "api:duplicate"): Route(
        duplicate, write=True, body="json", keys=("repository", "visibility", "private", *spaces.KEYS)
    ),
    ("GET", "api:"): Route(show, query=("blobs",), expand=EXPAND),
    ("GET", "api:revision"): Route(show, query=("blobs",), expand=EXPAND),
    ("PUT", "api:settings"): Route(
        settings, write=True, body="json", keys=("visibility", "private", "gated")
    ),
    ("GET", "api:auth-check"): Route(auth_check),
}
