"""``smartbreed flags publish`` and ``smartbreed flags status``: publish flags, and show how far that is."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ends_well, say, settings_with

if TYPE_CHECKING:
    from smartbreed.dataset.publisher import Publisher
    from smartbreed.dataset.status import PublishingStatus


def publish(
    as_json: JsonOption = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for another process that is publishing.")
    ] = 60.0,
) -> None:
    """Publish everything that is waiting now, even after an earlier error.

    Exit status: 0 if the dataset has everything, 1 if something is left.
    """
    with ends_well(), _opened() as publisher:
        terminal = sys.stderr.isatty()

        def progress(published: int, left: int) -> None:
            end = "" if terminal else "\n"
            print(f"{_begin(terminal)}published {published}, {left} to go", end=end, file=sys.stderr)

        report = publisher.run(by_hand=True, patience_s=wait, progress=progress)
        if terminal:
            print(_begin(True), end="", file=sys.stderr)
        status = publisher.status()
        if as_json:
            print(json.dumps({**asdict(report), "parked": status.parked, "target": publisher.target}))
        else:
            print(
                f"published {report.published}, removed {report.removed}, "
                f"still waiting {report.waiting + status.parked}; {publisher.target}"
            )
        if report.busy:
            say("another process is publishing from this disk; try again in a moment.")
        if report.problem:
            say(report.problem)
        for problem in status.problems:
            say(problem)
        if report.busy or report.problem or report.waiting or status.parked:
            raise typer.Exit(SOME_FAILED)


def status(as_json: JsonOption = False) -> None:
    """Show how far the flags are on their way into the dataset, and what blocks them."""
    with ends_well(), _opened() as publisher:
        found = publisher.status()
        if as_json:
            print(json.dumps(found.as_dict()))
        else:
            for name, value in _lines(found):
                print(f"{name:<16}{value}")


@contextmanager
def _opened() -> Iterator[Publisher]:
    from smartbreed.dataset.service import open_publisher
    from smartbreed.feedback.flags import open_feedback

    settings = settings_with()
    flags = open_feedback(settings)
    try:
        yield open_publisher(settings, flags)
    finally:
        flags.close()


def _lines(found: PublishingStatus) -> Iterator[tuple[str, object]]:
    yield "dataset", found.target
    yield "pending", found.pending
    yield "sealed", found.sealed
    yield "published", found.published
    yield "parked", found.parked
    yield "to be removed", found.to_remove
    yield "decisions", f"{found.decisions} waiting"
    yield "last success", _when(found.success_at)
    if found.problem:
        yield "last error", f"{_when(found.problem_at)}: {found.problem}"
        yield (
            "next attempt",
            ("after 'smartbreed flags publish'" if found.refused else _when(found.next_attempt_at)),
        )
    for problem in found.problems:
        yield "problem", problem
    for path, wrong in found.foreign.items():
        yield "not ours", f"{path}: {wrong}"


def _when(moment: dt.datetime | None) -> str:
    return moment.astimezone().isoformat(" ", "seconds") if moment else "never"


def _begin(terminal: bool) -> str:
    return "\r\x1b[2K" if terminal else ""
