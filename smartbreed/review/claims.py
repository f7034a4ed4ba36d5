"""What a flag claims, and whether two flags are about the same pet."""

from __future__ import annotations

from smartbreed.breeds.catalogue import get_breed
from smartbreed.feedback.tables import Flag
from smartbreed.i18n import ENGLISH, gettext, language, mark
from smartbreed.imaging.photo import Box

#: Stands for "there is no pet" when claims are compared.
NO_PET = "not a pet"
#: Intersection over union from which two boxes in one photo are taken for the same pet.
SAME_PET = 0.6
_ANIMALS = {"cat": mark("cat"), "dog": mark("dog")}


def label_of(flag: Flag) -> str | None:
    """Return the breed id that a flag gives: the person's choice, or the prediction they agreed to."""
    return flag.label or (flag.predicted if flag.verdict == "correct" else None)


def answer_of(flag: Flag) -> str | None:
    """Return what a flag claims, in a form that can be compared; None if it claims nothing definite."""
    return NO_PET if flag.verdict == "not_a_pet" else label_of(flag)


def overlap(first: Box | None, second: Box | None) -> float:
    """Return the intersection over union, 0…1; None stands for the whole photo and matches only itself."""
    if first is None or second is None:
        return 1.0 if first is second else 0.0
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def same_pet(first: Flag, second: Flag) -> bool:
    """Return whether two flags are about the same pet in the same photo.

    A missed pet without a box could be anywhere, so it is never the same as another.
    """
    if any(flag.verdict == "missed" and flag.box is None for flag in (first, second)):
        return False
    return first.sample_id == second.sample_id and overlap(first.box, second.box) >= SAME_PET


def said(flag: Flag, name: str | None = None) -> str:
    """Put a flag into the person's words, in the language of the page: "It is a Siamese".

    Args:
        name: of the flag's label, if the catalogue lacks it.
    """
    label = label_of(flag)
    if label and not name:
        name = get_breed(label).name
    if flag.verdict == "missed" and not name and not flag.label_text and flag.species:
        name = gettext(_ANIMALS.get(flag.species, flag.species))
    pet = _with_article(name) if name else f"“{flag.label_text}”" if flag.label_text else ""
    if flag.verdict == "correct":
        return gettext("Right, it is %(pet)s", pet=pet)
    if flag.verdict == "wrong":
        return gettext("It is %(pet)s", pet=pet) if pet else gettext("It is something else")
    if flag.verdict == "missed":
        return gettext("A pet was missed: %(pet)s", pet=pet) if pet else gettext("A pet was missed")
    return gettext("There is no pet here") if flag.verdict == "not_a_pet" else gettext("I cannot tell either")


def _with_article(name: str) -> str:
    """Add the article, in English only: elsewhere it depends on a gender, which breeds do not have."""
    if language() != ENGLISH:
        return name
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
