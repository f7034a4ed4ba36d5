"""Pause Python's cyclic garbage collector while the app starts.

A start creates half a million objects that stay. Repeated collections of them took a quarter of its CPU time;
a single one at the end finds the same garbage. The surviving objects are then frozen: later collections,
which visitors have to wait for, skip them.
"""

from __future__ import annotations

import gc

_paused = False


def pause() -> None:
    """Disable cyclic collection until `resume`."""
    global _paused
    _paused = True
    gc.disable()


def resume() -> None:
    """Collect once, freeze the survivors and enable collection; does nothing without a prior `pause`."""
    global _paused
    if _paused:
        _paused = False
        gc.collect()
        gc.freeze()
        gc.enable()
