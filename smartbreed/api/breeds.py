"""The breeds that the loaded model can name, as JSON."""

from __future__ import annotations

from typing import Any, cast

from smartbreed.breeds import Species, get_breed
from smartbreed.vision.identify import Identifier


def breed_list(identifier: Identifier) -> list[dict[str, Any]]:
    """One ``{"id", "name", "aliases", "species", "group"}`` a breed, in the order of the model."""
    answer = []
    for label in identifier.bundle.config.classifier.labels:
        breed = get_breed(label.id, species=cast(Species, label.species))
        answer.append(
            {
                "id": label.id,
                "name": breed.name,
                "aliases": list(breed.aliases),
                "species": label.species,
                "group": label.group or breed.group,
            }
        )
    return answer
