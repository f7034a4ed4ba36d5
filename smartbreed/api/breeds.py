"""The breeds that a model can name, as JSON."""

from __future__ import annotations

from typing import Any, cast

from smartbreed.breeds import Species, get_breed
from smartbreed.vision.bundle import Bundle


def breed_list(bundle: Bundle) -> list[dict[str, Any]]:
    """One ``{"id", "name", "aliases", "species", "group"}`` a breed, in the order of the model."""
    answer = []
    for label in bundle.config.classifier.labels:
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
