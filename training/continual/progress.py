"""What a retraining says while it runs: JSON lines for programs, sentences for people."""

from __future__ import annotations

import json
import sys
from typing import Any


class ProgressReporter:
    """Speaks to whoever started the retraining.

    Args:
        as_json: one JSON object a line on stdout; else sentences on stderr and the result on stdout.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._last = ""

    def step(self, stage: str, message: str, done: float = 0, of: float = 1) -> None:
        """How far a stage is."""
        if self.as_json:
            self._line({"stage": stage, "done": round(done, 4), "of": of, "message": message})
        elif message != self._last:
            self._last = message
            print(f"{stage}: {message}", file=sys.stderr, flush=True)

    def result(self, values: dict[str, Any]) -> None:
        """The last line of a retraining that came to its end."""
        if self.as_json:
            self._line({"stage": "result", **values})
            return
        print(values["message"])
        for reason in values["reasons"]:
            print(f"- {reason}")
        for sentence in values["undecided"]:
            print(f"- not decided: {sentence}")
        print(f"report: {values['report']}")

    def error(self, message: str) -> None:
        """The last line of one that did not."""
        if self.as_json:
            self._line({"stage": "error", "message": message})
        else:
            print(f"retrain: {message}", file=sys.stderr, flush=True)

    def _line(self, values: dict[str, Any]) -> None:
        print(json.dumps(values, ensure_ascii=False), flush=True)
