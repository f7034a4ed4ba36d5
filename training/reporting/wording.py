"""What plots and card call that which a model tells apart: breeds of pets, or labels of any kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """Words of a model.

    Attributes:
        label: one of its names.
        subject: what stands in a picture.
    """

    label: str
    subject: str


PETS, THINGS = Wording("breed", "pet"), Wording("label", "subject")


def wording(species: Iterable[str]) -> Wording:
    """The words that fit.

    Args:
        species: of each label; empty where it has none.
    """
    return PETS if any(species) else THINGS
