"""Facts about each breed: size, coat, character, history, look-alikes.

One YAML file per breed in ``texts/``, named after the id in `breeds.csv`. The texts were
written for SmartBreed; figures are what breed standards and veterinary surveys usually give.
`facts_of` reads a file on first use and checks it against `BreedFacts`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from smartbreed.breeds.catalogue import BREEDS

_FOLDER = Path(__file__).with_name("texts")
#: libyaml reads all texts in 34 ms, pure Python in 280 ms.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Size = Literal["toy", "small", "medium", "large", "giant"]
CoatLength = Literal["hairless", "short", "medium", "long"]
#: How much grooming or exercise a pet needs.
Level = Literal["low", "moderate", "high"]

#: One or a few sentences.
Sentence = Annotated[str, StringConstraints(min_length=20, max_length=400, pattern=r"[.!]$")]
Phrase = Annotated[str, StringConstraints(min_length=2, max_length=80, pattern=r"[^.]$")]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Range(_Facts):
    """The usual range for an adult, from least to most."""

    least: Annotated[float, Field(gt=0)]
    most: Annotated[float, Field(gt=0, le=150)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"least {self.least:g} is above most {self.most:g}")
        return self

    def __str__(self) -> str:
        return f"{self.least:g}" if self.least == self.most else f"{self.least:g}–{self.most:g}"


class Need(_Facts):
    """How much care of one kind a pet needs, and what that means in practice."""

    level: Level
    text: Sentence


class Coat(_Facts):
    """The coat: its length, and what it looks like."""

    length: CoatLength
    text: Sentence
    colours: Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=8)]


class LookAlike(_Facts):
    """A breed that is often mistaken for this one, and how to tell the two apart."""

    breed: str
    tell_apart: Sentence


class BreedFacts(_Facts):
    """The facts about one breed.

    Attributes:
        summary: one or two sentences for the answer card.
        kind: ``breed``, or ``wild species`` for the dingo, the dhole and the African hunting dog.
        kennel_group: the kennel clubs' group (dogs) or the body type (cats).
        origin: country or region.
        size: size class by height and weight, within its species.
        height_cm: height at the shoulder in centimetres; None where not customary (cats).
        weight_kg: in kilograms.
        life_span_years: in years.
        temperament: three to five adjectives.
        history: two sentences.
        look_alikes: breeds of the catalogue that are mistaken for this one, likeliest first.
    """

    id: str
    kind: Literal["breed", "wild species"] = "breed"
    summary: Sentence
    kennel_group: Phrase
    origin: Phrase
    size: Size
    height_cm: Range | None = None
    weight_kg: Range
    life_span_years: Range
    coat: Coat
    temperament: Annotated[tuple[Phrase, ...], Field(min_length=3, max_length=5)]
    character: Sentence
    grooming: Need
    exercise: Need
    history: Sentence
    look_alikes: Annotated[tuple[LookAlike, ...], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _fits_the_catalogue(self) -> Self:
        breed = BREEDS.get(self.id)
        if breed is None:
            raise ValueError(f"{self.id} is not in the catalogue")
        if breed.species == "dog" and self.height_cm is None:
            raise ValueError("height_cm is missing: dogs have one")
        others = [alike.breed for alike in self.look_alikes]
        for other in others:
            if other == self.id or other not in BREEDS or BREEDS[other].species != breed.species:
                raise ValueError(f"look-alike {other} is no other {breed.species} of the catalogue")
        if len(set(others)) < len(others):
            raise ValueError("a look-alike is listed twice")
        return self


@cache
def facts_of(breed_id: str) -> BreedFacts | None:
    """Return the facts about a breed, or None if it has no text, such as a new breed.

    Raises:
        ValueError: the file does not match the schema; the message names the file.

    Example:
        >>> facts_of("border_terrier").size
        'small'
    """
    if breed_id not in BREEDS:
        return None
    path = _FOLDER / f"{breed_id}.yaml"
    if not path.is_file():
        return None
    try:
        return BreedFacts.model_validate(yaml.load(path.read_text(encoding="utf-8"), _Loader))
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: {error}") from error
