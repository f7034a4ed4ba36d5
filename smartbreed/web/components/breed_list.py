"""Every list in which a person chooses a breed: what it offers, and how it is searched.

Gradio's dropdown looks for what is typed anywhere in a choice's text, so each text holds the name, every
alias and their spellings without accents. ``breed_list.js`` does the rest for whatever `breed_dropdown`
makes: it selects the text when the field gets the focus, so that typing replaces it, and says so when no
breed matches.
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

#: Value of the choice for a breed that no list has.
OTHER = "other"
_OTHER = mark("A breed that is not listed (other, unknown, mixed) …")
#: The value of a choice of `unknown_choices` is this and a name.
UNKNOWN_PREFIX = "unknown:"
#: By it ``breed_list.js`` finds these lists.
CSS_CLASS = "sb-breeds"

#: ``(text, id)`` each.
Choices = list[tuple[str, str]]


def breed_dropdown(choices: Choices, **more: Any) -> gr.Dropdown:
    """A dropdown of breeds; ``more`` goes to `gr.Dropdown`."""
    classes = more.pop("elem_classes", [])
    classes = [classes] if isinstance(classes, str) else list(classes)
    return gr.Dropdown(choices, elem_classes=[CSS_CLASS, *classes], **more)


def other_choice() -> tuple[str, str]:
    """The choice for a breed that no list has."""
    return gettext(_OTHER), OTHER


def breed_choices(
    breeds: Iterable[Breed], likely: Sequence[Guess] = (), new: Iterable[Breed] = ()
) -> Choices:
    """``(text, id)``: the likeliest with their probabilities, then new ones, then all others by name.

    Args:
        breeds: what can be chosen.
        likely: what the model takes the pet for, the likeliest first; may name what ``breeds`` lacks.
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
    """Common breeds that no model of ours has learnt, for those who know that it is one.

    Args:
        known: what the model names; it may have learnt some since.
    """
    learnt = {term.casefold() for breed in known for term in (breed.name, *breed.aliases)}
    return [
        (breed_text(breed.name, breed.aliases, gettext("not learnt yet")), UNKNOWN_PREFIX + breed.name)
        for breed in UNKNOWN.values()
        if breed.name.casefold() not in learnt
    ]


def breed_text(name: str, aliases: Sequence[str] = (), note: str = "") -> str:
    """What a list shows and searches: ``Pug · 91% (Carlin, Mops)``."""
    terms = dict.fromkeys(aliases)
    terms |= dict.fromkeys(plain for term in (name, *aliases) if (plain := _without_accents(term)) != term)
    also = f" ({', '.join(terms)})" if terms else ""
    return (f"{name} · {note}" if note else name) + also


@lru_cache(maxsize=4)
def catalogue(known: tuple[Breed, ...] = ()) -> tuple[Breed, ...]:
    """The catalogue and what the model names beside it.

    Args:
        known: what the model names. Where none of it is in the catalogue, the model is about
            something else, and only its own labels are offered.
    """
    ours = any(breed.id in BREEDS for breed in known) or not known
    every = {**(BREEDS if ours else {}), **{breed.id: breed for breed in known}}
    return tuple(every.values())


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
