"""The buttons and the form under a card with which people flag answers as right or wrong.

`FlagForm` shows its thanks only after `Services.flag` has returned a receipt, so nothing is
confirmed before it is saved.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import gradio as gr

from smartbreed.breeds.catalogue import BREEDS, UNKNOWN, Breed
from smartbreed.core.errors import FlagError, PhotoError, SmartBreedError
from smartbreed.i18n import gettext
from smartbreed.inference.results import Pet
from smartbreed.services import Services, explain_failure
from smartbreed.web.api.client import calling_client, calling_member
from smartbreed.web.components.breed_list import (
    OTHER,
    UNKNOWN_PREFIX,
    Choices,
    breed_choices,
    breed_dropdown,
    catalogue,
    other_choice,
    unknown_choices,
)
from smartbreed.web.components.drawn_box import corners
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.session import Session, read_view

Updates = dict[Any, Any]
#: Guesses offered as chips when a breed is corrected.
_CHIPS = 4


def new_browser_state() -> gr.BrowserState:
    """Return the state kept in the browser: the person's consent, and a random token that identifies them.

    The "secret" only obfuscates the stored text, because the browser knows it too. It is fixed so that
    people are not asked again after a restart of the server.
    """
    return gr.BrowserState(None, storage_key="smartbreed-flags", secret="smartbreed-flags")


def remembered(browser: Any) -> tuple[bool, str]:
    """Return ``(consent, token)`` from a browser's state, which may hold anything.

    A token with a space is rejected because `save_flag` stores members as ``member <id>``.
    """
    if not isinstance(browser, dict):
        return False, ""
    token = browser.get("token")
    if not isinstance(token, str) or not 16 <= len(token) <= 100 or " " in token:
        token = ""
    return browser.get("consent") is True, token


def _known(session: Session) -> tuple[Breed, ...]:
    """Return the breeds that the answering model can name."""
    answer = session.answer
    return answer.labels.breeds if answer and answer.labels else ()


def _listed(known: tuple[Breed, ...]) -> Choices:
    """Return the form's choices: breeds that the model can name, common ones that it cannot, and "other"."""
    every = catalogue(known)
    ours = any(breed.id in BREEDS for breed in every)
    return [*breed_choices(every), *(unknown_choices(every) if ours else []), other_choice()]


def _own_words(breed: str | None, words: str) -> str:
    """Return the chosen or typed name of a breed that the model cannot name; else an empty string."""
    if breed == OTHER:
        return words
    return str(breed or "").removeprefix(UNKNOWN_PREFIX) if _is_unknown(breed) else ""


def _is_unknown(breed: Any) -> bool:
    return isinstance(breed, str) and breed.startswith(UNKNOWN_PREFIX)


def waiting(services: Services) -> int:
    """Return the number of saved flags that are not in the dataset yet; 0 if it cannot be read."""
    try:
        return services.publishing().waiting
    except SmartBreedError:
        return 0


