"""The bar that filters the review page's list and switches between one flag and the list view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from smartbreed.breeds.catalogue import Breed
from smartbreed.i18n import gettext, mark
from smartbreed.web.components.breed_list import breed_choices, breed_dropdown, catalogue

_STATES = [
    (mark("To review"), "open"), (mark("Accepted"), "accepted"), (mark("Relabelled"), "relabelled"),
    (mark("Rejected"), "rejected"), (mark("New breeds"), "new breed"), (mark("All decided"), "decided"),
    (mark("All"), "all"),
]  # fmt: skip
_VERDICTS = [
    (mark("Every answer"), ""), (mark("Wrong breed"), "wrong"), (mark("That’s right"), "correct"),
    (mark("Not a pet"), "not_a_pet"), (mark("Pet was missed"), "missed"), (mark("Can’t tell"), "unsure"),
]  # fmt: skip
_VIEWS = [(mark("One by one"), "one"), (mark("List"), "list")]


def _said(choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(gettext(text), value) for text, value in choices]


class FilterBar:
    """The filter bar; create it inside the page.

    `inputs` correspond to the fields of `queue.Filters`, in order.

    Args:
        known: breeds that the model can name.
    """

    def __init__(self, known: tuple[Breed, ...]) -> None:
        plain: dict[str, Any] = {"filterable": False, "min_width": 140}
        with gr.Row(elem_classes="sb-filters", elem_id="review-filters"):
            self.state = gr.Dropdown(
                _said(_STATES), value="open", label=gettext("Show"), elem_id="review-state", **plain
            )
            self.verdict = gr.Dropdown(
                _said(_VERDICTS), value="", label=gettext("Answer"), elem_id="review-verdict", **plain
            )
            self.breed = breed_dropdown(
                [(gettext("Every breed"), ""), *breed_choices(catalogue(known))], value="",
                label=gettext("Breed"), min_width=140, elem_id="review-breed-filter",
            )  # fmt: skip
            self.flagger = gr.Dropdown(
                [(gettext("Everyone"), "")], value="", label=gettext("Person"), allow_custom_value=True,
                min_width=140, elem_id="review-flagger",
            )  # fmt: skip
            self.view = gr.Radio(
                _said(_VIEWS), value="one", label=gettext("View"), min_width=170, elem_id="review-view"
            )
        self.inputs = [self.state, self.verdict, self.breed, self.flagger]
        self.changes = [control.input for control in self.inputs]
        self.outputs = [self.flagger]

    def show(self, flaggers: Sequence[tuple[str, str]]) -> dict[Any, Any]:
        """Return an update that offers these people; the current choice stays."""
        return {self.flagger: gr.update(choices=[(gettext("Everyone"), ""), *flaggers])}
