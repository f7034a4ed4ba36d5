"""How well the model knows a breed, in words for people who have never heard of precision and recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smartbreed.inference.breed_book import BreedBook, Entry
from smartbreed.inference.evaluation import Evaluation, LabelEvaluation
from smartbreed.web.components.sentences import count

#: Fewer pictures give no more than a rough idea.
FEW = 12
#: Confusions shown in each direction.
_SHOWN = 5


@dataclass(frozen=True)
class Bar:
    """A share with the count behind it.

    Attributes:
        label: id of another breed; empty where it is about none.
        text: what it is.
        share: 0…1.
        number: "18 of 20"; empty where only the share is known.
    """

    label: str
    text: str
    share: float
    number: str


@dataclass(frozen=True)
class Measures:
    """What the page says.

    Attributes:
        headline: one sentence.
        bars: how often it finds the breed, and how often it is right when it says so.
        taken_for: what pictures of the breed were taken for.
        taken_as: what was taken for the breed.
        source: what was measured, of which version, and when.
        few: the pictures are too few for more than a rough idea.
    """

    headline: str
    bars: tuple[Bar, ...]
    taken_for: tuple[Bar, ...]
    taken_as: tuple[Bar, ...]
    source: str
    few: bool


def measures_of(book: BreedBook, entry: Entry) -> Measures | None:
    """What was measured of a breed; None where nothing was."""
    evaluation, measured = book.evaluation, entry.measured
    if evaluation is None or measured is None or not measured.pictures:
        return None
    label, name, total = entry.breed.id, entry.breed.name, measured.pictures
    named = round(measured.recall * total)
    bars = [
        Bar("", f"Shown a {name}, its first guess is right", measured.recall, f"{named} of {total}"),
        Bar("", f"When it says {name} first, that is right", measured.precision, _said(evaluation, label)),
    ]
    if measured.abstained is not None:
        sure = total - round(measured.abstained * total)
        bars.append(
            Bar("", "Sure enough to name a breed at all", 1 - measured.abstained, f"{sure} of {total}")
        )
    return Measures(
        _headline(name, measured),
        tuple(bars),
        _confusions(book, evaluation.taken_for(label), lambda other: total),
        _confusions(book, evaluation.taken_as(label), lambda other: _pictures(evaluation, other)),
        source_of(book, evaluation),
        total < FEW,
    )


def mixed_up(book: BreedBook, first: Entry, second: Entry) -> str:
    """How often the model takes one of two breeds for the other; empty where that was not measured."""
    evaluation = book.evaluation
    if evaluation is None or not evaluation.confusion or not (first.measured and second.measured):
        return ""
    ways = []
    for true, said in ((first, second), (second, first)):
        number = evaluation.confusion.get(true.breed.id, {}).get(said.breed.id, 0)
        pictures = _pictures(evaluation, true.breed.id)
        ways.append((number, pictures, true.breed.name, said.breed.name))
    if not any(number for number, *_ in ways):
        return "On the test pictures the model never took one for the other."
    (one, of_one, a, b), (two, of_two, _, _) = ways
    return (
        f"The model took {_none(one)} of {of_one} test pictures of the {a} for the {b}, "
        f"and {_none(two)} of {of_two} in the other direction."
    )


def source_of(book: BreedBook, evaluation: Evaluation) -> str:
    """Where the figures come from, in a sentence."""
    on = f"{evaluation.pictures} {evaluation.data or 'test pictures'}"
    when = f" on {evaluation.date:%-d %B %Y}" if evaluation.date else ""
    if evaluation.version == book.version:
        return f"Measured on {on}{when}, none of which it was trained on."
    return f"Measured of version {evaluation.version}, from which {book.version} was made, on {on}{when}."


def _headline(name: str, measured: LabelEvaluation) -> str:
    worse = min(measured.recall, measured.precision)
    if worse >= 0.93:
        return f"It knows the {name} very well."
    if worse >= 0.83:
        return f"It knows the {name} well."
    if worse >= 0.7:
        return f"It often gets the {name} right, but not always."
    return f"It finds the {name} hard to tell from its look-alikes."


def _said(evaluation: Evaluation, label: str) -> str:
    """ "18 of 19": how many of the pictures it was said of show it."""
    said = sum(row.get(label, 0) for row in evaluation.confusion.values())
    return f"{evaluation.confusion.get(label, {}).get(label, 0)} of {said}" if said else ""


def _none(number: int) -> str:
    return count(number) if number else "none"


def _pictures(evaluation: Evaluation, label: str) -> int:
    return sum(evaluation.confusion.get(label, {}).values())


def _confusions(
    book: BreedBook, found: list[tuple[str, int]], total: Callable[[str], int]
) -> tuple[Bar, ...]:
    return tuple(
        Bar(other, book.breeds[other].name, number / total(other), f"{number} of {total(other)}")
        for other, number in found[:_SHOWN]
        if other in book.breeds and total(other)
    )
