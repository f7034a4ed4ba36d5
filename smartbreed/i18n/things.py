"""What a page says where the model tells apart something else than cats and dogs.

Pages are written for pets. A bundle whose labels have no species is of other things, flowers or cups; then
each sentence of ``things.yaml`` is said by its twin. Twins stand in the catalogues like all other sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import yaml

_PAIRS = yaml.safe_load(Path(__file__).with_name("things.yaml").read_text(encoding="utf-8"))
#: What is said of pets, and what of things; both with the same placeholders.
TWINS: dict[str, str] = {pair["pets"]: pair["things"] for pair in _PAIRS if isinstance(pair["pets"], str)}
#: The same of sentences with a number.
PLURAL_TWINS: dict[tuple[str, str], tuple[str, str]] = {
    (pair["pets"][0], pair["pets"][1]): (pair["things"][0], pair["things"][1])
    for pair in _PAIRS
    if isinstance(pair["pets"], list)
}
#: Those that scripts say.
SCRIPT_TWINS = {pair["pets"]: pair["things"] for pair in _PAIRS if pair.get("script")}

_things: ContextVar[bool] = ContextVar("things", default=False)
_SOURCES: list[Callable[[], bool | None]] = []


def of_things() -> bool:
    """Whether the page that is being made is of a model of other things than pets."""
    return next((known for source in _SOURCES if (known := source()) is not None), _things.get())


def ask_first_of(source: Callable[[], bool | None]) -> None:
    """Ask ``source`` before the context; it answers None where it does not know."""
    if source not in _SOURCES:
        _SOURCES.append(source)


@contextmanager
def about_things(yes: bool) -> Iterator[None]:
    """Within it, pages are made for a model of other things than pets, or for one of pets."""
    token = _things.set(yes)
    try:
        yield
    finally:
        _things.reset(token)


def fitting(sentence: str) -> str:
    """The sentence, or its twin where the page is of things."""
    return TWINS.get(sentence, sentence) if of_things() else sentence


def fitting_number(one: str, many: str) -> tuple[str, str]:
    """The same of a sentence with a number."""
    return PLURAL_TWINS.get((one, many), (one, many)) if of_things() else (one, many)
