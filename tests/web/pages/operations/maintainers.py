"""Signing in and out with the maintainers' password."""

from __future__ import annotations

import time

from net import Operation, Walk
from net_stage import PASSWORD

from operations.common import COMMON, ITEM


def sign_in(walk: Walk, password: str) -> None:
    walk.page.fill("#sb-password", password)
    walk.page.locator(".sb-sign-in button").click()


def wrong_password(walk: Walk) -> None:
    sign_in(walk, "not the password")
    walk.page.locator(".sb-sign-in .sb-problem:visible").wait_for()
    walk.stage.wrong_at = time.monotonic()


def right_password(walk: Walk) -> None:
    # A wrong one makes the next try wait.
    walk.page.wait_for_timeout(max(0.0, 1200 - 1000 * (time.monotonic() - walk.stage.wrong_at)))
    sign_in(walk, PASSWORD)
    walk.page.locator(".sb-sign-in").wait_for(state="hidden")


VISITOR = {
    **COMMON,
    "sb-password: password": Operation(wrong_password, refused=True, blocked=True),
}


def leave(walk: Walk) -> None:
    walk.page.locator(".sb-sign-out:visible").click()
    walk.page.locator(".sb-sign-in").wait_for()
    right_password(walk)
    walk.page.locator(ITEM).wait_for()
