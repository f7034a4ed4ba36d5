"""Small pages for a browser, at the addresses that create and upload print: files, card, commits.

The content of a repo is untrusted: everything is escaped, and the pages may neither run nor load anything.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from localhub import repos
from localhub.commits import Commit, get_commit, history
from localhub.errors import no_entry
from localhub.names import DEFAULT_BRANCH, REPO_TYPES, wanted_path
from localhub.refs import head, list_refs, resolve
from localhub.repo_card import MAX_CARD
from localhub.routes.repos import iso
from localhub.routing import Call, Route, Table
from localhub.store import Opened
from localhub.trees import Entry, changed, find, load_blobs, load_tree

_COMMITS = 50
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{title}</title><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color-scheme:light dark}}
table{{width:100%;border-collapse:collapse}}td{{padding:.3rem .5rem;border-bottom:1px solid #8884}}
td+td{{text-align:right;white-space:nowrap}}pre{{white-space:pre-wrap;overflow-wrap:anywhere}}
nav a{{margin-right:1rem}}h1{{overflow-wrap:anywhere;font-size:1.4rem}}</style></head><body>
<h1>{title}</h1>{nav}{body}</body></html>"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def _page(title: str, nav: str, body: str) -> Response:
    return HTMLResponse(_PAGE.format(title=escape(title), nav=nav, body=body), headers=_HEADERS)


def _link(href: str, text: str) -> str:
    return f'<a href="{escape(href)}">{escape(text)}</a>'


def _table(rows: list[tuple[str, str]]) -> str:
    return (
        "<table>" + "".join(f"<tr><td>{left}</td><td>{right}</td></tr>" for left, right in rows) + "</table>"
    )


def _repo_page(call: Call, opened: Opened, revision: str, body: str) -> Response:
    root, at = f"{call.base}/{opened.repo.name.url_path}", quote(revision, safe="")
    links = [
        _link(f"{root}/tree/{at}", "Files"),
        _link(root, "Card"),
        _link(f"{root}/commits/{at}", "Commits"),
    ]
    names = [ref.name for ref in list_refs(opened.db, opened.repo.key)]
    also = [_link(f"{root}/tree/{quote(name, safe='')}", name) for name in names[:100]]
    nav = f"<nav>{' '.join(links)}</nav><p>{escape(revision[:100])}; branches and tags: {', '.join(also)}</p>"
    return _page(opened.repo.name.id, nav, body)


def index(call: Call) -> Response:
    """Handle ``GET /`` of a browser: the repos that the caller may see."""
    rows = []
    with call.store.db.read() as db:
        for kind in REPO_TYPES:
            for repo in repos.list_repos(db, kind):
                if call.user is None and (repo.private or not call.access.anonymous_read):
                    continue
                main = head(db, repo.key, DEFAULT_BRANCH)
                when = iso(get_commit(db, repo.key, main).created)[:10] if main else ""
                rows.append((_link(f"{call.base}/{repo.name.url_path}", repo.name.url_path), when))
    return _page("localhub", "", _table(rows) if rows else "<p>There is no repo yet.</p>")


def card(call: Call) -> Response:
    """Handle ``GET /[datasets/|spaces/]{repo}``: its files, and the text of its README."""
    with call.open() as opened:
        commit = opened.commit(DEFAULT_BRANCH)
        text = _text(call, opened, commit, "README.md")
        files = _files(call, opened, DEFAULT_BRANCH, "", Entry(commit.tree, True))
        return _repo_page(
            call, opened, DEFAULT_BRANCH, files + (f"<pre>{escape(text)}</pre>" if text else "")
        )


def tree(call: Call) -> Response:
    """Handle ``GET …/tree/{revision}[/{path}]``."""
    with call.open() as opened:
        commit = opened.commit(call.revision)
        entry = (
            find(opened.db, commit.tree, wanted_path(call.path)) if call.path else Entry(commit.tree, True)
        )
        if entry is None or not entry.folder:
            raise no_entry(ascii(call.path))
        body = f"<h2>{escape(call.path)}</h2>" + _files(call, opened, call.revision, call.path, entry)
        return _repo_page(call, opened, call.revision, body)


def blob(call: Call) -> Response:
    """Handle ``GET …/blob/{revision}/{path}``: a link to download the file, and its text if it is small."""
    with call.open() as opened:
        commit = opened.commit(call.revision)
        found = opened.blob(commit, call.path)
        root = f"{call.base}/{opened.repo.name.url_path}"
        raw = f"{root}/resolve/{quote(call.revision, safe='')}/{quote(call.path)}"
        text = "" if found.lfs else _text(call, opened, commit, call.path)
        body = f"<h2>{escape(call.path)}</h2><p>{_link(raw, 'Download')}, {found.size:,} bytes</p>"
        return _repo_page(call, opened, call.revision, body + (f"<pre>{escape(text)}</pre>" if text else ""))


def commits(call: Call) -> Response:
    """Handle ``GET …/commits/{revision}``: newest first."""
    with call.open() as opened:
        start = resolve(opened.db, opened.repo.key, call.revision)
        found = list(islice(history(opened.db, opened.repo.key, start), _COMMITS + 1))
        root = f"{call.base}/{opened.repo.name.url_path}"
        rows = [
            (_link(f"{root}/commit/{one.oid}", one.title), f"{escape(one.author)}, {iso(one.created)[:16]}")
            for one in found[:_COMMITS]
        ]
        older = _link(f"{root}/commits/{found[-1].oid}", "Older") if len(found) > _COMMITS else ""
        return _repo_page(call, opened, call.revision, _table(rows) + older)


def commit(call: Call) -> Response:
    """Handle ``GET …/commit/{id}``: its message, and the files that it added or changed."""
    with call.open() as opened:
        one = opened.commit(call.revision)
        before = get_commit(opened.db, opened.repo.key, one.parent).tree if one.parent else None
        root = f"{call.base}/{opened.repo.name.url_path}"
        paths = islice(changed(opened.db, one.tree, before), 1000)
        entries = [(path, find(opened.db, one.tree, tuple(path.split("/")))) for path in paths]
        rows = [
            (_link(f"{root}/blob/{one.oid}/{quote(path)}", path), "")
            for path, entry in entries
            if entry is not None and not entry.folder
        ]
        about = f"<h2>{escape(one.title)}</h2><pre>{escape(one.message)}</pre>"
        about += f"<p>{escape(one.author)}, {iso(one.created)[:16]}, {one.oid}</p>"
        return _repo_page(call, opened, one.oid, about + _table(rows))


def _files(call: Call, opened: Opened, revision: str, path: str, folder: Entry) -> str:
    root, at = f"{call.base}/{opened.repo.name.url_path}", quote(revision, safe="")
    entries = load_tree(opened.db, folder.oid)
    blobs = load_blobs(opened.db, [entry.oid for entry in entries.values() if not entry.folder])
    rows = []
    for name, entry in sorted(entries.items(), key=lambda item: (not item[1].folder, item[0])):
        kind, size = ("tree", "") if entry.folder else ("blob", f"{blobs[entry.oid].size:,}")
        there = quote(f"{path}/{name}" if path else name)
        rows.append((_link(f"{root}/{kind}/{at}/{there}", name + "/" * entry.folder), size))
    return _table(rows)


def _text(call: Call, opened: Opened, commit: Commit, path: str) -> str:
    """Return a file's text; empty if there is no such file, or if it is too large."""
    entry = find(opened.db, commit.tree, wanted_path(path))
    if entry is None or entry.folder:
        return ""
    found = load_blobs(opened.db, [entry.oid])[entry.oid]
    if found.size > MAX_CARD:
        return ""
    return call.store.files.read(found.sha256).decode("utf-8", "replace")


ROUTES: Table = {
    ("GET", "web:"): Route(card),
    ("GET", "web:tree"): Route(tree),
    ("GET", "web:blob"): Route(blob),
    ("GET", "web:commits"): Route(commits),
    ("GET", "web:commit"): Route(commit),
}
