"""Settings of a Space: secrets, variables, hardware, volumes.

The embedded Hub runs no Spaces. It only stores the settings, so that a deployment can be tried
here; of a secret it only stores the name, because nothing here could use the value.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from localhub.errors import bad_request
from localhub.repos import Repo, space_key
from localhub.routing import Call, Route, Table, answer
from localhub.store import Opened

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_LONGEST = 65_536
_MOST = 500
#: Keys of the settings that may come with a new Space.
KEYS = ("hardware", "sleepTimeSeconds", "secrets", "variables", "volumes")
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
    row = db.execute("SELECT value FROM meta WHERE key = ?", (space_key(repo),)).fetchone()
    return {**_EMPTY, **(json.loads(row[0]) if row else {})}


def _save(db: sqlite3.Connection, repo: Repo, facts: dict[str, Any]) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (space_key(repo), json.dumps(facts)))


def _show(call: Call, kind: str) -> Response:
    with call.open() as opened:
        return answer(_load(opened.db, opened.repo)[kind])


def _entry(kind: str, item: Any) -> tuple[str, dict[str, Any]]:
    """Return the name of a secret or variable, and the entry that is stored for it.

    Raises:
        HubError: 400.
    """
    if not isinstance(item, dict):
        raise bad_request(f"{kind} must be objects with key and value")
    key, value, about = item.get("key"), item.get("value"), item.get("description") or ""
    if not (isinstance(key, str) and isinstance(value, str) and isinstance(about, str)):
        raise bad_request("key, value and description must be texts")
    if not _KEY.fullmatch(key):
        raise bad_request("A key is made of letters, digits and underscores, and does not begin with a digit")
    if len(value) > _LONGEST or len(about) > _LONGEST:
        raise bad_request(f"A value has at most {_LONGEST} characters")
    entry = {"description": about, "updatedAt": _now()}
    return key, entry | {"value": value} if kind == "variables" else entry


def _with(facts: dict[str, Any], kind: str, key: str, entry: dict[str, Any]) -> dict[str, Any]:
    if len(facts[kind]) >= _MOST and key not in facts[kind]:
        raise bad_request(f"A Space has at most {_MOST} {kind}")
    # A name is either a secret or a variable, as on huggingface.co.
    if key in facts["variables" if kind == "secrets" else "secrets"]:
        raise bad_request(f"{key} is there already, as a {'variable' if kind == 'secrets' else 'secret'}")
    return {**facts, kind: {**facts[kind], key: entry}}


def _set(call: Call, kind: str) -> Response:
    key, entry = _entry(kind, call.body)
    with call.store.change(call.repo) as opened:
        facts = _with(_load(opened.db, opened.repo), kind, key, entry)
        _save(opened.db, opened.repo, facts)
    return answer(facts[kind])


def given(call: Call, inherited: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings that come with a new Space.

    Args:
        inherited: variables of the Space that it is a copy of.

    Raises:
        HubError: 400.
    """
    facts = {**_EMPTY, "variables": inherited or {}}
    if call.body.get("hardware") is not None:
        facts["hardware"] = _flavor(call.text("hardware"))
    facts["sleep"] = _sleep(call)
    if call.body.get("volumes") is not None:
        facts["volumes"] = _volumes(call)
    for kind in ("secrets", "variables"):
        for item in call.items(kind) if call.body.get(kind) is not None else []:
            facts = _with(facts, kind, *_entry(kind, item))
    return facts


def variables_of(db: sqlite3.Connection, repo: Repo) -> dict[str, Any]:
    """Return the variables of a Space, which a copy inherits."""
    return dict(_load(db, repo)["variables"])


def keeper(facts: dict[str, Any]) -> Callable[[Opened], None]:
    """Return what stores the settings of a new Space, for the transaction that creates it."""
    return lambda opened: _save(opened.db, opened.repo, facts)


def _drop(call: Call, kind: str) -> Response:
    key = call.text("key")
    with call.store.change(call.repo) as opened:
        facts = _load(opened.db, opened.repo)
        facts[kind] = {name: entry for name, entry in facts[kind].items() if name != key}
        _save(opened.db, opened.repo, facts)
    return answer(facts[kind])


def hardware(call: Call) -> Response:
    """Handle ``POST /api/spaces/{repo}/hardware``."""
    return _change(call, {"hardware": _flavor(call.text("flavor")), "sleep": _sleep(call)})


def _flavor(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise bad_request("This is no name of a hardware")
    return name


def _sleep(call: Call) -> int | None:
    sleep = call.body.get("sleepTimeSeconds")
    if sleep is not None and (not isinstance(sleep, int) or isinstance(sleep, bool)):
        raise bad_request("sleepTimeSeconds must be a whole number")
    return sleep


def volumes(call: Call) -> Response:
    """Handle ``PUT /api/spaces/{repo}/volumes``."""
    return _change(call, {"volumes": _volumes(call)})


def _volumes(call: Call) -> list[Any]:
    found = call.items("volumes")
    if len(found) > 20 or not all(isinstance(one, dict) for one in found):
        raise bad_request("volumes must be a short list of objects")
    return found


def runtime(call: Call) -> Response:
    """Handle ``GET /api/spaces/{repo}/runtime``."""
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
    ("POST", "api:secrets"): Route(
        lambda call: _set(call, "secrets"), write=True, body="json", keys=("key", "value", "description")
    ),
    ("DELETE", "api:secrets"): Route(
        lambda call: _drop(call, "secrets"), write=True, body="json", keys=("key",)
    ),
    ("GET", "api:variables"): Route(lambda call: _show(call, "variables")),
    ("POST", "api:variables"): Route(
        lambda call: _set(call, "variables"), write=True, body="json", keys=("key", "value", "description")
    ),
    ("DELETE", "api:variables"): Route(
        lambda call: _drop(call, "variables"), write=True, body="json", keys=("key",)
    ),
    ("POST", "api:hardware"): Route(hardware, write=True, body="json", keys=("flavor", "sleepTimeSeconds")),
    ("PUT", "api:volumes"): Route(volumes, write=True, body="json", keys=("volumes",)),
    ("GET", "api:runtime"): Route(runtime),
}
