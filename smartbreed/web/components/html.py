"""The page's HTML fragments: pure functions, every value from outside escaped."""

from __future__ import annotations

import html
from pathlib import Path

from smartbreed.core.errors import SmartBreedError
from smartbreed.inference.results import Identification, Pet
from smartbreed.web.components.sentences import found, percent, sentence

#: One colour a pet, legible with white figures on them and on photos of any brightness.
COLOURS = ("#b3451a", "#1f6f8b", "#5b7a1f", "#7d4aa3", "#a3324f", "#8a6a10")

_LOGO = Path(__file__).parents[1] / "static" / "logo.svg"


def colour(number: int) -> str:
    """Colour of pet ``number`` (from 1)."""
    return COLOURS[(number - 1) % len(COLOURS)]


def escape(text: str) -> str:
    """Safe inside gr.HTML, which also runs its content through a template engine."""
    return html.escape(text).translate(
        {ord("{"): "&#123;", ord("}"): "&#125;", ord("$"): "&#36;", ord("`"): "&#96;"}
    )


def header(title: str = "", about: str = "") -> str:
    """The head of a page.

    Args:
        title: of a model that introduces itself; empty: ours.
        about: its line; empty: ours.
    """
    logo = _LOGO.read_text(encoding="utf-8")
    about = about or "Every cat and dog in your photo: found, named, and explained."
    return (
        f'<header class="sb-header"><span class="sb-logo" aria-hidden="true">{logo}</span>'
        f"<div><h1>{escape(title or 'SmartBreed')}</h1>"
        f"<p>{escape(about)}</p></div></header>"
    )


def pet_text(pet: Pet, number: int, combined: int = 1) -> str:
    """Heading, sentence and bars of one pet."""
    bars = "".join(
        f'<li><span class="sb-name">{escape(guess.name)}</span>'
        f'<span class="sb-percent">{percent(guess.probability)}</span>'
        f'<span class="sb-bar" aria-hidden="true"><i style="width:{max(guess.probability, 0.007):.1%}"></i>'
        "</span></li>"
        for guess in pet.breeds
    )
    group = ""
    if pet.verdict == "group":
        group = f'<p class="sb-note">{escape(pet.group.name)} together: {percent(pet.group.probability)}</p>'
    elif pet.verdict == "unknown":
        group = '<p class="sb-note">None of these is likely enough to be an answer.</p>'
    together = f'<span class="sb-tag">{combined} photos combined</span>' if combined > 1 else ""
    said = escape(sentence(pet))
    return (
        f'<div class="sb-pet sb-{pet.verdict}" style="--pet:{colour(number)}" data-alt="{said}">'
        f'<h3><span class="sb-number" aria-label="Pet {number}">{number}</span>{said}{together}</h3>'
        f'<ol class="sb-bars" aria-label="Most likely breeds">{bars}</ol>{group}</div>'
    )


def caption(breed: str, method: str) -> str:
    """What the overlay shows."""
    return (
        f'<p class="sb-caption">What speaks for <b>{escape(breed)}</b>, by {escape(method)}. '
        "Bright is strong; drag the handle to compare.</p>"
    )


def status(answer: Identification) -> str:
    """The headline over the cards."""
    detail = ""
    if not answer.pets:
        detail = (
            "<p>I looked for cats and dogs and saw none. If there is one, perhaps small or half hidden, "
            "I can take the whole picture as the pet.</p>"
        )
    elif answer.combined > 1:
        detail = (
            "<p>Taken as pictures of the same pet; their average is more reliable than any one of them.</p>"
        )
    name = (
        f'<span class="sb-file">{escape(answer.image)}</span>'
        if answer.image and answer.combined == 1
        else ""
    )
    return f'<div class="sb-status"><h2>{escape(found(answer))}{name}</h2>{detail}</div>'


