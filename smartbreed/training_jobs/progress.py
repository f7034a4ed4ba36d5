"""Parse the JSON lines that the trainer prints on stdout into the progress of a retraining.

The trainer is a separate program and may be newer than the app. A line that is not JSON is kept
only for the maintainer to see, and an unknown stage is shown under its own name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from smartbreed.breeds.catalogue import get_breed

#: The stages of a retraining in order, each with a title for people.
STAGES = MappingProxyType(
    {
        "read": "Read the accepted photos",
        "embed": "Look at every photo once",
        "fit": "Learn",
        "calibrate": "Check how sure it may be",
        "gate": "Compare with the current model",
        "export": "Pack the new version",
        "publish": "Publish it",
    }
)
#: Longest line that is parsed, in characters.
MAX_LINE = 65_536
_MAX_TEXT = 500
_MAX_STRAY = 5
_MAX_STAGES = 20


@dataclass(frozen=True)
class Step:
    """One stage of a retraining and its progress.

    Attributes:
        name: the trainer's name of the stage.
        title: what the stage does, for people.
        state: ``waiting``, ``active``, ``done`` or ``stopped``.
        share: share that is done, 0…1; None if unknown.
    """

    name: str
    title: str
    state: str
    share: float | None = None


@dataclass(frozen=True)
class Result:
    """The last line of a retraining that finished, whether or not it passed the gate.

    Attributes:
        passed: True if the new model passed the gate.
        published: True if it was published.
        version: the new version; empty if there is none.
        revision: its revision on the Hub; empty if there is none.
        learnt: ids of the breeds with new samples.
        learnt_names: their names.
        reasons: one sentence for each check of the gate, passed or not, and further remarks.
        report: path of the report folder.
        took: number of newly accepted samples that it learnt from or was evaluated on; None if an older
            trainer does not report it.
        outcome: ``published``, ``passed`` or ``refused``; ``nothing_new`` or ``too_few`` if no new model
            was made; empty from an older trainer.
        undecided: sentences about checks that could not be decided for lack of pictures.
    """

    passed: bool
    published: bool
    version: str = ""
    revision: str = ""
    learnt: tuple[str, ...] = ()
    learnt_names: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    report: str = ""
    took: int | None = None
    outcome: str = ""
    undecided: tuple[str, ...] = ()


@dataclass
class Progress:
    """The progress according to the lines so far.

    Attributes:
        message: the trainer's latest message.
        result: the result; None until a run that finishes prints it as its last line.
        error: the trainer's error message if it failed; else empty.
        stray: the last few lines that could not be parsed.
    """

    message: str = ""
    result: Result | None = None
    error: str = ""
    stray: list[str] = field(default_factory=list)
    _seen: dict[str, float | None] = field(default_factory=dict)
    _now: str = ""

    @property
    def stage(self) -> str:
        """The current stage, or the last one if the run has ended; empty before the first line."""
        return self._now

    def take(self, line: str) -> None:
        """Process one line. Never raises, whatever the line holds."""
        values = _object(line)
        stage = _text(values.get("stage")) if values else ""
        if values is None or not stage:
            if text := line.strip():
                self.stray = [*self.stray, text[:_MAX_TEXT]][-_MAX_STRAY:]
        elif stage == "result":
            self.result = _result(values)
        elif stage == "error":
            self.error = _text(values.get("message")) or "The trainer gave up and did not say why."
        else:
            name = stage[:40]
            if name not in self._seen and len(self._seen) >= _MAX_STAGES:
                return
            if self._now and self._now != name:
                self._seen[self._now] = 1.0
            self._now = name
            self._seen[name] = _share(values.get("done"), values.get("of"))
            self.message = _text(values.get("message"))

    def steps(self, ended: bool = False) -> list[Step]:
        """Return all stages in order; an unknown stage comes after the one that the trainer ran before it.

        Args:
            ended: True if the process has ended, so that no stage is active.
        """
        names = list(STAGES)
        for place, name in enumerate(self._seen):
            if name not in names:
                before = list(self._seen)[place - 1] if place else None
                names.insert(names.index(before) + 1 if before in names else len(names), name)
        return [Step(name, title_of(name), self._state(name, ended), self._seen.get(name)) for name in names]

    def _state(self, name: str, ended: bool) -> str:
        if name not in self._seen:
            return "waiting"
        if name != self._now:
            return "done"
        if self.result is not None:
            return "done"
        return "stopped" if ended else "active"


def fold(lines: Iterable[str]) -> Progress:
    """Return the progress after all lines of a run."""
    progress = Progress()
    for line in lines:
        progress.take(line)
    return progress


def title_of(stage: str) -> str:
    """Return the title of a stage; for an unknown stage, its own name."""
    return STAGES.get(stage) or stage.replace("_", " ").strip().capitalize() or "Something else"


def _object(line: str) -> dict[str, Any] | None:
    if len(line) > MAX_LINE:
        return None
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _text(value: object) -> str:
    return " ".join(value.split())[:_MAX_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else []
    return tuple(text for item in values[:200] if (text := _text(item)))


def _share(done: object, of: object) -> float | None:
    if not isinstance(done, (int, float)) or not isinstance(of, (int, float)):
        return None
    try:
        share = float(done) / float(of)
    except (OverflowError, ZeroDivisionError):
        return None
    return min(max(share, 0.0), 1.0) if math.isfinite(share) else None


def _result(values: dict[str, Any]) -> Result:
    learnt, names = _texts(values.get("learnt")), _texts(values.get("learnt_names"))
    if len(names) != len(learnt):  # an older trainer reports only ids
        names = tuple(get_breed(breed).name for breed in learnt)
    return Result(
        passed=values.get("passed") is True,
        published=values.get("published") is True,
        version=_text(values.get("version")),
        revision=_text(values.get("revision")),
        learnt=learnt,
        learnt_names=names,
        reasons=_texts(values.get("reasons")),
        report=_text(values.get("report")),
        took=took if isinstance(took := values.get("took"), int) and took >= 0 else None,
        outcome=_text(values.get("outcome")),
        undecided=_texts(values.get("undecided")),
    )
