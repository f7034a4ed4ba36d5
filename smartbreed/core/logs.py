"""The log of a process: lines of text, or one JSON object a line, each with the id of its request.

What is logged names no person: no address of mail or network, no name of a file, no path of a request.
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

#: Id of the request that this task or thread answers.
request_id: ContextVar[str] = ContextVar("request_id", default="")
#: Asked before `request_id`: work that a request has queued runs in the context of another.
request_ids: list[Callable[[], str]] = []
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Attribute of a record with what its line says besides the message.
FIELDS = "fields"


def valid_request_id(text: str) -> bool:
    """Whether an id that came with a request may stand in the log."""
    return bool(_ID.fullmatch(text))


def current_request_id() -> str:
    """Id of the request that this task or thread answers; empty: of none."""
    return next(filter(None, (find() for find in request_ids)), "") or request_id.get()


def set_up(form: Format, level: str) -> None:
    """Log to stderr, what libraries say from WARNING on and ours from ``level`` on.

    Libraries log addresses and arguments at INFO; only ours says what it means to say.
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
