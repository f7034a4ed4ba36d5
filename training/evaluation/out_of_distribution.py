"""Pictures that show no pet of a known breed: how often the app names a breed, by kind of picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from smartbreed.inference.pipeline import Identifier
from smartbreed.inference.results import Pet
from training.data import Scene
from training.data.others import Others
from training.evaluation.answers import answers_of, run
from training.evaluation.crop_scores import share
from training.evaluation.intervals import wilson_interval
from training.evaluation.whole_photographs import as_photo

#: Ranges of WordNet ids of ImageNet's animals, and of the mammals among them (ids follow the noun tree).
_ANIMALS = (1_440_764, 2_655_020)
_MAMMALS = ((1_871_265, 1_883_070), (2_066_245, 2_138_441), (2_323_000, 2_510_455))
KINDS = ("mammal", "other animal", "no animal")
UNKNOWN = "unknown"


def kind_of(file: str) -> str:
    """Return what an ImageNet file shows, by the WordNet id in its name: one of `KINDS`, else ``unknown``."""
    found = re.search(r"n(\d{8})(?!\d)", file)
    if not found:
        return UNKNOWN
    number = int(found[1])
    if not _ANIMALS[0] <= number <= _ANIMALS[1]:
        return "no animal"
    return "mammal" if any(low <= number <= high for low, high in _MAMMALS) else "other animal"


def out_of_distribution_metrics(
    identifier: Identifier, empty: Sequence[Scene], found: Sequence[tuple[Pet, ...]]
) -> dict[str, Any]:
    """Return how often a breed is named on pet-less photographs, over all of them and for each kind.

    ``as_served``: share on which the app shows a pet and names its breed. ``taken_as_a_pet``: the same if the
    user asks about the whole picture, so that only the classifier can refuse.

    Args:
        identifier: the model.
        empty: photographs without a pet that nothing was trained on.
        found: the pets that `training.evaluation.whole_photographs.find_pets` finds on them.
    """
    score = identifier.detector.config.score if identifier.detector else 0.0
    served = np.array(
        [any(pet.verdict == "breed" and pet.score >= score for pet in pets) for pets in found], bool
    )
    answers = identifier.identify_many([as_photo(scene.image) for scene in empty], whole=True)
    forced = np.array([answer.pets[0].verdict == "breed" for answer in answers], bool)
    kinds = np.array([kind_of(scene.file) for scene in empty])
    result: dict[str, Any] = _counted(served, forced)
    result["kinds"] = {
        kind: _counted(served[kinds == kind], forced[kinds == kind])
        for kind in (*KINDS, UNKNOWN)
        if (kinds == kind).any()
    }
    return result


def others_metrics(identifier: Identifier, others: Others) -> dict[str, Any]:
    """Return the classifier's answers to held-back crops of other animals and of pets of no breed.

    Args:
        identifier: the model.
        others: crops; those in ``held`` are evaluated.

    Returns:
        ``kinds``: for each kind other than pets, its ``crops`` and the share ``named`` a breed; the same for
        classes that nothing was trained on (``unseen_crops``, ``unseen_named``).
        ``no_breed``: for pets, ``crops``, share with the right ``species`` and share ``taken_for_other``.
        ``no_breed_cats``: the same for cats alone.
    """
    seen = run(identifier, others.images[others.held])
    species, kinds = others.species[others.held], others.kinds[others.held]
    unseen = others.unseen[others.held]
    answers = answers_of(identifier, seen, np.zeros(len(seen), np.int64))
    named = (answers.confidence >= identifier.decision_rule.thresholds.breed) & ~answers.other
    found: dict[str, Any] = {"kinds": {}}
    for kind in sorted(set(kinds[species < 0])):
        mine = (kinds == kind) & (species < 0)
        found["kinds"][str(kind)] = {
            name + key: value
            for name, some in (("", mine & ~unseen), ("unseen_", mine & unseen))
            for key, value in (("crops", int(some.sum())), ("named", share(named[some])))
        }
    said = np.array([identifier.decision_rule.decide(row, 1)[0] for row in answers.probabilities])
    for key, some in (("no_breed", species >= 0), ("no_breed_cats", species == 0)):
        right = said[some] == np.array(["cat", "dog"])[species[some]]
        found[key] = {
            "crops": int(some.sum()),
            "species": share(right),
            "taken_for_other": share(answers.other[some]),
        }
    return found


def _counted(served: np.ndarray, forced: np.ndarray) -> dict[str, Any]:
    count = len(served)
    return {
        "photographs": count,
        "as_served": float(served.mean()),
        "as_served_interval": wilson_interval(float(served.mean()), count),
        "taken_as_a_pet": float(forced.mean()),
        "taken_as_a_pet_interval": wilson_interval(float(forced.mean()), count),
    }
