"""SIGKILL between the rows of one order: all of it or nothing."""

from __future__ import annotations

import itertools

import sqlalchemy as sa
from support.flags import flag
from support.nursery import Nursery

from smartbreed.core.database import read
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService
from smartbreed.review.tables import Decision, Trust

MANY = 12


def test_no_half_order(nursery: Nursery, flags: FlagService, settings: Settings) -> None:
    ids = [flag(flags, n, f"person {n % 3}") for n in range(MANY)]
    for kill_at in itertools.count(1):
        status = nursery.run("decide", settings.home_dir, ids=ids, kill_at=kill_at)
        with read(flags.sessions) as session:
            decisions = session.scalar(sa.select(sa.func.count()).select_from(Decision))
            right = session.scalar(sa.select(sa.func.sum(Trust.right))) or 0
        if status == 0 or decisions:
            break
        assert (status, decisions, right) == (-9, 0, 0)
    assert kill_at > 10, "the injection has come loose"
    assert (decisions, right) == (MANY, MANY)
