"""A nursery of publishing processes that kill themselves at the n-th step. Run as a script.

It imports everything once and forks a child for each order, so that a child starts in
milliseconds. Orders are JSON lines on stdin, answers are lines on stdout::

    {"home": …, "kill_at": 17, …}  ->  the child's pid
    {"wait": pid}                  ->  its exit status (negative: the signal)

Steps are both sides of each call that changes the disk, of each request to the Hub, of each
commit of the database, and each SQL statement.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.orm import Session
from support.world import make_request

from smartbreed.core.settings import load_settings
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.dataset.publisher import Publisher
from smartbreed.feedback.flags import open_feedback
from smartbreed.hub.connection import chosen_hub, connect

Task = dict[str, Any]
COMMIT_REQUEST = "/commit/"


def publish(order: Task) -> None:
    """Save flags, then publish what waits."""
    settings = load_settings(
        home=Path(order["home"]), hub=order.get("hub", "embedded"), database_url=order.get("database", "")
    )
    hub_settings = load_settings(
        home=Path(order.get("hub_home", order["home"])), hub=order.get("hub", "embedded")
    )
    flags = open_feedback(settings)
    for number in order.get("save", []):
        flags.save(make_request(number, order.get("flagger", "ann")))
    skew = dt.timedelta(seconds=order.get("skew", 0))
    publisher = Publisher(
        flags.sessions,
        settings.home_dir / "shards",
        lambda: connect(hub_settings),
        hub=chosen_hub(hub_settings).name,
        repo=settings.dataset,
        sources=[FlagSource(flags.blobs), DecisionSource()],
        clock=lambda: dt.datetime.now(dt.UTC) + skew,
    )
    report = publisher.run(by_hand=True, patience_s=order.get("patience", 20))
    if out := order.get("out"):
        Path(out).write_text(json.dumps([report.published, report.problem]))
    if report.problem and not order.get("may_fail"):
        raise RuntimeError(report.problem)


def arm(kill_at: int, steps_file: str | None) -> None:
    """Kill this process at the n-th step; without one, count them into a file."""
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step()
            result = real(*args, **kwargs)
            step()
            return result

        setattr(owner, name, wrapped)

    for name in ("fdopen", "fsync", "replace", "link", "unlink", "mkdir"):
        wrap(os, name)
    wrap(Session, "commit")
    wrap(httpx2.Client, "send")

    @sa.event.listens_for(sa.Engine, "connect")
    def trace(connection: Any, _: object) -> None:
        connection.set_trace_callback(step)

    if steps_file:
        real_exit = os._exit

        def leave(status: int) -> None:
            Path(steps_file).write_text(str(steps))
            real_exit(status)

        os._exit = leave  # type: ignore[assignment]


def live(order: Task) -> None:
    """What a child does from its birth; never returns."""
    try:
        if "kill_at" in order or "steps" in order:
            arm(order.get("kill_at", 0), order.get("steps"))
        publish(order)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def warm_up() -> None:
    """Publish once, so that no child spends its life on lazy imports and first-time caches."""
    with tempfile.TemporaryDirectory() as home:
        publish({"home": home, "save": [0]})


def main() -> None:
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif (answer := os.fork()) == 0:
            live(order)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
