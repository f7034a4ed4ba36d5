"""What plots and card call that which a model tells apart: breeds of pets, or labels of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wording:
    """Words of a model.

    Attributes:
        label: one of its names.
        subject: what stands in a picture.
        group: several of the names that are alike.
    """

    label: str
    subject: str
    group: str


PETS, THINGS = Wording("breed", "pet", "breed group"), Wording("label", "subject", "label group")


def wording(species: Iterable[str]) -> Wording:
    """The words that fit.

    Args:
        species: of each label; empty where it has none.
    """
    return PETS if any(species) else THINGS


def words_of(labels: Iterable[Mapping[str, Any]]) -> Wording:
    """The words that fit labels as ``config.json`` lists them."""
    return wording(label.get("species", "") for label in labels)
