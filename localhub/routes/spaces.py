"""Settings of a Space: secrets, variables, hardware, volumes.

The embedded Hub runs no Space. It keeps what was set, so that deploying can be tried here;
of a secret only its name, since nothing here could use it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from typing import Any

from starlette.responses import Response

from localhub.errors import bad_request
from localhub.repos import Repo
from localhub.routing import Call, Route, Table, answer

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_LONGEST = 65_536
_MOST = 500
_EMPTY: dict[str, Any] = {
    "secrets": {},
    "variables": {},
    "hardware": "cpu-basic",
    "sleep": None,
    "volumes": [],
}


def _load(db: sqlite3.Connection, repo: Repo) -> dict[str, Any]:
    if repo.name.type != "space":
        raise bad_request("Only a Space has these settings")
    # Numbers of repos are never used again, so what stays behind belongs to no repo.
    row = db.execute("SELECT value FROM meta WHERE key = ?", (f"space:{repo.key}",)).fetchone()
    return {**_EMPTY, **(json.loads(row[0]) if row else {})}


def _save(db: sqlite3.Connection, repo: Repo, facts: dict[str, Any]) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"space:{repo.key}", json.dumps(facts)))


def _show(call: Call, kind: str) -> Response:
    with call.open() as opened:
        return answer(_load(opened.db, opened.repo)[kind])


def _set(call: Call, kind: str) -> Response:
    key, value = call.text("key"), call.text("value")
    about = call.text("description", "")
    if not _KEY.fullmatch(key):
        raise bad_request("A key is made of letters, digits and underscores, and does not begin with a digit")
    if len(value) > _LONGEST or len(about) > _LONGEST:
        raise bad_request(f"A value has at most {_LONGEST} characters")
    entry = {"description": about, "updatedAt": _now()}
    if kind == "variables":
        entry["value"] = value
    with call.store.change(call.repo) as opened:
        facts = _load(opened.db, opened.repo)
        if len(facts[kind]) >= _MOST and key not in facts[kind]:
            raise bad_request(f"A Space has at most {_MOST} {kind}")
        # A name stands for one or the other, as on huggingface.co.
        if key in facts["variables" if kind == "secrets" else "secrets"]:
            raise bad_request(f"{key} is there already, as a {'variable' if kind == 'secrets' else 'secret'}")
        facts[kind] = {**facts[kind], key: entry}
        _save(opened.db, opened.repo, facts)
    return answer(facts[kind])


def _drop(call: Call, kind: str) -> Response:
    key = call.text("key")
    with call.store.change(call.repo) as opened:
        facts = _load(opened.db, opened.repo)
        facts[kind] = {name: entry for name, entry in facts[kind].items() if name != key}
        _save(opened.db, opened.repo, facts)
    return answer(facts[kind])


def hardware(call: Call) -> Response:
    """``POST /api/spaces/{repo}/hardware``"""
    flavor = call.text("flavor")
    if not re.fullmatch(r"[a-z0-9-]{1,40}", flavor):
        raise bad_request("This is no name of a hardware")
    sleep = call.body.get("sleepTimeSeconds")
    if sleep is not None and (not isinstance(sleep, int) or isinstance(sleep, bool)):
        raise bad_request("sleepTimeSeconds must be a whole number")
    return _change(call, {"hardware": flavor, "sleep": sleep})


def volumes(call: Call) -> Response:
    """``PUT /api/spaces/{repo}/volumes``"""
    found = call.items("volumes")
    if len(found) > 20 or not all(isinstance(one, dict) for one in found):
        raise bad_request("volumes must be a short list of objects")
    return _change(call, {"volumes": found})


def runtime(call: Call) -> Response:
    """``GET /api/spaces/{repo}/runtime``"""
    with call.open() as opened:
        return answer(_runtime(_load(opened.db, opened.repo)))


def _change(call: Call, new: dict[str, Any]) -> Response:
    with call.store.change(call.repo) as opened:
        facts = {**_load(opened.db, opened.repo), **new}
        _save(opened.db, opened.repo, facts)
    return answer(_runtime(facts))


def _runtime(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        "stage": "STOPPED",
        "hardware": {"current": None, "requested": facts["hardware"]},
        "storage": None,
        "gcTimeout": facts["sleep"],
        "volumes": facts["volumes"],
    }


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


ROUTES: Table = {
    ("GET", "api:secrets"): Route(lambda call: _show(call, "secrets")),
    ("POST", "api:secrets"): Route(lambda call: _set(call, "secrets"), write=True, body="json"),
    ("DELETE", "api:secrets"): Route(lambda call: _drop(call, "secrets"), write=True, body="json"),
    ("GET", "api:variables"): Route(lambda call: _show(call, "variables")),
    ("POST", "api:variables"): Route(lambda call: _set(call, "variables"), write=True, body="json"),
    ("DELETE", "api:variables"): Route(lambda call: _drop(call, "variables"), write=True, body="json"),
    ("POST", "api:hardware"): Route(hardware, write=True, body="json"),
    ("PUT", "api:volumes"): Route(volumes, write=True, body="json"),
    ("GET", "api:runtime"): Route(runtime),
}
