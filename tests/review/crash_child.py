"""Decides many flags at once and is killed at every step of it. Run as a script: ``crash_child.py HOME N``.

For each step a child is forked, killed there, and a line is printed: whether it got to its end,
how many decisions there are then, and how many of the flaggers' records do not fit them.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from smartbreed.core.database import read
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagRequest, open_feedback
from smartbreed.review.decisions import accept
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Decision, Trust


def arm(kill_at: int) -> None:
    """Die at the n-th SQL statement, which includes the commit."""
    steps = itertools.count(1)

    def step(*_: object) -> None:
        if next(steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    @sa.event.listens_for(sa.Engine, "connect")
    def trace(connection: object, _: object) -> None:
        connection.set_trace_callback(step)  # type: ignore[attr-defined]


def main() -> None:
    settings = load_settings(home=Path(sys.argv[1]), salt="s", database_url="")
    flags = open_feedback(settings)
    ids = []
    for n in range(int(sys.argv[2])):
        pixels = np.random.default_rng(n).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        request = FlagRequest(
            pixels=pixels, verdict="wrong", label="siamese", model_revision="m", consent=True,
            flagger_token=f"person {n % 3}", box=(1, 1, 15, 15),
        )  # fmt: skip
        ids.append(flags.save(request).flag_id)
    flags.close()
    for kill_at in itertools.count(1):
        child = os.fork()
        if child == 0:
            arm(kill_at)
            ReviewService(open_feedback(settings), settings).decide(ids, accept(), "a" * 64)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        service = open_feedback(settings)
        with read(service.sessions) as session:
            decisions = session.scalar(sa.select(sa.func.count()).select_from(Decision))
            right = session.scalar(sa.select(sa.func.sum(Trust.right))) or 0
        print(status, decisions, right, flush=True)
        service.close()
        if status == 0 or decisions:
            return


if __name__ == "__main__":
    main()
