"""The card of one pet: what it is, how sure, where the model looked, and the flag buttons."""

from __future__ import annotations

from typing import Any

import gradio as gr

from smartbreed.breeds.facts import facts_of
from smartbreed.core.telemetry import stage
from smartbreed.i18n import gettext, translated
from smartbreed.inference.deep_explanations import METHODS
from smartbreed.inference.grad_cam import overlay
from smartbreed.inference.results import Pet
from smartbreed.services import Services, explain_failure
from smartbreed.web.api.similar import alike
from smartbreed.web.components import nav
from smartbreed.web.components.breed_list import breed_choices, breed_dropdown
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.flag_form import FlagForm, Updates
from smartbreed.web.pages.identify.session import Session, network_input, out_of_date

#: The instant method; the others in `METHODS` run on demand, in a separate process.
GRAD_CAM = "gradcam"
#: Script that reports the breed of a clicked bar.
_ON_GUESS = """element.addEventListener("click", (event) => {
  const guess = event.target.closest(".sb-guess");
  if (guess) trigger("select", { breed: guess.dataset.breed });
});"""


class PetCard:
    """One card of the fixed pool; its place and the session determine which pet it shows.

    Args:
        services: explains and saves.
        session: the visitor's `Session`.
        browser: state kept in the browser, for the flag form.
        place: position in the pool, from 0.
    """

    def __init__(self, services: Services, session: gr.State, browser: gr.BrowserState, place: int) -> None:
        self.services = services
        self.session = session
        self.place = place
        name = f"pet-{place + 1}"
        with gr.Column(visible=False, elem_id=name, elem_classes="sb-card") as self.box:
            self.name = gr.HTML(elem_id=f"{name}-name")
            with gr.Row(elem_classes="sb-card-row"):
                with gr.Column(scale=5, min_width=220, elem_classes="sb-look"):
                    self.slider = gr.ImageSlider(
                        format="jpeg",
                        label=gettext("Where the model looked"),
                        show_label=False,
                        interactive=False,
                        buttons=[],
                        slider_position=50,
                        max_height=360,
                        container=False,
                        elem_id=f"{name}-look",
                        elem_classes="sb-slider",
                    )
                    self.caption = gr.HTML(elem_classes="sb-live")
                with gr.Column(scale=6, min_width=250):
                    self.text = gr.HTML(elem_id=f"{name}-text", js_on_load=_ON_GUESS)
                    self.breed = breed_dropdown(
                        [],
                        label=gettext("Show the evidence for"),
                        elem_id=f"{name}-explain",
                        elem_classes="sb-explain",
                    )
                    self.deeper = gr.Button("", size="sm", visible=False, elem_id=f"{name}-deeper")
            self.alike = gr.HTML(elem_id=f"{name}-alike", elem_classes="sb-live")
            self.form = FlagForm(services, session, browser, self.number, name)
        self.outputs = [
            self.box,
            self.name,
            self.slider,
            self.caption,
            self.text,
            self.breed,
            self.deeper,
            self.alike,
            *self.form.outputs,
        ]

    def number(self, session: Session) -> int:
        """Return the number (from 1) of the pet on this card."""
        return session.first + self.place + 1

    def hide(self) -> Updates:
        return {self.box: gr.update(visible=False)}

    def show(self, session: Session, method: str) -> Updates:
        """Return updates that fill the card with its pet, or hide it if there is none."""
        answer, number = session.answer, self.number(session)
        if answer is None or number > len(answer.pets):
            return self.hide()
        pet = session.pet(number)
        first = pet.breeds[0]
        return {
            self.box: gr.update(visible=True),
            self.slider: self._shown(session, number, first.id),
            self.caption: html.caption(first.name, METHODS[GRAD_CAM]),
            self.name: html.pet_name(pet, number, answer.combined),
            self.text: html.pet_text(pet, number, **_more(pet)),
            self.breed: gr.update(choices=breed_choices(session.labels.breeds, pet.breeds), value=first.id),
            self.deeper: self.offer(method),
            self.alike: html.alike(alike(self.services, answer, pet)),
            **self.form.reset(),
            **self.form.offer(pet),
        }

    def offer(self, method: str) -> Any:
        """Return an update of the button for a slow explanation, shown only if such a method is chosen."""
        return gr.update(
            visible=method in METHODS and method != GRAD_CAM,
            value=gettext(
                "Explain with %(method)s (takes a while)", method=METHODS.get(method, METHODS[GRAD_CAM])
            ),
        )

    def wire(self, method: gr.Radio) -> None:
        """Attach the card's events; hidden from the API."""
        self.breed.input(
            self._explain, [self.session, self.breed], [self.slider, self.caption],
            show_progress="hidden", api_visibility="private", concurrency_limit=None,
            trigger_mode="always_last",
        )  # fmt: skip
        self.text.select(
            self._explain_guess, self.session, [self.slider, self.caption, self.breed],
            show_progress="hidden", api_visibility="private", concurrency_limit=None,
            trigger_mode="always_last",
        )  # fmt: skip
        # One at a time in a separate queue, so that visitors who only want an answer never wait for it.
        self.deeper.click(
            self._explain_deeper, [self.session, self.breed, method], [self.slider, self.caption],
            show_progress="full", show_progress_on=self.slider, api_visibility="private",
            concurrency_id="deeper", concurrency_limit=1,
        )  # fmt: skip
        self.form.wire()

    def _explain(self, session: Session, breed: str) -> Updates:
        try:
            pictures = self._shown(session, self.number(session), breed)
            name = session.labels.breed(breed).name
        except Exception as error:
            return {self.caption: html.problem(explain_failure(error))}
        return {self.slider: pictures, self.caption: html.caption(name, METHODS[GRAD_CAM])}

    def _explain_guess(self, session: Session, event: gr.EventData) -> Updates:
        """Explain the breed of a clicked bar; the browser sends it, so it may be anything."""
        breed = str(getattr(event, "breed", ""))
        updates = self._explain(session, breed)
        return {**updates, self.breed: breed} if self.slider in updates else updates

    def _explain_deeper(
        self,
        session: Session,
        breed: str,
        method: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        try:
            number = self.number(session)
            labels, answer = session.labels, session.answer
            if method not in METHODS:
                raise out_of_date()
            assert answer is not None  # without an answer, `labels` raises
            model = self.services.model.loaded_for(answer.model)
            index = labels.index(breed)
            pixels = network_input(self.services, model.identifier, session, number)
            progress(0, desc=gettext("Starting %(method)s", method=METHODS[method]))
            with stage("explain_deeper"):
                heat = model.deeper.explain(
                    pixels, index, method, lambda fraction, text: progress(fraction, desc=translated(text))
                )
            crop = session.crops[number - 1]
        except Exception as error:
            return {self.caption: html.problem(explain_failure(error))}
        return {
            self.slider: (crop, overlay(crop, heat)),
            self.caption: html.caption(labels.breed(breed).name, METHODS[method]),
        }

    def _shown(self, session: Session, number: int, breed: str) -> tuple[Any, Any]:
        pet = session.pet(number)
        if number > len(session.crops):
            raise out_of_date()
        crop = session.crops[number - 1]
        # Use the answer's own class maps and labels: the model may have been replaced since.
        return crop, overlay(crop, session.labels.heat(pet.class_maps, breed))


def _more(pet: Pet) -> dict[str, str]:
    """Return the card's text about the breed and a link to its page.

    For a group, return a link that compares the two likeliest breeds; for an unknown pet, nothing.
    """
    first, *others = pet.breeds
    if pet.verdict == "breed":
        facts = facts_of(first.id)
        return {
            "summary": facts.summary if facts else "",
            "more": nav.breed(first.id),
            "about": gettext("More about the %(breed)s", breed=first.name),
        }
    if pet.verdict == "group" and others:
        second = others[0]
        return {
            "more": nav.comparison(first.id, second.id),
            "about": gettext(
                "How the %(first)s and the %(second)s differ", first=first.name, second=second.name
            ),
        }
    return {}
