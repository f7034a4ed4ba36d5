"""Labels as a source writes them → ids, names, species and groups as the app shows them."""

from __future__ import annotations

import re
import unicodedata

from smartbreed.breeds import get_breed, resolve
from training.errors import DataError
from training.recipe import Data, LabelInfo


def slug(text: str) -> str:
    """A label id: lower case, digits and underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or text.strip().lower()


def describe_labels(labels: list[str], data: Data) -> list[dict[str, str]]:
    """``id``, ``name``, ``species`` and ``group`` of each label.

    When the catalogue knows every label, its ids and families are taken; else the recipe's
    ``data.labels`` and, failing that, the label itself.

    Raises:
        DataError: fewer than two labels, two labels with one id, or ``data.labels`` does not know one.
    """
    if len(labels) < 2:
        raise DataError(f"There must be at least two classes to tell apart. Received: {', '.join(labels)}")
    unknown = [label for label in labels if data.labels and label not in data.labels]
    if unknown:
        raise DataError(
            f"data.labels knows no label {unknown[0]}; it lists {', '.join(sorted(data.labels))}. "
            f"Received: {unknown[0]}"
        )
    breeds = [None if data.labels else resolve(label.replace("_", " ")) for label in labels]
    if all(breeds) and len({breed.id for breed in breeds if breed}) == len(labels):
        return [{"id": b.id, "name": b.name, "species": b.species, "group": b.group} for b in breeds if b]
    described = []
    for label in labels:
        info = data.labels.get(label, LabelInfo())
        name = info.name or re.sub(r"[_\s]+", " ", label).strip().capitalize()
        told = slug(label) if slug(label) in ("cat", "dog") else ""
        species = info.species or told
        described.append({"id": slug(label), "name": name, "species": species, "group": info.group})
    ids = [label["id"] for label in described]
    twice = next((i for i, one in enumerate(ids) if one in ids[:i]), None)
    if twice is not None:
        raise DataError(
            f"Two labels would have the same id {ids[twice]}; rename one. "
            f"Received: {labels[ids.index(ids[twice])]} and {labels[twice]}"
        )
    return described


def catalogue_labels(ids: list[str]) -> list[dict[str, str]]:
    """The same for ids of the catalogue."""
    return [
        {"id": b.id, "name": b.name, "species": b.species, "group": b.group}
        for b in (get_breed(name) for name in ids)
    ]
