"""The answer about a pet in one plain sentence without figures; numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.inference.results import Guess, Identification, Pet
from smartbreed.training_jobs.accepted_photos import VisitorsBreed

#: One colour a pet, legible with white figures on them and on photos of any brightness.
_COLOURS = ("#b3451a", "#1f6f8b", "#5b7a1f", "#7d4aa3", "#a3324f", "#8a6a10")
_SURE = 0.85
_PROBABLE = 0.6
#: Below it a probability is shown as "< 1 %".
_LEAST = 0.005
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentence(pet: Pet) -> str:
    """ "Border Terrier, quite sure" · "A schnauzer; the size is unclear" · "A cat, but no breed I know"."""
    first = pet.breeds[0]
    if pet.verdict == "breed":
        return f"{first.name}, {certainty(pet)}"
    if pet.verdict == "group":
        if pet.group.id in GROUPS:
            group = GROUPS[pet.group.id]
            return f"{group.phrase}; {group.unclear}"
        return f"Possibly {pet.group.name}, but I am not certain"
    if pet.reason == "other":
        return "This looks like an animal, but not like a dog or cat I know"
    if not pet.species:  # a model of something else
        return "Nothing that I know for certain"
    if pet.reason:
        why = "without colour I cannot" if pet.reason == "colourless" else f"too {pet.reason} to"
        return f"{_article(pet.species)} {pet.species}; {why} tell the breed"
    return f"{_article(pet.species)} {pet.species}, but no breed I know"


def certainty(pet: Pet) -> str:
    """How sure the model is of the breed that it names; empty where it names none."""
    if pet.verdict != "breed":
        return ""
    probability = pet.breeds[0].probability
    return "quite sure" if probability >= _SURE else "probably" if probability >= _PROBABLE else "perhaps"


def likely(guesses: Sequence[Guess]) -> list[Guess]:
    """The first, and of the others those that would not be shown as "< 1 %"."""
    return [*guesses[:1], *(guess for guess in guesses[1:] if guess.probability >= _LEAST)]


def short_name(pet: Pet) -> str:
    """What fits beside a box: the breed, the group without its article, or the species."""
    if pet.verdict == "breed":
        return pet.breeds[0].name
    if pet.verdict == "group" and pet.group.id in GROUPS:
        words = GROUPS[pet.group.id].phrase.split(" ", 1)[-1]
        return words[:1].upper() + words[1:]
    return "Another animal" if pet.reason == "other" else pet.species.capitalize() or "Unknown"


def found(answer: Identification) -> str:
    """ "Two pets found" · "No pet found" · "Three photos, one answer"."""
    if answer.combined > 1:
        return f"{count(answer.combined).capitalize()} photos, one answer"
    if answer.whole:
        pets = all(pet.species for pet in answer.pets)
        return "The whole picture, taken as one pet" if pets else "The whole picture"
    return f"{count(len(answer.pets)).capitalize()} {'pet' if len(answer.pets) < 2 else 'pets'} found"


def added(breed: VisitorsBreed) -> str:
    """ "20 photos by 3 people; the model knows it." · "3 photos by one person; 2 more are needed." """
    photos = f"{count(breed.counting)} {'photo' if breed.counting == 1 else 'photos'}"
    if breed.counting < breed.photos:
        photos += f" of {breed.photos} count"
    if breed.people:
        photos += f" by {count(breed.people)} {'person' if breed.people == 1 else 'people'}"
    if breed.known:
        rest = "the model knows it."
    elif breed.missing:
        rest = f"{count(breed.missing)} more {'is' if breed.missing == 1 else 'are'} needed to learn it."
    else:
        rest = "the next version can learn it."
    return f"{photos[:1].upper()}{photos[1:]}; {rest}"


def count(number: int) -> str:
    """A small number as a word, a larger one in digits."""
    return _SMALL[number] if 0 <= number < len(_SMALL) else str(number)


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


def colour(number: int) -> str:
    """Colour of pet ``number`` (from 1)."""
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _article(noun: str) -> str:
    return "An" if noun[:1].lower() in "aeiou" else "A"
