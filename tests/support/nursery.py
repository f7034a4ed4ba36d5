"""Processes that kill themselves at the n-th step, for tests of what SIGKILL leaves behind.

Run as a script it imports everything once and forks a child for each order, so that a child starts in
milliseconds. Orders are JSON lines on stdin, answers are lines on stdout::

    {"task": "save", "home": …, "kill_at": 17, …}  ->  the child's pid
    {"wait": pid}                                  ->  its exit status (negative: the signal)
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.core.salt import load_salt
from smartbreed.core.settings import Settings, load_settings
from smartbreed.dataset.decision_source import DecisionSource
from smartbreed.dataset.flag_source import FlagSource
from smartbreed.dataset.publisher import Publisher
from smartbreed.feedback.flags import open_feedback
from smartbreed.hub.connection import chosen_hub, connect
from smartbreed.review.decisions import accept
from smartbreed.review.service import ReviewService
from smartbreed.throttle.rate import Rate
from support.flags import flag_request
from support.on_postgres import move
from support.processes import ROOT, kill, start

Order = dict[str, Any]


class Nursery:
    """Starts, kills and buries the children."""

    def __init__(self, process: Any) -> None:
        self._process = process

    def _ask(self, order: Order) -> int:
        self._process.stdin.write(json.dumps(order, default=str) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, task: str, home: Path, **order: Any) -> int:
        """Begin a task, one of `TASKS`; the child's pid."""
        return self._ask({"task": task, "home": home, **order})

    def wait(self, pid: int) -> int:
        """Exit status; -9 when it was killed."""
        return self._ask({"wait": pid})

    def kill(self, pid: int) -> int:
        os.kill(pid, signal.SIGKILL)  # still ours: it is not reaped before `wait`
        return self.wait(pid)

    def run(self, task: str, home: Path, **order: Any) -> int:
        return self.wait(self.start(task, home, **order))


@contextmanager
def open_nursery() -> Iterator[Nursery]:
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    env = {**os.environ, "PYTHONPATH": path, "HF_HUB_DISABLE_TELEMETRY": "1"}
    process = start("-m", "support.nursery", env=env, stdin=subprocess.PIPE, stderr=None)
    try:
        yield Nursery(process)
    finally:
        kill(process)


def settings_of(order: Order) -> Settings:
    return load_settings(
        home=Path(order["home"]), hub=order.get("hub", "embedded"), database_url=order.get("database", ""),
        salt="", client_flags=0, total_flags=0,
    )  # fmt: skip


def say(order: Order, line: str) -> None:
    """Append a line to ``out`` with one unbuffered write: what is there was written before a death."""
    descriptor = os.open(order["out"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def save(order: Order) -> None:
    """Save flags ``first`` … ``first + count - 1``, saying each receipt."""
    service = open_feedback(settings_of(order))
    for number in range(order["first"], order["first"] + order["count"]):
        receipt = service.save(flag_request(number, flagger_token=order["flagger"]))
        say(order, json.dumps([number, receipt.flag_id, receipt.sample_id, receipt.created]))


def erase(order: Order) -> None:
    """Erase a flag."""
    open_feedback(settings_of(order)).erase(order["flag_id"])
    say(order, "erased")


def decide(order: Order) -> None:
    """Accept flags, all at once."""
    settings = settings_of(order)
    ReviewService(open_feedback(settings), settings).decide(order["ids"], accept(), "a" * 64)


def publish(order: Order) -> None:
    """Save flags, then publish what waits."""
    settings = settings_of(order)
    hub_settings = settings_of({**order, "home": order.get("hub_home", order["home"]), "database": ""})
    flags = open_feedback(settings)
    for number in order.get("save", []):
        flags.save(flag_request(number, flagger_token=order.get("flagger", "ann")))
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


def take(order: Order) -> None:
    """Ask a limit of ``most`` an hour ``times`` times, saying each time that it is allowed."""
    settings = settings_of(order)
    flags = open_feedback(settings)
    limit = Rate("games", order["most"], lambda: flags.sessions, lambda: load_salt(settings))
    for _ in range(order["times"]):
        if limit.take("ann"):
            say(order, "taken")


TASKS: dict[str, Callable[[Order], None]] = {
    "save": save,
    "erase": erase,
    "decide": decide,
    "publish": publish,
    "take": take,
}


def arm(kill_at: int, steps_file: str | None) -> None:
    """Kill this process at the n-th step; without one, count them into a file.

    Steps are both sides of each call that changes the disk, of each request to the Hub, of each
    commit of the database, and each SQL statement, before it runs; SQLite's driver tells of ``BEGIN`` and its
    like too.
    """
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
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(step)

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def execute(connection: sa.Connection, *_: object) -> None:
        if connection.dialect.name != "sqlite":
            step()

    if steps_file:
        real_exit = os._exit

        def leave(status: int) -> None:
            Path(steps_file).write_text(str(steps))
            real_exit(status)

        os._exit = leave  # type: ignore[assignment]


def live(order: Order) -> None:
    """What a child does from its birth; never returns."""
    try:
        if "kill_at" in order or "steps" in order:
            arm(order.get("kill_at", 0), order.get("steps"))
        TASKS[order["task"]](order)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def main() -> None:
    if os.environ.get("TEST_POSTGRES"):
        move()
    with tempfile.TemporaryDirectory() as home:
        publish({"home": home, "save": [0]})  # so that no child spends its life on lazy imports
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        elif (answer := os.fork()) == 0:
            live(order)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
