"""A nursery of processes that can be killed, and what they do. Run as a script.

It imports the package once and forks a child for each order, so that a child starts in
milliseconds. Orders are JSON lines on stdin, answers are lines on stdout::

    {"task": "save", "home": …, "out": …, …}  ->  the child's pid
    {"wait": pid}                             ->  its exit status (negative: the signal)

A child appends what it has to say to the file ``out`` with one unbuffered write a
line, so a line that is there was written before the child died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from smartbreed.feedback.flags import FlagRequest, open_feedback

Task = dict[str, Any]


class Home:
    """The settings the package needs, without pydantic."""

    salt = ""
    take_flags, client_flags, total_flags, quota = True, 0, 0, 0

    def __init__(self, home: str) -> None:
        self.home_dir = Path(home)
        self.resolved_database_url = f"sqlite:///{self.home_dir / 'smartbreed.db'}"


def say(order: Task, line: str) -> None:
    descriptor = os.open(order["out"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    REAL_WRITE(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def request(number: int, flagger: str) -> FlagRequest:
    """A flag whose photo is decided by its number."""
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return FlagRequest(
        pixels=pixels.repeat(8, axis=0).repeat(8, axis=1),
        verdict="wrong",
        label="siamese",
        model_revision="test",
        consent=True,
        flagger_token=flagger,
        box=(1, 2, 30, 31),
    )


def save(order: Task) -> None:
    """Open the service and save flags ``first`` … ``first + count - 1``, saying each receipt."""
    service = open_feedback(Home(order["home"]))  # type: ignore[arg-type]
    for number in range(order["first"], order["first"] + order["count"]):
        receipt = service.save(request(number, order["flagger"]))
        say(order, json.dumps([number, receipt.flag_id, receipt.sample_id, receipt.created]))


def erase(order: Task) -> None:
    """Erase a flag."""
    open_feedback(Home(order["home"])).erase(order["flag_id"])  # type: ignore[arg-type]
    say(order, "erased")


TASKS: dict[str, Callable[[Task], None]] = {"save": save, "erase": erase}
REAL_WRITE = os.write


def arm(kill_at: int) -> None:
    """Kill this process at the n-th step: before and after each call that changes the disk.

    Steps are the calls below, every SQL statement (the driver tells before it runs),
    and both sides of the commit.
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

    @sa.event.listens_for(sa.Engine, "connect")
    def trace(connection: Any, _: object) -> None:
        connection.set_trace_callback(step)


def live(order: Task) -> None:
    """What a child does from its birth; never returns."""
    try:
        if order.get("kill_at"):
            arm(order["kill_at"])
        TASKS[order["task"]](order)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def warm_up() -> None:
    """Save a flag once, so that no child spends its life on lazy imports and first-time caches."""
    with tempfile.TemporaryDirectory() as home:
        service = open_feedback(Home(home))  # type: ignore[arg-type]
        service.save(request(0, "someone"))
        service.close()


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
