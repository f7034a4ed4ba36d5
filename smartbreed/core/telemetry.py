"""What the parts of the app say of their work, for those who listen: metrics and traces.

Nothing listens until the server starts, so that a command imports neither `prometheus_client` nor
OpenTelemetry; a stage then costs two looks at the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, get_args

Stage = Literal["decode", "detect", "classify", "explain", "explain_deeper", "total"]
#: ``decode``: bytes to pixels, with the wait for memory; ``detect``, ``explain``: of a photo, of a pet;
#: ``classify``: of one crop; ``explain_deeper``: in tensorflow's process; ``total``: bytes to answer.
STAGES: tuple[Stage, ...] = get_args(Stage)

#: Called with a stage and the seconds it took.
on_stage: list[Callable[[Stage, float], None]] = []
#: Called with the code of what a caller was answered instead of what they asked for.
on_error: list[Callable[[str], None]] = []
#: Opens a span of a trace around a stage; each in the list is entered.
spans: list[Callable[[str], AbstractContextManager[Any]]] = []


class stage:
    """``with stage("decode"): …`` says how long that took; what it raises passes."""

    __slots__ = ("_name", "_spans", "_started")

    def __init__(self, name: Stage) -> None:
        self._name: Stage = name

    def __enter__(self) -> None:
        self._spans = [make(self._name) for make in spans]
        for span in self._spans:
            span.__enter__()
        self._started = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._started
        for listener in on_stage:
            listener(self._name, seconds)
        for span in self._spans:
            span.__exit__(kind, error, trace)


def failed(code: str) -> None:
    """Say that a caller was answered with an error of this code."""
    for listener in on_error:
        listener(code)
