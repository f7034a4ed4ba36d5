"""Wording of the pages for a model that recognises something other than cats and dogs.

Pages are written for pets. A bundle whose labels have no species covers other things, such as flowers or
cups; each sentence of ``things.yaml`` is then replaced by its twin. Twins are in the catalogues like all
other sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import yaml

_PAIRS = yaml.safe_load(Path(__file__).with_name("things.yaml").read_text(encoding="utf-8"))
#: Sentence about pets → its twin about things, with the same placeholders.
TWINS: dict[str, str] = {pair["pets"]: pair["things"] for pair in _PAIRS if isinstance(pair["pets"], str)}
#: The same for sentences with a singular and a plural.
PLURAL_TWINS: dict[tuple[str, str], tuple[str, str]] = {
    (pair["pets"][0], pair["pets"][1]): (pair["things"][0], pair["things"][1])
    for pair in _PAIRS
    if isinstance(pair["pets"], list)
}
#: The twins of sentences that page scripts use.
SCRIPT_TWINS = {pair["pets"]: pair["things"] for pair in _PAIRS if pair.get("script")}

_things: ContextVar[bool] = ContextVar("things", default=False)
_SOURCES: list[Callable[[], bool | None]] = []


def of_things() -> bool:
    """Return whether the page being rendered is for a model of things other than pets."""
    return next((known for source in _SOURCES if (known := source()) is not None), _things.get())


def ask_first_of(source: Callable[[], bool | None]) -> None:
    """Ask ``source`` before the context variable; it returns None if it does not know."""
    if source not in _SOURCES:
        _SOURCES.append(source)


@contextmanager
def about_things(yes: bool) -> Iterator[None]:
    """Inside the block, render pages for a model of other things (True) or of pets (False)."""
    token = _things.set(yes)
    try:
        yield
    finally:
        _things.reset(token)


def fitting(sentence: str) -> str:
    """Return the sentence, or its twin if the page is about things."""
    return TWINS.get(sentence, sentence) if of_things() else sentence


def fitting_number(one: str, many: str) -> tuple[str, str]:
    """Like `fitting`, for a sentence with a singular and a plural."""
    return PLURAL_TWINS.get((one, many), (one, many)) if of_things() else (one, many)
