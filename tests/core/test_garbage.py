"""The garbage collector rests during the start, and works again as soon as the app serves."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartbreed.core import garbage
from smartbreed.core.settings import load_settings
from smartbreed.services import Services


class Node:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    garbage.resume()
    gc.unfreeze()
    gc.enable()


def test_it_rests_until_the_app_serves(tmp_path: Path) -> None:
    garbage.pause()
    assert not gc.isenabled()
    left = weakref.ref(Node())
    services = Services(load_settings(home=tmp_path, hub="embedded", watch=0))
    services.start()
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > 10_000, "what is there is not looked through again"
        assert left() is None, "but garbage of the start is gone"
        later = weakref.ref(Node())
        gc.collect()
        assert later() is None
    finally:
        services.stop()


def test_without_a_pause_nothing_changes() -> None:
    before = gc.get_freeze_count()
    garbage.resume()
    assert gc.get_freeze_count() == before
    gc.disable()
    garbage.resume()
    assert not gc.isenabled(), "it was not ours to switch on"
