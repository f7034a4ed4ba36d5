"""Listings of repos: all of a type, with filters, and the caller's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from localhub import repos
from localhub.commits import Commit, get_commit
from localhub.errors import HubError, bad_request
from localhub.names import DEFAULT_BRANCH
from localhub.refs import head
from localhub.repo_card import tags_of
from localhub.repos import Repo
from localhub.routes.repos import EXPAND, card_of, siblings, summary
from localhub.routing import Call, Route, Table, answer
from localhub.store import Opened
from localhub.trees import load_blobs, walk

_PAGE = 1000
#: Keys by which a listing may be sorted. Likes and downloads are not counted: by these, all repos are equal.
_SORTS = {"lastModified", "createdAt", "likes", "downloads", "trendingScore"}


def list_repos(call: Call) -> Response:
    """Handle ``GET /api/{type}s``: repos, newest first; the header ``Link`` leads to the next page."""
    query = call.request.query_params
    kind = call.request.url.path.rstrip("/").rsplit("/", 1)[-1].removesuffix("s")
    start, limit = call.cursor(), call.page(_PAGE, _PAGE)
    sort = query.get("sort", "createdAt")
    wanted = {*query.getlist("expand"), *query.getlist("expand[]")}
    if sort not in _SORTS:
        raise bad_request(f"sort is one of {', '.join(sorted(_SORTS))}")
    if query.get("direction", "-1") != "-1":
        raise bad_request("A listing is sorted downwards: direction is -1")
    with call.store.db.read() as db:
        found: Iterable[tuple[Repo, Commit, dict[str, Any] | None]] = _matching(call, db, kind)
        if sort == "lastModified":
            found = sorted(found, key=lambda item: -item[1].created)
        page = list(islice(found, start, start + limit + 1))
        facts = []
        for repo, commit, card in page[:limit]:
            fact = summary(repo, commit, card)
            if call.flag("full") or "siblings" in wanted:
                fact["siblings"] = siblings(Opened(db, repo), commit, blobs=False)
            if call.flag("full") or call.flag("cardData") or "cardData" in wanted:
                fact["cardData"] = card
            facts.append(fact)
    return answer(facts, headers=_following(call, len(page) > limit, start + limit))


def _matching(
    call: Call, db: sqlite3.Connection, kind: str
) -> Iterator[tuple[Repo, Commit, dict[str, Any] | None]]:
    query = call.request.query_params
    author, filters = query.get("author", "").lower(), set(query.getlist("filter"))
    words = [word.lower() for word in query.getlist("search")]
    if "pipeline_tag" in query:
        filters.add(query["pipeline_tag"])
    if call.flag("gated"):  # no repo is
        return
    for repo in repos.list_repos(db, kind):
        hidden = call.user is None and (repo.private or not call.access.anonymous_read)
        if hidden or (author and repo.name.namespace.lower() != author):
            continue
        main = head(db, repo.key, DEFAULT_BRANCH)
        if main is None or not all(word in repo.name.id.lower() for word in words):
            continue
        commit = get_commit(db, repo.key, main)
        card = card_of(call.store, db, commit)
        if filters <= set(tags_of(kind, card)):
            yield repo, commit, card


def list_own(call: Call) -> Response:
    """Handle ``GET /api/settings/repositories``: the caller's repos of every type, with their sizes."""
    if call.user is None:
        raise HubError(401, "Invalid username or password.")
    return _owned(call, call.user.name)


def list_owned(call: Call) -> Response:
    """Handle ``GET /api/organizations/{name}/settings/repositories``: the same for another owner."""
    call.access.check_write(call.user)
    return _owned(call, call.rest[0])


def _owned(call: Call, owner: str) -> Response:
    start, facts = call.cursor(), []
    with call.store.db.read() as db:
        own = [
            repo
            for kind in ("model", "dataset", "space")
            for repo in repos.list_repos(db, kind)
            if repo.name.namespace.lower() == owner.lower()
        ]
        for repo in own[start : start + _PAGE]:
            main = head(db, repo.key, DEFAULT_BRANCH)
            if main is None:
                continue
            fact = summary(repo, get_commit(db, repo.key, main), None)
            facts.append(
                {
                    "id": repo.name.id,
                    "type": repo.name.type,
                    "updatedAt": fact["lastModified"],
                    "visibility": "private" if repo.private else "public",
                    "storage": _size(db, get_commit(db, repo.key, main)),
                    "storagePercent": 0,
                }
            )
    return answer(facts, headers=_following(call, len(own) > start + _PAGE, start + _PAGE))


def _size(db: sqlite3.Connection, commit: Commit) -> int:
    oids = [entry.oid for _, entry in walk(db, commit.tree) if not entry.folder]
    blobs = load_blobs(db, oids)
    return sum(blobs[oid].size for oid in oids)


def _following(call: Call, more: bool, start: int) -> dict[str, str]:
    if not more:
        return {}
    asked = [(key, value) for key, value in call.request.query_params.multi_items() if key != "cursor"]
    path = call.request.url.path.removeprefix(call.request.scope.get("root_path", ""))
    return {"Link": f'<{call.base}{path}?{urlencode([*asked, ("cursor", str(start))])}>; rel="next"'}


_LISTING = Route(
    list_repos,
    query=("author", "search", "filter", "gated", "sort", "direction", "limit", "cursor", "full", "cardData"),
    expand=EXPAND,
)

ROUTES: Table = {
    ("GET", "/api/models"): Route(_LISTING.handle, query=(*_LISTING.query, "pipeline_tag"), expand=EXPAND),
    ("GET", "/api/datasets"): _LISTING,
    ("GET", "/api/spaces"): _LISTING,
    ("GET", "/api/settings/repositories"): Route(list_own, query=("cursor",)),
    ("GET", "org:repositories"): Route(list_owned, query=("cursor",)),
}