class FlagForm:
    """The form of one card, or of the photo as a whole.

    Args:
        services: saves the flags.
        session: the visitor's `Session`.
        browser: from `new_browser_state`.
        number_of: returns the number (from 1) of the form's pet in a session; None if the form is for
            the whole photo.
        name: prefix of the ids of this form's elements.
    """

    def __init__(
        self,
        services: Services,
        session: gr.State,
        browser: gr.BrowserState,
        number_of: Callable[[Session], int] | None,
        name: str,
    ) -> None:
        self.services = services
        self.session = session
        self.browser = browser
        self.number_of = number_of
        self.name = name
        self.verdict = gr.State("")
        self.receipt = gr.State("")
        verdicts = [
            ("correct", gettext("That’s right")),
            ("wrong", gettext("Wrong breed")),
            ("not_a_pet", gettext("Not a pet")),
            ("unsure", gettext("I can’t tell either")),
        ]
        if number_of is None:
            verdicts = [("missed", gettext("A pet was missed"))]
        with gr.Row(elem_classes="sb-verdicts", elem_id=f"{name}-verdicts") as self.buttons_row:
            self.buttons = {
                verdict: gr.Button(
                    text, size="sm", min_width=60, elem_id=f"{name}-{verdict.replace('_', '-')}"
                )
                for verdict, text in verdicts
            }
        with gr.Column(visible=False, elem_classes="sb-form", elem_id=f"{name}-form") as self.panel:
            self.heading = gr.HTML()
            if number_of is not None:  # offer the next guesses before the full list
                self.guesses = gr.Radio(
                    [], label=gettext("Is it one of these?"), visible=False, elem_id=f"{name}-guesses",
                    elem_classes="sb-chips",
                )  # fmt: skip
            else:
                gr.HTML(each_language(html.draw_hint))
                self.species = gr.Radio(
                    [(gettext("Dog"), "dog"), (gettext("Cat"), "cat")], value=None,
                    label=gettext("Is it a dog or a cat?"),
                    elem_id=f"{name}-species",
                )  # fmt: skip
                self.where = gr.Textbox(visible=False)
            self.breed = breed_dropdown(
                [], value=None, label=gettext("Which breed is it?"), elem_id=f"{name}-breed",
                info=gettext("Type to search; older and common names work too."),
            )  # fmt: skip
            self.words = gr.Textbox(
                label=gettext("In your own words"), max_length=80, visible=False, elem_id=f"{name}-words",
                placeholder=gettext("For instance: Mudi, or Labrador and Poodle mix"),
            )  # fmt: skip
            self.consent = gr.Checkbox(
                label=gettext("I agree that this photo and my answer are kept and published"),
                elem_id=f"{name}-consent",
            )
            gr.HTML(each_language(html.consent))
            with gr.Row(elem_classes="sb-actions"):
                self.save = gr.Button(
                    gettext("Save my answer"), variant="primary", size="sm", elem_id=f"{name}-save"
                )
                self.cancel = gr.Button(gettext("Cancel"), size="sm", elem_id=f"{name}-cancel")
        self.status = gr.HTML(elem_classes="sb-live", elem_id=f"{name}-status")
        self.undo = gr.Button(
            gettext("Take it back"), size="sm", visible=False, elem_classes="sb-link", elem_id=f"{name}-undo"
        )
        self.outputs = [
            *self.buttons.values(),
            self.verdict, self.receipt, self.buttons_row, self.panel, self.heading, self.breed, self.words,
            self.consent, self.save, self.status, self.undo,
            *([self.guesses] if number_of else [self.species]),
        ]  # fmt: skip

    def reset(self, status: str = "") -> Updates:
        """Return updates that show the buttons again, as for a new photo."""
        return {
            self.verdict: "",
            self.receipt: "",
            self.buttons_row: gr.update(visible=True),
            self.panel: gr.update(visible=False),
            self.breed: gr.update(value=None),
            self.words: gr.update(value="", visible=False),
            self.status: status,
            self.undo: gr.update(visible=False),
            **({self.guesses: gr.update(value=None)} if self.number_of else {self.species: None}),
        }

    def offer(self, pet: Pet) -> Updates:
        """Return updates for buttons that fit the answer about a pet.

        "That's right" is saved as the likeliest breed, so it is hidden if the answer names no breed.
        """
        named = pet.verdict == "breed"
        return {
            self.buttons["correct"]: gr.update(visible=named),
            self.buttons["wrong"]: gr.update(
                value=gettext("Wrong breed") if named else gettext("I know the breed")
            ),
        }

    def wire(self) -> None:
        """Attach the events; all of them are hidden from the API."""
        quiet: dict[str, Any] = {
            "api_visibility": "private",
            "concurrency_limit": None,
            "show_progress": "hidden",
        }
        outputs = [*self.outputs, self.browser]
        # If a control with the keyboard focus vanishes, the focus would jump to the top of the page.
        focus: dict[str, Any] = {"fn": None, "js": f"() => smartbreed.focus('{self.name}')"}
        for verdict, button in self.buttons.items():
            button.click(self._chooser(verdict), [self.session, self.browser], outputs, **quiet).then(**focus)
        chosen = [self.words, self.status]
        if self.number_of:
            self.guesses.input(
                lambda breed: (breed, gr.update(visible=False), ""),
                self.guesses, [self.breed, self.words, self.status], **quiet,
            )  # fmt: skip
            chosen.append(self.guesses)
        self.breed.input(self._chosen, self.breed, chosen, **quiet)
        answer = [self.session, self.browser, self.verdict, self.breed, self.words, self.consent]
        if self.number_of is None:  # the browser knows the box of a missed pet
            answer += [self.species, self.where]
            quiet_save = {
                **quiet,
                "js": f"(...all) => [...all.slice(0, -1), smartbreedBox.value('{self.name}')]",
            }
        else:
            quiet_save = quiet
        self.save.click(self._save, answer, outputs, **quiet_save).then(**focus)
        self.cancel.click(self.reset, None, self.outputs, **quiet).then(**focus)
        self.undo.click(self._take_back, [self.receipt, self.browser], self.outputs, **quiet).then(**focus)

    def _chooser(self, verdict: str) -> Callable[[Session, Any], Updates]:
        def choose(session: Session, browser: Any) -> Updates:
            agreed, _ = remembered(browser)
            if agreed and verdict in ("correct", "not_a_pet", "unsure"):
                return self._save(session, browser, verdict, None, "", True)
            headings = {
                "correct": gettext("Good to hear. Shall it be kept as an example?"),
                "wrong": gettext("Thank you for helping it learn."),
                "not_a_pet": gettext("Not a pet, then."),
                "unsure": gettext("It is not clear to you either; that is worth knowing too."),
                "missed": gettext("Which pet was missed?"),
            }
            return {
                self.verdict: verdict,
                self.buttons_row: gr.update(visible=False),
                self.panel: gr.update(visible=True),
                self.heading: html.heading(headings[verdict]),
                **self._offered(session, verdict),
                self.breed: gr.update(
                    visible=verdict in ("wrong", "missed"), value=None,
                    choices=_listed(_known(session)),
                    label=gettext("Which breed is it?")
                    if verdict == "wrong"
                    else gettext("Which breed is it? (if you know)"),
                ),
                self.words: gr.update(visible=False, value=""),
                self.consent: agreed,
                self.status: "",
                self.undo: gr.update(visible=False),
            }  # fmt: skip

        return choose

    def _chosen(self, breed: str | None) -> Updates:
        """Handle a choice: ask for the name of an unlisted breed, and say if the breed is not learnt yet."""
        said = ""
        if _is_unknown(breed):
            said = html.not_learnt(self._people_who_named(_own_words(breed, "")))
        return {
            self.words: gr.update(visible=breed == OTHER),
            self.status: said,
            **({self.guesses: None} if self.number_of else {}),
        }

    def _people_who_named(self, name: str) -> int:
        unknown = UNKNOWN.get(name)
        try:
            return self.services.flags.people_who_named(name, *(unknown.aliases if unknown else ()))
        except SmartBreedError:  # the sentence also works without the number
            return 0

    def _offered(self, session: Session, verdict: str) -> Updates:
        """Return updates that offer the next guesses as chips, only for a wrong breed."""
        if self.number_of is None:
            return {}
        if verdict != "wrong" or session.answer is None:
            return {self.guesses: gr.update(visible=False, choices=[], value=None)}
        pet = session.pet(self.number_of(session))
        named = pet.breeds[pet.verdict == "breed" :]
        choices = [(guess.name, guess.id) for guess in named[:_CHIPS]]
        return {self.guesses: gr.update(visible=bool(choices), choices=choices, value=None)}

    def _save(
        self, session: Session, browser: Any, verdict: str, breed: str | None, words: str, consent: bool,
        species: str | None = None, where: str = "",
    ) -> Updates:  # fmt: skip
        _, token = remembered(browser)
        token = token or secrets.token_urlsafe(24)
        memory = {"consent": consent is True, "token": token}
        try:
            if session.answer is None:
                raise PhotoError("not_found", "This page is no longer up to date; add your photo again.")
            box = corners(where, session.answer.width, session.answer.height)
            if verdict == "missed" and box is None:
                raise FlagError(
                    "box_required", "Please show where the pet is: draw a box around it on the photo."
                )
            if not consent:
                raise FlagError(
                    "consent_required",
                    "Please tick the box to say that the photo may be kept; otherwise nothing is saved.",
                )
            who = calling_member(self.services.members)
            receipt = self.services.flag(
                read_view(self.services, session.view),
                session.answer,
                number=self.number_of(session) if self.number_of else None,
                verdict=verdict,
                label="" if breed in (None, OTHER) or _is_unknown(breed) else str(breed),
                label_text=_own_words(breed, words),
                consent=True,
                flagger=token,
                client=calling_client(),
                box=box,
                species=species or "",
                member=who.id if who else "",
            )
        except Exception as error:
            return self._failed(explain_failure(error))
        own = _own_words(breed, words).strip()
        return {
            **self.reset(
                html.thanks(receipt.created)
                + (html.not_learnt(self._people_who_named(own)) if own else "")
                + html.receipt(receipt.flag_id, receipt.receipt, waiting(self.services))
            ),
            self.receipt: receipt.flag_id,
            self.buttons_row: gr.update(visible=False),
            self.undo: gr.update(visible=True),
            self.browser: memory,
        }

    def _failed(self, error: SmartBreedError) -> Updates:
        return {self.status: html.problem(error)}

    def _take_back(self, receipt: str, browser: Any) -> Updates:
        try:
            self.services.flags.withdraw(receipt, remembered(browser)[1])
        except Exception as error:
            return self._failed(explain_failure(error))
        return self.reset(html.note(gettext("Taken back; it will not be used.")))
