"""Pictures without a pet: how often the app names a breed, and on what."""

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

#: WordNet numbers of ImageNet's animals, and of its mammals among them (numbers follow the tree of nouns).
_ANIMALS = (1_440_764, 2_655_020)
_MAMMALS = ((1_871_265, 1_883_070), (2_066_245, 2_138_441), (2_323_000, 2_510_455))
KINDS = ("mammal", "other animal", "no animal")
UNKNOWN = "unknown"


def kind_of(file: str) -> str:
    """What an ImageNet file shows, from the WordNet number in its name: one of `KINDS`, else ``unknown``."""
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
    """For all pet-less photographs and for each kind of them.

    ``as_served``: the app shows a pet and names its breed. ``taken_as_a_pet``: it would, if a person asked
    about the whole picture, so that the classifier alone must refuse.

    Args:
        identifier: the model.
        empty: photographs without a pet that nothing was trained on.
        found: what `training.evaluation.whole_photographs.find_pets` finds on them.
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
    """What the classifier makes of held-back crops of other animals, and of pets of no breed.

    Args:
        identifier: the model.
        others: those of ``held`` are judged.

    Returns:
        ``kinds``: for each kind that is no pet its ``crops`` and the share ``named`` a breed, and the same of
        classes nothing was trained on (``unseen_crops``, ``unseen_named``); ``no_breed``: crops of pets, and
        how often their ``species`` is right.
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
