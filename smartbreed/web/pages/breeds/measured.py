"""How well the model knows a breed, in words for people who have never heard of precision and recall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smartbreed.i18n import gettext, translated
from smartbreed.inference.breed_book import BreedBook, Entry
from smartbreed.inference.evaluation import Evaluation, LabelEvaluation
from smartbreed.web.components.sentences import count, day

#: Below this many test pictures, figures are only a rough idea.
FEW = 12
#: Confusions shown in each direction.
_SHOWN = 5


@dataclass(frozen=True)
class Bar:
    """A share with the count behind it.

    Attributes:
        label: id of the other breed in a confusion; empty for any other share.
        text: what the share measures, or the other breed's name.
        share: 0…1.
        number: the count, such as "18 of 20"; empty if only the share is known.
    """

    label: str
    text: str
    share: float
    number: str


@dataclass(frozen=True)
class Measures:
    """How well the model knows one breed, as the page shows it.

    Attributes:
        headline: one sentence.
        bars: how often the first guess finds the breed, how often it is right when it names the breed and,
            if measured, how often the model is sure enough to name any breed.
        taken_for: breeds that pictures of this breed were taken for.
        taken_as: breeds that were taken for this breed.
        source: what was measured, with which version, and when.
        few: True if there are too few pictures for more than a rough idea.
    """

    headline: str
    bars: tuple[Bar, ...]
    taken_for: tuple[Bar, ...]
    taken_as: tuple[Bar, ...]
    source: str
    few: bool


def measures_of(book: BreedBook, entry: Entry) -> Measures | None:
    """Return a breed's measures; None if it was not evaluated."""
    evaluation, measured = book.evaluation, entry.measured
    if evaluation is None or measured is None or not measured.pictures:
        return None
    label, name, total = entry.breed.id, entry.breed.name, measured.pictures
    named = round(measured.recall * total)
    bars = [
        Bar(
            "",
            gettext("Shown a %(breed)s, its first guess is right", breed=name),
            measured.recall,
            _of(named, total),
        ),
        Bar(
            "",
            gettext("When it says %(breed)s first, that is right", breed=name),
            measured.precision,
            _said(evaluation, label),
        ),
    ]
    if measured.abstained is not None:
        sure = total - round(measured.abstained * total)
        bars.append(
            Bar("", gettext("Sure enough to name a breed at all"), 1 - measured.abstained, _of(sure, total))
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
    """Say how often the model takes one of two breeds for the other; empty if that was not measured."""
    evaluation = book.evaluation
    if evaluation is None or not evaluation.confusion or not (first.measured and second.measured):
        return ""
    ways = []
    for true, said in ((first, second), (second, first)):
        number = evaluation.confusion.get(true.breed.id, {}).get(said.breed.id, 0)
        pictures = _pictures(evaluation, true.breed.id)
        ways.append((number, pictures, true.breed.name, said.breed.name))
    if not any(number for number, *_ in ways):
        return gettext("On the test pictures the model never took one for the other.")
    (one, of_one, a, b), (two, of_two, _, _) = ways
    return gettext(
        "The model took %(one)s of %(of_one)s test pictures of the %(a)s for the %(b)s, "
        "and %(two)s of %(of_two)s in the other direction.",
        one=_none(one), of_one=of_one, a=a, b=b, two=_none(two), of_two=of_two,
    )  # fmt: skip


def source_of(book: BreedBook, evaluation: Evaluation) -> str:
    """Say in a sentence where the figures come from."""
    on = f"{evaluation.pictures} {translated(evaluation.data or 'test pictures')}"
    if evaluation.date:
        on = gettext("%(pictures)s on %(date)s", pictures=on, date=day(evaluation.date))
    if evaluation.version == book.version:
        return gettext("Measured on %(pictures)s, none of which it was trained on.", pictures=on)
    return gettext(
        "Measured with version %(version)s, from which %(now)s was made, on %(pictures)s.",
        version=evaluation.version, now=book.version, pictures=on,
    )  # fmt: skip


def _headline(name: str, measured: LabelEvaluation) -> str:
    worse = min(measured.recall, measured.precision)
    if worse >= 0.93:
        return gettext("It knows the %(breed)s very well.", breed=name)
    if worse >= 0.83:
        return gettext("It knows the %(breed)s well.", breed=name)
    if worse >= 0.7:
        return gettext("It often gets the %(breed)s right, but not always.", breed=name)
    return gettext("It finds the %(breed)s hard to tell from its look-alikes.", breed=name)


def _said(evaluation: Evaluation, label: str) -> str:
    """Return how many of the pictures taken for a breed show it, such as "18 of 19"; empty if unknown."""
    said = sum(row.get(label, 0) for row in evaluation.confusion.values())
    return _of(evaluation.confusion.get(label, {}).get(label, 0), said) if said else ""


def _of(number: int, total: int) -> str:
    return gettext("%(number)s of %(all)s", number=number, all=total)


def _none(number: int) -> str:
    return count(number) if number else gettext("none")


def _pictures(evaluation: Evaluation, label: str) -> int:
    return sum(evaluation.confusion.get(label, {}).values())


def _confusions(
    book: BreedBook, found: list[tuple[str, int]], total: Callable[[str], int]
) -> tuple[Bar, ...]:
    return tuple(
        Bar(other, book.breeds[other].name, number / total(other), _of(number, total(other)))
        for other, number in found[:_SHOWN]
        if other in book.breeds and total(other)
    )
