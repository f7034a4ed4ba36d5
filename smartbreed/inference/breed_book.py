"""Everything known about one model's breeds: names, texts, and how well it recognises them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from smartbreed.breeds.catalogue import BREEDS, Breed, resolve, search
from smartbreed.breeds.facts import BreedFacts, facts_of
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.evaluation import Evaluation, LabelEvaluation, evaluation_of
from smartbreed.inference.labels import Labels

#: Number of names suggested beside a breed, or instead of an unknown one.
NEAREST = 5


@dataclass(frozen=True)
class Entry:
    """One label of the model.

    Attributes:
        breed: with the model's name and the catalogue's aliases.
        group: name of its group; empty if it has none.
        facts: None if there is no text, as for breeds that visitors added.
        measured: None if no test picture shows it, or nothing was measured.
    """

    breed: Breed
    group: str
    facts: BreedFacts | None
    measured: LabelEvaluation | None


class BreedBook:
    """The breeds of a bundle.

    Args:
        bundle: the model in use.

    Attributes:
        version: of the bundle.
        evaluation: of the bundle or an ancestor; None if there is none.
        breeds: every label by id, sorted by name.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.revision, self.version = bundle.version.revision, bundle.config.version
        self.evaluation: Evaluation | None = evaluation_of(bundle)
        self._labels = Labels(bundle.config.classifier)
        by_name = sorted(self._labels.breeds, key=lambda breed: (breed.name.casefold(), breed.id))
        self.breeds: Mapping[str, Breed] = {breed.id: breed for breed in by_name}

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of all labels, sorted by name; the first access reads every text."""
        return tuple(map(self.entry, self.breeds.values()))

    def entry(self, breed: Breed) -> Entry:
        """Return what is known about a label."""
        measured = self.evaluation.labels.get(breed.id) if self.evaluation else None
        group = self._labels.group_name(breed.group) if breed.group else ""
        return Entry(breed, group, facts_of(breed.id), measured)

    def named(self, text: str) -> Breed | None:
        """Return the label that a text names by id, name or alias; None if there is none."""
        found = self.breeds.get(text) or resolve(text, self.breeds.values())
        return self.breeds.get(found.id) if found else None

    def search(self, text: str) -> list[Breed]:
        """Return labels whose names contain a text, likeliest first; if there are none, similar names."""
        everything = len(self.breeds) + len(BREEDS)
        for close in (False, True):
            found = search(text, everything, self.breeds.values(), close=close)
            if known := [self.breeds[breed.id] for breed in found if breed.id in self.breeds]:
                return known
        return []

    def nearest(self, text: str, without: str = "", most: int = NEAREST) -> list[Breed]:
        """Return labels whose names resemble a text or share a rare word with it, except ``without``."""
        found = search(text, len(self.breeds) + len(BREEDS), self.breeds.values())
        alike = [self.breeds[breed.id] for breed in found if breed.id in self.breeds][: most + 1]
        words = [self.search(word) for word in text.replace("_", " ").split() if len(word) > 3]
        rare = [breed for some in words if len(some) <= most + 1 for breed in some]
        # If the text is a correct name, a shared word means more than a similar spelling.
        both = rare + alike if without else alike + rare
        return list({breed.id: breed for breed in both if breed.id != without}.values())[:most]
