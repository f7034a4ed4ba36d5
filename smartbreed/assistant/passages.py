"""The passages that can be cited: parts of the breed texts, and the model's measured accuracy per breed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smartbreed.breeds.catalogue import BREEDS, Breed, get_breed
from smartbreed.breeds.facts import BreedFacts, facts_of
from smartbreed.inference.evaluation import Evaluation

#: Words in questions that a passage of each kind answers, in addition to the words of its text.
_ASKED = {
    "character": "character temperament personality nature friendly family children kids pets gentle bark",
    "size": "size big large small tall high height heavy weigh weight kilograms kg cm old long life span "
    "lifespan age years",
    "coat": "coat fur hair colour color colours colors markings look looks appearance shed",
    "grooming": "groom grooming brush brushing bath wash comb trim shed sheds shedding hair care easy",
    "exercise": "exercise walk walks walking run running energy active energetic activity daily hours",
    "history": "history origin originate come comes country where bred old oldest named purpose",
    "look-alikes": "difference different differ apart distinguish versus vs compare compared similar confuse "
    "confused mistaken look alike like between",
    "model": "model app know knows recognise recognize accuracy accurate precision recall reliable mistakes "
    "confuse confused wrong right often you your",
}


@dataclass(frozen=True)
class Passage:
    """A few sentences of a breed's page that can answer a question.

    Attributes:
        breed: id of the breed.
        kind: the part of the page, a key of `_ASKED` such as ``grooming``.
        title: the text of a citation, such as ``Beagle: grooming``.
        text: the sentences.
        other: id of the other breed in a comparison; empty for all other kinds.
    """

    breed: str
    kind: str
    title: str
    text: str
    other: str = ""

    @property
    def names(self) -> str:
        """Names, aliases and species of the breeds that the passage is about, joined by spaces."""
        breeds = map(get_breed, filter(None, (self.breed, self.other)))
        return " ".join(" ".join((breed.name, *breed.aliases, breed.species)) for breed in breeds)

    @property
    def said(self) -> str:
        """The text, and typical words of the questions that it answers."""
        return f"{self.text} {_ASKED[self.kind]}"


def passages(labels: Iterable[str] = tuple(BREEDS), evaluation: Evaluation | None = None) -> list[Passage]:
    """Return all passages about the given breeds.

    Args:
        labels: ids of the breeds that the serving model knows.
        evaluation: the model's evaluation; None for no passages about its accuracy.
    """
    found: list[Passage] = []
    for label in labels:
        breed = get_breed(label)
        facts = facts_of(label)
        if facts is not None:
            found += _of_facts(breed, facts)
        if evaluation is not None and label in evaluation.labels:
            found.append(
                Passage(
                    label, "model", f"{breed.name}: how well the model knows it", _known(breed, evaluation)
                )
            )
    return found


def _of_facts(breed: Breed, facts: BreedFacts) -> Iterator[Passage]:
    def passage(kind: str, text: str, other: str = "", title: str = "") -> Passage:
        return Passage(breed.id, kind, title or f"{breed.name}: {kind}", text, other)

    height = f"stands {facts.height_cm} cm at the shoulder, " if facts.height_cm else ""
    colours = ", ".join(facts.coat.colours)
    yield passage("character", f"{facts.summary} {facts.character}")
    yield passage(
        "size",
        f"The {breed.name} {height}weighs {facts.weight_kg} kg and usually lives "
        f"{facts.life_span_years} years.",
    )
    yield passage("coat", f"{facts.coat.text} Colours: {colours}.")
    yield passage("grooming", facts.grooming.text)
    yield passage("exercise", facts.exercise.text)
    yield passage("history", f"{facts.history} Origin: {facts.origin}.")
    for alike in facts.look_alikes:
        other = get_breed(alike.breed)
        yield passage("look-alikes", alike.tell_apart, other.id, f"{breed.name} or {other.name}")


def _known(breed: Breed, evaluation: Evaluation) -> str:
    measured, name = evaluation.labels[breed.id], breed.name
    text = (
        f"Of {measured.pictures} test photos of the {name}, version {evaluation.version} of the model named "
        f"{measured.recall:.0%} right; when it says {name}, it is right {measured.precision:.0%} of the time."
    )
    if wrong := [get_breed(other).name for other, _ in evaluation.taken_for(breed.id)[:2]]:
        text += f" It mistakes it most often for the {' and the '.join(wrong)}."
    return text
