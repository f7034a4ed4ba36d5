"""Everything that is known of one model's breeds: names, texts, and how well it names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from smartbreed.breeds.catalogue import BREEDS, Breed, resolve, search
from smartbreed.breeds.facts import BreedFacts, facts_of
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.evaluation import Evaluation, LabelEvaluation, evaluation_of
from smartbreed.inference.labels import Labels

#: Names offered beside a breed, or instead of one that is not known.
NEAREST = 5


@dataclass(frozen=True)
class Entry:
    """One label of the model.

    Attributes:
        breed: as the model calls it, with the catalogue's aliases.
        group: name of its family; empty where it has none.
        facts: None where there is no text, as for what visitors added.
        measured: None where it was not on any test picture.
    """

    breed: Breed
    group: str
    facts: BreedFacts | None
    measured: LabelEvaluation | None


class BreedBook:
    """The breeds of a bundle.

    Args:
        bundle: what answers.

    Attributes:
        version: of the bundle.
        evaluation: of the bundle, or of an ancestor; None where there is none.
        breeds: every label by id, in the order of the names.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.revision, self.version = bundle.version.revision, bundle.config.version
        self.evaluation: Evaluation | None = evaluation_of(bundle)
        self._labels = Labels(bundle.config.classifier)
        by_name = sorted(self._labels.breeds, key=lambda breed: (breed.name.casefold(), breed.id))
        self.breeds: Mapping[str, Breed] = {breed.id: breed for breed in by_name}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every label, by name. Reads every text."""
        return tuple(map(self.entry, self.breeds.values()))

    def entry(self, breed: Breed) -> Entry:
        """What is known of a label."""
        measured = self.evaluation.labels.get(breed.id) if self.evaluation else None
        group = self._labels.group_name(breed.group) if breed.group else ""
        return Entry(breed, group, facts_of(breed.id), measured)

    def named(self, text: str) -> Breed | None:
        """The label that a text names by id, name or alias."""
        found = self.breeds.get(text) or resolve(text, self.breeds.values())
        return self.breeds.get(found.id) if found else None

    def search(self, text: str) -> list[Breed]:
        """Labels that hold a text in a name, the likeliest first; where none does, those that come close."""
        everything = len(self.breeds) + len(BREEDS)
        for close in (False, True):
            found = search(text, everything, self.breeds.values(), close=close)
            if known := [self.breeds[breed.id] for breed in found if breed.id in self.breeds]:
                return known
        return []

    def nearest(self, text: str, without: str = "", most: int = NEAREST) -> list[Breed]:
        """Labels whose names are like a text, or share a rare word with it; never ``without``."""
        found = search(text, len(self.breeds) + len(BREEDS), self.breeds.values())
        alike = [self.breeds[breed.id] for breed in found if breed.id in self.breeds][: most + 1]
        words = [self.search(word) for word in text.replace("_", " ").split() if len(word) > 3]
        rare = [breed for some in words if len(some) <= most + 1 for breed in some]
        # Of a name that is right, what shares a word is nearer than what is spelt alike.
        both = rare + alike if without else alike + rare
        return list({breed.id: breed for breed in both if breed.id != without}.values())[:most]