def welcome(pets: bool = True) -> str:
    """What to do here.

    Args:
        pets: the model finds pets; else it takes whole pictures of whatever it knows.
    """
    if not pets:
        return (
            '<div class="sb-status sb-welcome"><h2>What is it?</h2><p>Add a picture: you will see what it '
            "shows, or an honest “I don’t know”, where the model looked, and a way to put it right.</p></div>"
        )
    return (
        '<div class="sb-status sb-welcome"><h2>Which breed is it?</h2>'
        "<p>Add a photo and you will see</p>"
        "<ul><li><b>every cat and dog</b> in it, each with its own card,</li>"
        "<li><b>a plain answer</b>, or an honest “I don’t know”,</li>"
        "<li><b>where the model looked</b>, for any breed you ask about,</li>"
        "<li>and a way to <b>put it right</b> when it is wrong.</li></ul></div>"
    )


def failure(error: SmartBreedError, name: str = "") -> str:
    """A photo that cannot be used: the error's own sentence."""
    file = f'<span class="sb-file">{escape(name)}</span>' if name else ""
    said = escape(error.message)
    return f'<div class="sb-status sb-failed"><h2>This photo did not work{file}</h2><p>{said}</p></div>'


def problem(error: SmartBreedError) -> str:
    """Something else went wrong; announced at once."""
    return f'<p class="sb-problem" role="alert">{escape(error.message)}</p>'


def draw_hint() -> str:
    """How to show where a missed pet is; ``box.js`` fills in where the box is."""
    return (
        '<p class="sb-draw-hint">Draw a box around it on the photo above, or tap its middle and drag the '
        "corners. On the keyboard, arrow keys move the box and Shift with arrow keys resizes it."
        '<output data-box-status="photo"></output></p>'
    )


def thanks(created: bool, waiting: int = 0) -> str:
    """Shown only after the answer lies on the disk."""
    text = "Your answer is saved." if created else "You had told us so before, and it is saved."
    return (
        f'<p class="sb-thanks"><b>Thank you!</b> {text} Corrections like yours become the next model.</p>'
        f"{unpublished(waiting)}"
    )


def receipt(flag_id: str, proof: str) -> str:
    """What takes a flag back later, from anywhere."""
    return (
        '<details class="sb-note"><summary>Receipt, to take it back later</summary>'
        f"Flag <code>{escape(flag_id)}</code>, receipt <code>{escape(proof)}</code>; "
        'see <a href="/api/docs">the API</a>.</details>'
    )


def unpublished(waiting: int) -> str:
    """What of all answers is safe here and not in the dataset yet; nothing when nothing is."""
    return note(f"Saved here, waiting to be published ({waiting}).") if waiting else ""


def note(text: str) -> str:
    return f'<p class="sb-note">{escape(text)}</p>' if text else ""


def consent() -> str:
    """What is stored when a person flags."""
    return (
        '<details class="sb-consent"><summary>What is saved, and what becomes of it?</summary>'
        "<p>The photo without its metadata (no place, date or camera), the boxes, what the model said and "
        "what you say, and a random number of this browser turned into a code, so that your answers can be "
        "told from other people’s. No name, no address.</p>"
        "<p>Answers are reviewed and join a public dataset that the next model learns from; the page “How it "
        "learns” may show them. So please flag only photos that are yours to share, without people in them. "
        "You can take an answer back.</p>"
        "</details>"
    )


def footer(answer: Identification | None, version: str) -> str:
    """Which model answered and how long it took.

    Args:
        answer: the one shown; None: there is none yet.
        version: of the model that answers now.
    """
    if answer is None:
        return f'<p class="sb-footer">Model {escape(version)}</p>'
    model = answer.model
    changed = ""
    if model.version != version:
        changed = f" · version {escape(version)} answers now; add the photo again to ask it"
    return (
        f'<p class="sb-footer">Answered by {escape(model.repo)} {escape(model.version)} '
        f"(revision <code>{escape(model.revision[:10])}</code>) in {answer.milliseconds:.0f} ms{changed}</p>"
    )
