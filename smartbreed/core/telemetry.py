"""Hooks for metrics and traces: stages of work report their duration, and errors their code.

No listener is registered until the server starts, so commands import neither `prometheus_client` nor
OpenTelemetry. Without listeners a stage costs two readings of the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Literal, get_args

Stage = Literal["decode", "detect", "classify", "explain", "explain_deeper", "total"]
#: ``decode``: bytes to pixels, including the wait for memory. ``detect``: one photo. ``classify``: one
#: crop. ``explain``: one pet. ``explain_deeper``: in TensorFlow's process. ``total``: bytes to answer.
STAGES: tuple[Stage, ...] = get_args(Stage)

#: Called with each finished stage and its duration in seconds.
on_stage: list[Callable[[Stage, float], None]] = []
#: Called with the code of each error that a caller receives.
on_error: list[Callable[[str], None]] = []
#: Factories of context managers, each of which opens a trace span around a stage; all are entered.
spans: list[Callable[[str], AbstractContextManager[Any]]] = []


class stage:
    """Context manager that times a stage: ``with stage("decode"): …``. Exceptions propagate."""

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
    """Report that a caller received an error with this code."""
    for listener in on_error:
        listener(code)
