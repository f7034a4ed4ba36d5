"""What a repo contains: folders, details of single paths, history, branches and tags."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from localhub import commits, refs
from localhub.commits import Commit, history, last_commits
from localhub.errors import HubError, bad_request, no_entry, too_large
from localhub.names import wanted_path
from localhub.routes.repos import iso, lfs_facts
from localhub.routing import Call, Route, Table, answer
from localhub.store import Opened
from localhub.trees import Blob, Entry, find, load_blobs, walk

#: Most entries of a page, as on the public Hub: without and with the last commit of each.
PAGE, PAGE_EXPANDED = 1000, 100
_COMMITS_PAGE = 50
_MAX_PATHS = 1000


def tree(call: Call) -> Response:
    """Handle ``GET /api/{type}s/{repo}/tree/{revision}[/{path}]``."""
    expand = call.flag("expand")
    query = call.request.query_params
    size = call.page(PAGE_EXPANDED if expand else PAGE, PAGE_EXPANDED if expand else PAGE)
    start = call.cursor()
    with call.open() as opened:
        commit = opened.commit(call.revision)
        root = find(opened.db, commit.tree, wanted_path(call.path)) if call.path else Entry(commit.tree, True)
        if root is None or not root.folder:
            raise no_entry(ascii(call.path))
        prefix = f"{call.path}/" if call.path else ""
        below = walk(opened.db, root.oid, prefix, recursive=call.flag("recursive"))
        found = list(islice(below, start, start + size + 1))
        facts = _facts(opened, commit, found[:size], expand=expand)
    headers = {"X-Repo-Commit": commit.oid}
    if len(found) > size:
        asked = {key: query[key] for key in ("recursive", "expand", "limit") if key in query}
        # The next page is of the same commit, even if the branch moves meanwhile.
        path = "/".join(["tree", commit.oid, *([quote(call.path, safe="")] if call.path else [])])
        headers["Link"] = _next(call, path, asked | {"cursor": str(start + size)})
    return answer(facts, headers=headers)


def paths_info(call: Call) -> Response:
    """Handle ``POST /api/{type}s/{repo}/paths-info/{revision}``; paths that do not exist are left out."""
    paths = call.body.get("paths", [])
    if isinstance(paths, str):
        paths = [paths]
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise bad_request("paths must be texts")
    if len(paths) > _MAX_PATHS:
        raise too_large(f"At most {_MAX_PATHS} paths at once")
    expand = call.body.get("expand")
    with call.open() as opened:
        commit = opened.commit(call.revision)
        wanted = dict.fromkeys(path.strip("/") for path in paths)
        found = [(path, entry) for path in wanted if (entry := _lookup(opened, commit, path)) is not None]
        facts = _facts(opened, commit, found, expand=expand in (True, ["true"], ["True"], ["1"]))
    return answer(facts, headers={"X-Repo-Commit": commit.oid})


def _lookup(opened: Opened, commit: Commit, path: str) -> Entry | None:
    try:
        return find(opened.db, commit.tree, wanted_path(path))
    except HubError:
        return None


def list_refs(call: Call) -> Response:
    """Handle ``GET /api/{type}s/{repo}/refs``; there are never conversions or pull requests."""
    with call.open() as opened:
        found = refs.list_refs(opened.db, opened.repo.key)
    facts: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    for ref in found:
        kind = "branches" if ref.kind == "branch" else "tags"
        facts[kind].append({"name": ref.name, "ref": ref.full, "targetCommit": ref.commit})
    return answer(facts)


def list_commits(call: Call) -> Response:
    """Handle ``GET /api/{type}s/{repo}/commits/{revision}``: newest first."""
    size = call.page(_COMMITS_PAGE, 1000)
    query = call.request.query_params
    formatted = "formatted" in query.getlist("expand[]") + query.getlist("expand")
    with call.open() as opened:
        start = refs.resolve(opened.db, opened.repo.key, call.revision)
        found = list(islice(history(opened.db, opened.repo.key, start), size + 1))
    facts = []
    for commit in found[:size]:
        fact: dict[str, Any] = {
            "id": commit.oid,
            "title": commit.title,
            "message": commit.message,
            "authors": [{"user": commit.author, "avatar": ""}],
            "date": iso(commit.created),
        }
        if formatted:
            fact["formatted"] = {"title": commit.title, "message": commit.message}
        facts.append(fact)
    headers = {}
    if len(found) > size:
        asked = {key: query[key] for key in ("limit", "expand", "expand[]") if key in query}
        headers["Link"] = _next(call, f"commits/{found[size].oid}", asked)
    return answer(facts, headers=headers)


def _next(call: Call, path: str, query: dict[str, str]) -> str:
    url = f"{call.base}/{call.repo.api_path}/{path}"
    return f'<{url}?{urlencode(query)}>; rel="next"' if query else f'<{url}>; rel="next"'


def _facts(
    opened: Opened, commit: Commit, found: list[tuple[str, Entry]], *, expand: bool
) -> list[dict[str, Any]]:
    blobs = load_blobs(opened.db, [entry.oid for _, entry in found if not entry.folder])
    last: dict[str, commits.Commit] = {}
    if expand:
        last = last_commits(opened.db, opened.repo.key, commit.oid, [path for path, _ in found])
    facts = []
    for path, entry in found:
        fact = _folder(path, entry) if entry.folder else _file(path, blobs[entry.oid])
        if path in last:
            latest = last[path]
            fact["lastCommit"] = {"id": latest.oid, "title": latest.title, "date": iso(latest.created)}
        facts.append(fact)
    return facts


def _folder(path: str, entry: Entry) -> dict[str, Any]:
    return {"type": "directory", "oid": entry.oid, "size": 0, "path": path}


def _file(path: str, blob: Blob) -> dict[str, Any]:
    fact: dict[str, Any] = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
    return fact | {"lfs": lfs_facts(blob)} if blob.lfs else fact


ROUTES: Table = {
    ("GET", "api:tree"): Route(tree, query=("recursive", "expand", "limit", "cursor")),
    ("POST", "api:paths-info"): Route(paths_info, body="form", keys=("paths", "expand")),
    ("GET", "api:refs"): Route(list_refs, query=("include_prs",)),
    ("GET", "api:commits"): Route(list_commits, query=("limit",), expand=frozenset({"formatted"})),
}
