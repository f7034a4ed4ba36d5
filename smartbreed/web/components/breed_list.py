"""The dropdowns in which people choose a breed: their choices, and how they are searched.

Gradio's dropdown searches for the typed text anywhere in a choice's text, so each text holds the name, every
alias and their spellings without accents. ``breed_list.js`` does the rest for every dropdown from
`breed_dropdown`: it selects the text when the field gets the focus, so that typing replaces it, and shows a
message when no breed matches.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import gradio as gr

from smartbreed.breeds.catalogue import BREEDS, UNKNOWN, Breed
from smartbreed.i18n import gettext, mark
from smartbreed.inference.results import Guess
from smartbreed.web.components.sentences import percent

#: Value of the choice for a breed that is not listed.
OTHER = "other"
_OTHER = mark("A breed that is not listed (other, unknown, mixed) …")
#: Prefix of the values of `unknown_choices`; the breed's name follows.
UNKNOWN_PREFIX = "unknown:"
#: CSS class by which ``breed_list.js`` finds these dropdowns.
CSS_CLASS = "sb-breeds"

#: Choices of a dropdown, each as ``(text, id)``.
Choices = list[tuple[str, str]]


def breed_dropdown(choices: Choices, **more: Any) -> gr.Dropdown:
    """Return a dropdown of breeds; ``more`` is passed to `gr.Dropdown`."""
    classes = more.pop("elem_classes", [])
    classes = [classes] if isinstance(classes, str) else list(classes)
    return gr.Dropdown(choices, elem_classes=[CSS_CLASS, *classes], **more)


def other_choice() -> tuple[str, str]:
    """Return the choice for a breed that is not listed."""
    return gettext(_OTHER), OTHER


def breed_choices(
    breeds: Iterable[Breed], likely: Sequence[Guess] = (), new: Iterable[Breed] = ()
) -> Choices:
    """Return the likeliest breeds with their probabilities, then new ones, then all others by name.

    Args:
        breeds: breeds that can be chosen.
        likely: the model's guesses, likeliest first; they may include breeds that ``breeds`` lacks.
        new: breeds that reviewers introduced.
    """
    introduced = {breed.id: breed for breed in new}
    every = {**{breed.id: breed for breed in breeds}, **introduced}
    shown: dict[str, str] = {}
    for guess in likely:
        known = every.get(guess.id)
        shown[guess.id] = breed_text(guess.name, known.aliases if known else (), percent(guess.probability))
    for breed in introduced.values():
        shown.setdefault(breed.id, breed_text(breed.name, breed.aliases, gettext("new")))
    for breed in sorted(every.values(), key=lambda breed: breed.name.casefold()):
        shown.setdefault(breed.id, breed_text(breed.name, breed.aliases))
    return [(text, breed) for breed, text in shown.items()]


def unknown_choices(known: Iterable[Breed] = ()) -> Choices:
    """Return choices for common breeds that the model has not learnt yet.

    Args:
        known: breeds that the model can name; they are left out.
    """
    learnt = {term.casefold() for breed in known for term in (breed.name, *breed.aliases)}
    return [
        (breed_text(breed.name, breed.aliases, gettext("not learnt yet")), UNKNOWN_PREFIX + breed.name)
        for breed in UNKNOWN.values()
        if breed.name.casefold() not in learnt
    ]


def breed_text(name: str, aliases: Sequence[str] = (), note: str = "") -> str:
    """Return the text that a list shows and searches, such as ``Pug · 91 % (Carlin, Mops)``."""
    terms = dict.fromkeys(aliases)
    terms |= dict.fromkeys(plain for term in (name, *aliases) if (plain := _without_accents(term)) != term)
    also = f" ({', '.join(terms)})" if terms else ""
    return (f"{name} · {note}" if note else name) + also


@lru_cache(maxsize=4)
def catalogue(known: tuple[Breed, ...] = ()) -> tuple[Breed, ...]:
    """Return the catalogue's breeds and those that only the model can name.

    Args:
        known: breeds that the model can name. If none of them is in the catalogue, the model is about
            something else, and only its own labels are returned.
    """
    ours = any(breed.id in BREEDS for breed in known) or not known
    every = {**(BREEDS if ours else {}), **{breed.id: breed for breed in known}}
    return tuple(every.values())


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
