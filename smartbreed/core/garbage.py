"""Python's cyclic garbage collector, which rests while the app starts.

A start makes half a million objects that stay. Looking through all of them again and again took a quarter of
its CPU time. One look at the end finds the same, and what is left is set aside for good: visitors do not wait
while it is looked through once more.
"""

from __future__ import annotations

import gc

_paused = False


def pause() -> None:
    """Collect no cycles until `resume`."""
    global _paused
    _paused = True
    gc.disable()


def resume() -> None:
    """Collect now, and later only what is made from now on; without a `pause` before, nothing changes."""
    global _paused
    if _paused:
        _paused = False
        gc.collect()
        gc.freeze()
        gc.enable()
