"""Words that plots and card use for a model's labels: breeds of pets, or labels of any kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wording:
    """Words for a model's labels.

    Attributes:
        label: word for one label.
        subject: word for what a picture shows.
        group: word for a group of similar labels.
    """

    label: str
    subject: str
    group: str


PETS, THINGS = Wording("breed", "pet", "breed group"), Wording("label", "subject", "label group")


def wording(species: Iterable[str]) -> Wording:
    """Return the words that fit labels of these species.

    Args:
        species: species of each label; "" if it has none.
    """
    return PETS if any(species) else THINGS


def words_of(labels: Iterable[Mapping[str, Any]]) -> Wording:
    """Return the words that fit labels as ``config.json`` lists them."""
    return wording(label.get("species", "") for label in labels)
