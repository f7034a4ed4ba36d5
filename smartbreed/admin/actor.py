"""Who acts: said once by an interface, and known to everything that it calls in the same thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """Who does something.

    Attributes:
        kind: one of `smartbreed.admin.tables.ACTORS`.
        member: id of the account.
    """

    kind: str = "app"
    member: str = ""


_ACTOR: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 - frozen


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """What is noted inside was done by this one."""
    before = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(before)


def acts() -> Actor:
    """Who acts here."""
    return _ACTOR.get()
