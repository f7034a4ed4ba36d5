"""The part of the review page for one flag: pictures, text, buttons with keyboard shortcuts, two forms."""

from __future__ import annotations

from typing import Any

import gradio as gr

from smartbreed.breeds.catalogue import GROUPS
from smartbreed.i18n import gettext, mark, of_things
from smartbreed.web.components.breed_list import breed_dropdown
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.templates import html
from smartbreed.web.pages.review import cards
from smartbreed.web.pages.review.desk import Desk
from smartbreed.web.pages.review.view import Shown

Updates = dict[Any, Any]
_SPECIES = [(mark("Dog"), "dog"), (mark("Cat"), "cat")]


class Acts:
    """The components for one flag; create them inside the page.

    ``review.js`` handles the keyboard shortcuts and clicks these buttons.
    """

    def __init__(self) -> None:
        with gr.Row(elem_classes="sb-columns"):
            with gr.Column(scale=7, min_width=320, elem_classes="sb-left"):
                self.pictures = gr.HTML(elem_id="review-pictures")
            with gr.Column(scale=5, min_width=320, elem_classes=["sb-right", "sb-card"]):
                self.words = gr.HTML(elem_id="review-words", elem_classes="sb-live")
                self.missed_species = gr.Radio(
                    _species(), label=gettext("The missed pet is a"), visible=False,
                    elem_id="review-species",
                )  # fmt: skip
                self.together = gr.Checkbox(visible=False, value=True, label="", elem_id="review-together")
                self.reason = gr.Textbox(
                    label=gettext("Reason (optional)"), max_length=500, max_lines=2,
                    elem_id="review-reason", placeholder=gettext("Kept with the decision, and published"),
                )  # fmt: skip
        with gr.Column(elem_id="review-acts"):
            self._forms()
            self._buttons()
        self.outputs = [
            self.pictures, self.words, self.missed_species, self.together, self.reason, self.breed,
            self.relabel_form, self.breed_form, self.accept, self.reject, self.relabel, self.new, self.gold,
            self.next, self.previous, *self.new_breed,
        ]  # fmt: skip

    def _forms(self) -> None:
        with gr.Column(
            visible=False, elem_classes="sb-form", elem_id="review-relabel-form"
        ) as self.relabel_form:
            self.breed = breed_dropdown(
                [], value=None, label=gettext("Which breed is it?"), elem_id="review-breed",
                info=gettext("Type to search; Enter selects and saves, Escape closes this."),
            )  # fmt: skip
            self.cancel_relabel = gr.Button(gettext("Cancel"), size="sm", elem_id="review-relabel-cancel")
        with gr.Column(visible=False, elem_classes="sb-form", elem_id="review-new-form") as self.breed_form:
            gr.HTML(each_language(lambda: html.heading(gettext("A breed that is not in the catalogue"))))
            # A model of other things has neither species nor groups.
            with gr.Row():
                name = gr.Textbox(
                    label=gettext("Common name"), max_length=80, elem_id="review-new-name", min_width=180
                )
                key = gr.Textbox(
                    label=gettext("Id"), max_length=80, placeholder=gettext("made from the name"),
                    min_width=150, elem_id="review-new-id",
                )  # fmt: skip
                species = gr.Radio(
                    _species(),
                    label=gettext("Species"),
                    elem_id="review-new-species",
                    min_width=140,
                    visible=not of_things(),
                )
                group = gr.Dropdown(
                    [],
                    label=gettext("Group (if one fits)"),
                    elem_id="review-new-group",
                    min_width=200,
                    visible=not of_things(),
                )
            self.new_breed = [name, key, species, group]
            with gr.Row(elem_classes="sb-actions"):
                self.introduce = gr.Button(
                    gettext("Save the new breed"), variant="primary", size="sm", elem_id="review-introduce"
                )
                self.cancel = gr.Button(gettext("Cancel"), size="sm", elem_id="review-cancel")

    def _buttons(self) -> None:
        def button(text: str, key: str, **more: Any) -> gr.Button:
            return gr.Button(text, size="sm", min_width=60, elem_id=f"review-{key}", **more)

        with gr.Row(elem_classes="sb-keys-row"):
            self.accept = button(gettext("Accept"), "accept", variant="primary")
            self.relabel = button(gettext("Relabel"), "relabel")
            self.reject = button(gettext("Reject"), "reject")
            self.new = button(gettext("New breed"), "new")
            self.undo = button(gettext("Undo"), "undo")
            self.previous = button(gettext("Previous"), "previous")
            self.next = button(gettext("Next"), "next")
            self.gold = button(gettext("Known answer"), "gold", visible=False)

    def wire(self) -> None:
        """Attach the events that open and close the forms, and the one that updates the groups."""
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
        forms = [self.relabel_form, self.breed_form]
        opened: dict[str, Any] = {"fn": None, "api_visibility": "private"}
        self.relabel.click(
            lambda: (gr.update(visible=True), gr.update(visible=False)), None, forms, **quiet
        ).then(js="() => smartbreedReview.focus('review-breed')", **opened)
        self.new.click(
            lambda: (gr.update(visible=False), gr.update(visible=True)), None, forms, **quiet
        ).then(js="() => smartbreedReview.focus('review-new-name')", **opened)
        for cancel in (self.cancel_relabel, self.cancel):
            cancel.click(lambda: (gr.update(visible=False), gr.update(visible=False)), None, forms, **quiet)
        species, group = self.new_breed[2:]
        species.change(groups_of, species, group, **quiet)

    def show(self, desk: Desk, shown: Shown) -> Updates:
        """Return updates for the desk's current flag."""
        item = desk.item
        updates: Updates = {
            self.pictures: shown.pictures,
            self.words: shown.words,
            self.reason: "",
            self.relabel_form: gr.update(visible=False),
            self.breed_form: gr.update(visible=False),
            self.breed: gr.update(choices=shown.breeds, value=None),
        }
        if item is None:
            return updates
        undecided = item.state == "open"
        name, key, species, group = self.new_breed
        known = item.flag.species or (shown.species or None)
        unnamed = item.flag.verdict == "missed" and item.label is None
        return updates | {
            self.missed_species: gr.update(visible=undecided and unnamed, value=known if unnamed else None),
            self.together: gr.update(
                visible=undecided and bool(desk.alike), value=True, label=cards.group_text(desk.alike)
            ),
            self.accept: gr.update(value=cards.accept_text(item), interactive=undecided and shown.acceptable),
            self.reject: gr.update(interactive=undecided),
            self.relabel: gr.update(interactive=undecided),
            self.new: gr.update(interactive=undecided),
            self.gold: gr.update(
                visible=not undecided,
                value=gettext("No known answer") if shown.gold else gettext("Make it a known answer"),
            ),
            self.previous: gr.update(interactive=desk.place > 0),
            self.next: gr.update(interactive=desk.place + 1 < len(desk.items)),
            name: item.flag.label_text or "",
            key: "",
            species: gr.update(value=known, visible=not of_things()),
            group: groups_of(known),
        }


def groups_of(species: str | None) -> Any:
    """Return an update with the groups that a new breed of a species can belong to."""
    found = sorted((gettext(group.name), group.id) for group in GROUPS.values() if group.species == species)
    choices = [(gettext("None of these"), ""), *found]
    return gr.update(choices=choices, value="", visible=not of_things())


def _species() -> list[tuple[str, str]]:
    return [(gettext(text), species) for text, species in _SPECIES]
