"""The current actor: an interface sets it once, and everything it calls in the same context can read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who performs an action.

    Attributes:
        kind: one of `smartbreed.admin.tables.ACTORS`.
        member: id of the account; empty if it is no account.
    """

    kind: str = "app"
    member: str = ""


_ACTOR: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 - frozen


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Attribute everything that is noted inside the block to this actor."""
    before = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(before)


def acts() -> Actor:
    """Return the current actor."""
    return _ACTOR.get()
