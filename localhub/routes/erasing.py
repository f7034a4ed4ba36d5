"""List the large files of a whole history, and erase them, for ``HfApi.permanently_delete_lfs_files``."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from localhub.commits import get_commit, history
from localhub.erasure import erase_content
from localhub.errors import bad_request, not_served
from localhub.names import is_sha256
from localhub.refs import list_refs
from localhub.routes.repos import iso
from localhub.routing import Call, Route, Table, answer
from localhub.trees import changed, find, load_blobs


def list_lfs(call: Call) -> Response:
    """Handle ``GET …/lfs-files``: each large file that a branch or tag leads to, with its latest path."""
    facts: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    with call.open() as opened:
        db, key = opened.db, opened.repo.key
        for ref in list_refs(db, key):
            for commit in history(db, key, ref.commit):
                if commit.oid in seen:
                    break
                seen.add(commit.oid)
                parent = get_commit(db, key, commit.parent).tree if commit.parent else None
                for path in changed(db, commit.tree, parent):
                    entry = find(db, commit.tree, tuple(path.split("/")))
                    if entry is None or entry.folder:
                        continue
                    blob = load_blobs(db, [entry.oid])[entry.oid]
                    if blob.lfs and blob.sha256 not in facts:
                        facts[blob.sha256] = {
                            "fileOid": blob.sha256,
                            "oid": blob.sha256,
                            "filename": path,
                            "pushedAt": iso(commit.created),
                            "ref": ref.full,
                            "size": blob.size,
                        }
    return answer(list(facts.values()))


def erase_lfs(call: Call) -> Response:
    """Handle ``POST …/lfs-files/batch``."""
    wanted = call.body.get("deletions")
    if not isinstance(wanted, dict) or not isinstance(wanted.get("sha"), list):
        raise bad_request("deletions must have a list sha")
    names = wanted["sha"]
    if len(names) > 1000 or not all(is_sha256(name) for name in names):
        raise bad_request("sha must be at most 1000 hashes of large files")
    for key in wanted.keys() - {"sha", "rewriteHistory"}:
        raise not_served(key)
    if wanted.get("rewriteHistory") is not True:
        raise bad_request("Files are only erased together with the history that names them")
    for name in names:
        erase_content(call.store, call.repo, name)
    return answer({})


def lfs_files(call: Call) -> Response:
    """Handle ``POST …/lfs-files/…``: only ``batch`` is supported."""
    if call.rest != ["batch"]:
        raise bad_request("The embedded Hub cannot do this with large files")
    return erase_lfs(call)


ROUTES: Table = {
    ("GET", "api:lfs-files"): Route(list_lfs),
    ("POST", "api:lfs-files"): Route(lfs_files, write=True, body="json", keys=("deletions",)),
}
