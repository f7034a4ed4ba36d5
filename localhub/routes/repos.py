"""Making, removing, renaming and showing repos."""

from __future__ import annotations

import datetime as dt
from typing import Any

from starlette.responses import Response

from localhub import repos
from localhub.commits import Commit, get_commit
from localhub.errors import HubError, StorageError, bad_request
from localhub.names import DEFAULT_BRANCH, RepoName, repo_name
from localhub.refs import head
from localhub.repo_card import MAX_CARD, CardError, front_matter
from localhub.repos import Repo
from localhub.routing import Call, Route, Table, answer
from localhub.store import Opened
from localhub.trees import Blob, find, load_blobs, pointer, walk

_SDKS = ("gradio", "streamlit", "docker", "static")


def iso(seconds: float) -> str:
    """A moment as the Hub writes it: ``2026-01-31T08:00:00.000Z``."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def lfs_facts(blob: Blob) -> dict[str, Any]:
    """What listings say of a large file; the two names of its hash are two endpoints' habits."""
    size = len(pointer(blob.sha256, blob.size))
    return {"oid": blob.sha256, "sha256": blob.sha256, "size": blob.size, "pointerSize": size}


def _named(call: Call) -> RepoName:
    namespace = call.body.get("organization") or call.author
    return repo_name(call.body.get("type") or "model", namespace, call.body.get("name"))


def _private(body: dict[str, Any]) -> bool | None:
    if "visibility" in body:
        if body["visibility"] not in ("public", "private"):
            raise bad_request("visibility must be public or private")
        return bool(body["visibility"] == "private")
    value = body.get("private")
    if value is not None and not isinstance(value, bool):
        raise bad_request("private must be true or false")
    return value


def create(call: Call) -> Response:
    """``POST /api/repos/create``; for a repo that exists the 409 names its address, as the client expects."""
    name = _named(call)
    sdk = call.body.get("sdk")
    if name.type == "space" and sdk not in _SDKS:
        raise bad_request(f"sdk must be one of {', '.join(_SDKS)}")
    private = bool(_private(call.body))
    url = f"{call.base}/{name.url_path}"
    try:
        call.store.create_repo(name.id, name.type, author=call.author, private=private, sdk=sdk)
    except HubError as error:
        if error.status != 409:
            raise
        return answer(
            {"error": error.message, "url": url, "name": name.id},
            409,
            headers={"X-Error-Message": error.message},
        )
    return answer({"url": url, "name": name.id, "id": name.id, "private": private})


def delete(call: Call) -> Response:
    """``DELETE /api/repos/delete``"""
    call.store.delete_repo(_named(call))
    return answer({})


def move(call: Call) -> Response:
    """``POST /api/repos/move``"""
    kind = call.body.get("type") or "model"
    old, new = (repo_name(kind, *_split(call.text(key))) for key in ("fromRepo", "toRepo"))
    with call.store.change(old) as opened:
        repos.rename(opened.db, opened.repo, new)
    return answer({"url": f"{call.base}/{new.url_path}"})


def _split(repo_id: str) -> tuple[str, str]:
    namespace, _, name = repo_id.partition("/")
    return namespace, name


def settings(call: Call) -> Response:
    """``PUT /api/{type}s/{repo}/settings``; only who may see it is kept."""
    private = _private(call.body)
    with call.store.change(call.repo) as opened:
        if private is not None:
            repos.set_private(opened.db, opened.repo, private)
    return answer({"private": bool(private)})


def auth_check(call: Call) -> Response:
    """``GET /api/{type}s/{repo}/auth-check[/write]``"""
    with call.open():
        if call.rest == ["write"]:
            call.access.check_write(call.user)
    return answer({})


def show(call: Call) -> Response:
    """``GET /api/{type}s/{repo}[/revision/{revision}]``"""
    with call.open() as opened:
        commit = opened.commit(call.revision)
        facts = summary(opened.repo, commit) | {
            "siblings": _siblings(opened, commit, blobs=call.flag("blobs")),
            "cardData": _card(call, opened, commit),
        }
    return answer(facts, headers={"X-Repo-Commit": commit.oid})


def list_repos(call: Call) -> Response:
    """``GET /api/{type}s``"""
    query = call.request.query_params
    kind = call.request.url.path.rstrip("/").rsplit("/", 1)[-1].removesuffix("s")
    author, search = query.get("author", "").lower(), query.get("search", "").lower()
    limit = call.page(1000, 1000)
    found: list[dict[str, Any]] = []
    with call.store.db.read() as db:
        for repo in repos.list_repos(db, kind):
            hidden = call.user is None and (repo.private or not call.access.anonymous_read)
            owner = repo.name.namespace.lower()
            if hidden or (author and owner != author) or search not in repo.name.id.lower():
                continue
            main = head(db, repo.key, DEFAULT_BRANCH)
            if main and len(found) < limit:
                found.append(summary(repo, get_commit(db, repo.key, main)))
    return answer(found)


def summary(repo: Repo, commit: Commit) -> dict[str, Any]:
    """What every listing says of a repo."""
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
        "tags": [],
    }
    if repo.name.type == "model":
        facts["modelId"] = repo.name.id
    if repo.name.type == "space":
        facts["sdk"] = repo.sdk
    return facts


def _siblings(opened: Opened, commit: Commit, *, blobs: bool) -> list[dict[str, Any]]:
    entries = [(path, entry.oid) for path, entry in walk(opened.db, commit.tree) if not entry.folder]
    if not blobs:
        return [{"rfilename": path} for path, _ in entries]
    contents = load_blobs(opened.db, [oid for _, oid in entries])
    siblings = []
    for path, oid in entries:
        blob = contents[oid]
        fact: dict[str, Any] = {"rfilename": path, "blobId": oid, "size": blob.size}
        siblings.append(fact | {"lfs": lfs_facts(blob)} if blob.lfs else fact)
    return siblings


def _card(call: Call, opened: Opened, commit: Commit) -> dict[str, Any] | None:
    entry = find(opened.db, commit.tree, ("README.md",))
    if entry is None or entry.folder:
        return None
    blob = load_blobs(opened.db, [entry.oid])[entry.oid]
    if blob.size > MAX_CARD:
        return None
    try:
        return front_matter(call.store.files.read(blob.sha256).decode("utf-8", "replace")) or None
    except (CardError, StorageError):  # a bad README must not hide its repo
        return None


ROUTES: Table = {
    ("POST", "/api/repos/create"): Route(create, write=True, body="json"),
    ("DELETE", "/api/repos/delete"): Route(delete, write=True, body="json"),
    ("POST", "/api/repos/move"): Route(move, write=True, body="json"),
    ("GET", "/api/models"): Route(list_repos),
    ("GET", "/api/datasets"): Route(list_repos),
    ("GET", "/api/spaces"): Route(list_repos),
    ("GET", "api:"): Route(show),
    ("GET", "api:revision"): Route(show),
    ("PUT", "api:settings"): Route(settings, write=True, body="json"),
    ("GET", "api:auth-check"): Route(auth_check),
}
