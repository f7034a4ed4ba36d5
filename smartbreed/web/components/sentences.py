"""The answer about a pet in one plain sentence without figures; numbers as people read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from babel.dates import format_date

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.i18n import ENGLISH, gettext, language, mark, ngettext
from smartbreed.inference.results import Guess, Identification, Pet, Reason
from smartbreed.training_jobs.accepted_photos import VisitorsBreed

#: One colour a pet, legible with white figures on them and on photos of any brightness.
_COLOURS = ("#b3451a", "#1f6f8b", "#5b7a1f", "#7d4aa3", "#a3324f", "#8a6a10")
_SURE = 0.85
_PROBABLE = 0.6
#: Below it a probability is shown as "< 1 %".
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
    """ "Border Terrier, quite sure" · "A schnauzer; the size is unclear" · "A cat, but no breed I know"."""
    first = pet.breeds[0]
    if pet.verdict == "breed":
        return f"{first.name}, {certainty(pet)}"
    if pet.verdict == "group":
        if pet.group.id in GROUPS:
            return group_sentence(pet.group.id)
        return gettext("Possibly %(group)s, but I am not certain", group=pet.group.name)
    return unknown_sentence(pet.species, pet.reason)


def group_sentence(group_id: str) -> str:
    """ "A schnauzer; the size is unclear"."""
    group = GROUPS[group_id]
    return f"{gettext(group.phrase)}; {gettext(group.unclear)}"


def unknown_sentence(species: str, reason: Reason) -> str:
    """What is said where neither breed nor group is; why not, where that is known."""
    if reason == "other":
        return gettext("This looks like an animal, but not like a dog or cat I know")
    if not species:  # a model of something else
        return gettext("Nothing that I know for certain")
    animal = gettext(_ANIMALS[species])
    if reason:
        return f"{animal}; {gettext(_REASONS[reason])}"
    return gettext("%(animal)s, but no breed I know", animal=animal)


def certainty(pet: Pet) -> str:
    """How sure the model is of the breed that it names; empty where it names none."""
    if pet.verdict != "breed":
        return ""
    probability = pet.breeds[0].probability
    if probability >= _SURE:
        return gettext("quite sure")
    return gettext("probably") if probability >= _PROBABLE else gettext("perhaps")


def likely(guesses: Sequence[Guess]) -> list[Guess]:
    """The first, and of the others those that would not be shown as "< 1 %"."""
    return [*guesses[:1], *(guess for guess in guesses[1:] if guess.probability >= _LEAST)]


def short_name(pet: Pet) -> str:
    """What fits beside a box: the breed, the group without its article, or the species."""
    if pet.verdict == "breed":
        return pet.breeds[0].name
    if pet.verdict == "group" and pet.group.id in GROUPS:
        words = gettext(GROUPS[pet.group.id].phrase).split(" ", 1)[-1]
        return words[:1].upper() + words[1:]
    if pet.reason == "other":
        return gettext("Another animal")
    return gettext(_SPECIES[pet.species]) if pet.species else gettext("Unknown")


def found(answer: Identification) -> str:
    """ "Two pets found" · "No pet found" · "Three photos, one answer"."""
    if answer.combined > 1:
        return gettext("%(count)s photos, one answer", count=count(answer.combined).capitalize())
    if answer.whole:
        pets = all(pet.species for pet in answer.pets)
        return gettext("The whole picture, taken as one pet") if pets else gettext("The whole picture")
    number = len(answer.pets)
    if not number:
        return gettext("No pet found")
    return ngettext("%(count)s pet found", "%(count)s pets found", number, count=count(number).capitalize())


def added(breed: VisitorsBreed) -> str:
    """ "20 photos by 3 people; the model knows it." · "3 photos by one person; 2 more are needed." """
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
    """A small number as a word, a larger one in digits; digits alone in languages whose words inflect."""
    words = language() == ENGLISH and 0 <= number < len(_SMALL)
    return _SMALL[number] if words else str(number)


def percent(probability: float) -> str:
    """ "62 %"; never "0 %" or "100 %" for what is neither."""
    if 0 < probability < _LEAST:
        return "< 1 %"
    if 0.995 <= probability < 1:
        return "> 99 %"
    return f"{probability:.0%}".replace("%", " %")


def span(seconds: float) -> str:
    """ "8 s" · "1 min 12 s" · "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def day(date: dt.date) -> str:
    """ "3 May 2026", as the language of the page writes it."""
    code = language()
    return f"{date:%-d %B %Y}" if code == ENGLISH else format_date(date, "long", locale=code)


def colour(number: int) -> str:
    """Colour of pet ``number`` (from 1)."""
    return _COLOURS[(number - 1) % len(_COLOURS)]
