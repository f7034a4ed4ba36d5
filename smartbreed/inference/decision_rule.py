"""Turn calibrated probabilities into an answer that a person can use: a breed, a group, or "unknown"."""

from __future__ import annotations

from typing import cast

import numpy as np

from smartbreed.inference.bundle import ClassifierConfig
from smartbreed.inference.labels import Labels
from smartbreed.inference.picture_quality import SMALL, Faults
from smartbreed.inference.results import Guess, Reason, Verdict

#: A fault that raises the logarithm of the temperature by at least this much is given as a reason.
NOTABLE = 0.2


class DecisionRule:
    """Turns probabilities into an answer, using the group and the species of each label.

    Args:
        config: thresholds of the classifier.
        known: its labels; None: made from `config`.
    """

    def __init__(self, config: ClassifierConfig, known: Labels | None = None) -> None:
        known = known or Labels(config)
        self.thresholds, self.faults = config.thresholds, config.faults
        self.labels = list(known.ids)
        self.names = [breed.name for breed in known.breeds]
        self.group_name = known.group_name
        self.species: list[str] = sorted({label.species for label in config.labels})
        self._species = np.array([self.species.index(label.species) for label in config.labels])
        # A label without a group is a group of its own.
        members = [label.group or label.id for label in config.labels]
        self.groups = sorted(set(members))
        self._groups = np.array([self.groups.index(member) for member in members])

    def decide(self, probabilities: np.ndarray, top_k: int) -> tuple[str, Verdict, tuple[Guess, ...], Guess]:
        """Return ``(species, verdict, breeds, group)`` of one pet.

        Args:
            probabilities: ``(breeds,)``, summing to 1.
            top_k: breeds to list; at most as many as there are.
        """
        by_species = np.bincount(self._species, probabilities, len(self.species))
        by_group = np.bincount(self._groups, probabilities, len(self.groups))
        order = np.argsort(-probabilities, kind="stable")[: max(1, top_k)]
        breeds = tuple(Guess(self.labels[i], self.names[i], float(probabilities[i])) for i in order)
        best = int(by_group.argmax())
        group = Guess(self.groups[best], self.group_name(self.groups[best]), float(min(by_group[best], 1.0)))
        verdict: Verdict = "unknown"
        if breeds[0].probability >= self.thresholds.breed:
            verdict = "breed"
        elif group.probability >= self.thresholds.group:
            verdict = "group"
        return self.species[int(by_species.argmax())], verdict, breeds, group

    def why(self, faults: Faults, side: float) -> Reason:
        """Return the worst fault of a crop for which no breed is named; empty if none is notable.

        Args:
            faults: of the crop.
            side: its longer side in pixels of the photo.
        """
        counts = self.faults.weigh(faults)
        worst = max(counts, key=lambda name: counts[name])
        if counts[worst] < NOTABLE:
            return ""
        return "small" if worst == "blurred" and side < SMALL else cast("Reason", worst)
