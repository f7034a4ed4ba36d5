"""The breeds that a model can name, as JSON."""

from __future__ import annotations

from typing import Any

from smartbreed.inference.bundle import Bundle
from smartbreed.inference.labels import Labels


def breed_list(bundle: Bundle) -> list[dict[str, Any]]:
    """One ``{"id", "name", "aliases", "species", "group"}`` a breed, in the order of the model."""
    return [
        {
            "id": breed.id,
            "name": breed.name,
            "aliases": list(breed.aliases),
            "species": breed.species,
            "group": breed.group,
        }
        for breed in Labels(bundle.config.classifier).breeds
    ]
