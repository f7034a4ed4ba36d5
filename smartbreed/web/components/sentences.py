"""Describes a pet in one plain sentence without figures, and formats numbers, times and dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from babel.dates import format_date

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.i18n import ENGLISH, gettext, language, mark, ngettext
from smartbreed.inference.results import Guess, Identification, Pet, Reason
from smartbreed.training_jobs.accepted_photos import VisitorsBreed

#: One colour per pet, legible under white digits and on photos of any brightness.
_COLOURS = ("#b3451a", "#1f6f8b", "#5b7a1f", "#7d4aa3", "#a3324f", "#8a6a10")
_SURE = 0.85
_PROBABLE = 0.6
#: A probability below this is shown as "< 1 %".
_LEAST = 0.005
_SPECIES = {"cat": mark("Cat"), "dog": mark("Dog")}
_ANIMALS = {"cat": mark("A cat"), "dog": mark("A dog")}
_REASONS = {
    "colourless": mark("without colour I cannot tell the breed"),
    "small": mark("too small to tell the breed"),
    "dark": mark("too dark to tell the breed"),
    "noisy": mark("too noisy to tell the breed"),
    "blurred": mark("too blurred to tell the breed"),
}
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentence(pet: Pet) -> str:
    """Describe a pet in one sentence.

    For example "Border Terrier, quite sure", "A schnauzer; the size is unclear" or
    "A cat, but no breed I know".
    """
    first = pet.breeds[0]
    if pet.verdict == "breed":
        return f"{first.name}, {certainty(pet)}"
    if pet.verdict == "group":
        if pet.group.id in GROUPS:
            return group_sentence(pet.group.id)
        return gettext("Possibly %(group)s, but I am not certain", group=pet.group.name)
    return unknown_sentence(pet.species, pet.reason)


def group_sentence(group_id: str) -> str:
    """Describe a group, such as "A schnauzer; the size is unclear"."""
    group = GROUPS[group_id]
    return f"{gettext(group.phrase)}; {gettext(group.unclear)}"


def unknown_sentence(species: str, reason: Reason) -> str:
    """Describe a pet of unknown breed and group, with the reason if it is known."""
    if reason == "other":
        return gettext("This looks like an animal, but not like a dog or cat I know")
    if not species:  # the model is not about pets
        return gettext("Nothing that I know for certain")
    animal = gettext(_ANIMALS[species])
    if reason:
        return f"{animal}; {gettext(_REASONS[reason])}"
    return gettext("%(animal)s, but no breed I know", animal=animal)


def certainty(pet: Pet) -> str:
    """Say how sure the model is of the breed that it names; empty if it names none."""
    if pet.verdict != "breed":
        return ""
    probability = pet.breeds[0].probability
    if probability >= _SURE:
        return gettext("quite sure")
    return gettext("probably") if probability >= _PROBABLE else gettext("perhaps")


def likely(guesses: Sequence[Guess]) -> list[Guess]:
    """Return the first guess, and those others that would not be shown as "< 1 %"."""
    return [*guesses[:1], *(guess for guess in guesses[1:] if guess.probability > _LEAST)]


def short_name(pet: Pet) -> str:
    """Return a label that fits beside a box: the breed, the group without its article, or the species."""
    if pet.verdict == "breed":
        return pet.breeds[0].name
    if pet.verdict == "group" and pet.group.id in GROUPS:
        words = gettext(GROUPS[pet.group.id].phrase).split(" ", 1)[-1]
        return words[:1].upper() + words[1:]
    if pet.reason == "other":
        return gettext("Another animal")
    return gettext(_SPECIES[pet.species]) if pet.species else gettext("Unknown")


def found(answer: Identification) -> str:
    """Say what was found, such as "Two pets found", "No pet found" or "Three photos, one answer"."""
    if answer.combined > 1:
        return gettext("%(count)s photos, one answer", count=count(answer.combined).capitalize())
    if answer.whole:
        pets = all(pet.species for pet in answer.pets)
        return gettext("The whole picture, treated as one pet") if pets else gettext("The whole picture")
    number = len(answer.pets)
    if not number:
        return gettext("No pet found")
    return ngettext("%(count)s pet found", "%(count)s pets found", number, count=count(number).capitalize())


def added(breed: VisitorsBreed) -> str:
    """Say how many photos of a breed visitors added, and whether the model has learnt it.

    For example "20 photos by three people; the model knows it." or "Three photos by one person; two more are
    needed to learn it."
    """
    photos = ngettext("%(count)s photo", "%(count)s photos", breed.counting, count=count(breed.counting))
    if breed.counting < breed.photos:
        photos = gettext("%(photos)s of %(all)s count", photos=photos, all=breed.photos)
    if breed.people:
        people = ngettext("%(count)s person", "%(count)s people", breed.people, count=count(breed.people))
        photos = gettext("%(photos)s by %(people)s", photos=photos, people=people)
    if breed.known:
        rest = gettext("the model knows it.")
    elif breed.missing:
        rest = ngettext(
            "%(count)s more is needed to learn it.", "%(count)s more are needed to learn it.",
            breed.missing, count=count(breed.missing),
        )  # fmt: skip
    else:
        rest = gettext("the next version can learn it.")
    return f"{photos[:1].upper()}{photos[1:]}; {rest}"


def count(number: int) -> str:
    """Write a number up to ten as a word in English; in other languages words inflect, so use digits."""
    words = language() == ENGLISH and 0 <= number < len(_SMALL)
    return _SMALL[number] if words else str(number)


def percent(probability: float) -> str:
    """Format a probability, such as "62 %"; "< 1 %" and "> 99 %" stand for what is nearly 0 or 1."""
    if 0 < probability <= _LEAST:
        return "< 1 %"
    if 0.995 <= probability < 1:
        return "> 99 %"
    return f"{probability:.0%}".replace("%", " %")


def span(seconds: float) -> str:
    """Format a duration, such as "8 s", "1 min 12 s" or "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def day(date: dt.date) -> str:
    """Format a date in the page's language, such as "3 May 2026"."""
    code = language()
    return f"{date:%-d %B %Y}" if code == ENGLISH else format_date(date, "long", locale=code)


def colour(number: int) -> str:
    """Return the colour of pet ``number`` (from 1)."""
    return _COLOURS[(number - 1) % len(_COLOURS)]
