"""The list of breeds: the filters in a URL's query, and the breeds that match them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import get_args

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.breeds.facts import CoatLength, Size
from smartbreed.i18n import gettext
from smartbreed.inference.breed_book import BreedBook, Entry

#: Maximum length of a search text, as in `smartbreed.breeds.catalogue`.
_LONGEST = 80


@dataclass(frozen=True)
class Filters:
    """A visitor's filters; an empty one lets every breed pass."""

    q: str = ""
    species: str = ""
    group: str = ""
    size: str = ""
    coat: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Choice:
    """A value that a filter can be set to, and how many breeds have it."""

    value: str
    text: str
    count: int


@dataclass(frozen=True)
class Listing:
    """The content of the page.

    Attributes:
        filters: the requested filters, without values that no breed has.
        choices: by name of the filter; a filter with fewer than two choices is left out.
        found: the breeds that match.
        total: number of all breeds.
    """

    filters: Filters
    choices: Mapping[str, tuple[Choice, ...]]
    found: tuple[Entry, ...]
    total: int


_VALUES: dict[str, Callable[[Entry], str]] = {
    "species": lambda entry: entry.breed.species,
    "group": lambda entry: entry.breed.group,
    "size": lambda entry: entry.facts.size if entry.facts else "",
    "coat": lambda entry: entry.facts.coat.length if entry.facts else "",
}
#: Sizes and coat lengths, smallest first; other choices are sorted by their text.
_ORDER = (*get_args(Size), *get_args(CoatLength))


def list_breeds(book: BreedBook, asked: Mapping[str, str]) -> Listing:
    """Return the breeds that match a URL's query.

    Args:
        book: breeds of the current model.
        asked: the query; unknown names and values are ignored.
    """
    choices = {name: _choices(book, name) for name in _VALUES}
    known = {
        name: value
        for name in _VALUES
        if (value := asked.get(name, "")) in {choice.value for choice in choices[name]}
    }
    filters = Filters(q=asked.get("q", "").strip()[:_LONGEST], **known)
    entries = {entry.breed.id: entry for entry in book.entries}
    if filters.q:
        entries = {breed.id: entries[breed.id] for breed in book.search(filters.q)}
    found = tuple(
        entry
        for entry in entries.values()
        if all(_VALUES[name](entry) == value for name, value in known.items())
    )
    shown = {name: some for name, some in choices.items() if len(some) > 1}
    return Listing(filters, shown, found, len(book.entries))


def _choices(book: BreedBook, name: str) -> tuple[Choice, ...]:
    counts = Counter(value for entry in book.entries if (value := _VALUES[name](entry)))
    names = {entry.breed.group: entry.group for entry in book.entries} if name == "group" else {}
    found = [
        Choice(value, gettext(names.get(value) or value.capitalize()), count)
        for value, count in counts.items()
    ]
    return tuple(sorted(found, key=_place))


def _place(choice: Choice) -> tuple[str, int, str]:
    order = _ORDER.index(choice.value) if choice.value in _ORDER else 0
    return GROUPS[choice.value].species if choice.value in GROUPS else "", order, choice.text
