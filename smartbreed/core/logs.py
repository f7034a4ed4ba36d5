"""Set up the log: lines of text, or one JSON object per line, each with the id of its request.

The log identifies no person: it contains no email or network address, no file name and no request path.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal

Format = Literal["text", "json"]

#: Id of the request that the current task or thread handles.
request_id: ContextVar[str] = ContextVar("request_id", default="")
#: Sources asked before `request_id`, since work that a request queues runs in another request's context.
request_ids: list[Callable[[], str]] = []
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Attribute of a record that holds additional fields for its JSON line.
FIELDS = "fields"


def valid_request_id(text: str) -> bool:
    """Return whether an id that a client sent may be written to the log."""
    return bool(_ID.fullmatch(text))


def current_request_id() -> str:
    """Return the id of the request that the current task or thread handles; empty if there is none."""
    return next(filter(None, (find() for find in request_ids)), "") or request_id.get()


def set_up(form: Format, level: str) -> None:
    """Log to stderr: libraries from WARNING on, SmartBreed from ``level`` on.

    Libraries log addresses and arguments at INFO, which may identify people.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("smartbreed").setLevel(level)
    logging.captureWarnings(form == "json")


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        found = current_request_id()
        return super().formatMessage(record) + (f" [{found}]" if found else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if found := current_request_id():
            line["request_id"] = found
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
