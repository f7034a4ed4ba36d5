"""The bar that narrows the review's list, and chooses between one flag and many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from smartbreed.web.components.breed_list import breed_choices, breed_dropdown, catalogue

_STATES = [
    ("To review", "open"), ("Accepted", "accepted"), ("Relabelled", "relabelled"), ("Rejected", "rejected"),
    ("New breeds", "new breed"), ("All decided", "decided"), ("All", "all"),
]  # fmt: skip
_VERDICTS = [
    ("Every answer", ""), ("Wrong breed", "wrong"), ("That’s right", "correct"), ("Not a pet", "not_a_pet"),
    ("Pet was missed", "missed"), ("Can’t tell", "unsure"),
]  # fmt: skip


class FilterBar:
    """Must be made inside the page; `inputs` are the fields of `queue.Filters`, in order."""

    def __init__(self) -> None:
        plain: dict[str, Any] = {"filterable": False, "min_width": 140}
        with gr.Row(elem_classes="sb-filters", elem_id="review-filters"):
            self.state = gr.Dropdown(_STATES, value="open", label="Show", elem_id="review-state", **plain)
            self.verdict = gr.Dropdown(_VERDICTS, value="", label="Answer", elem_id="review-verdict", **plain)
            self.breed = breed_dropdown(
                [("Every breed", ""), *breed_choices(catalogue())], value="", label="Breed", min_width=140,
                elem_id="review-breed-filter",
            )  # fmt: skip
            self.flagger = gr.Dropdown(
                [("Everybody", "")], value="", label="Person", allow_custom_value=True, min_width=140,
                elem_id="review-flagger",
            )  # fmt: skip
            self.view = gr.Radio(
                [("One by one", "one"), ("List", "list")], value="one", label="View", min_width=170,
                elem_id="review-view",
            )  # fmt: skip
        self.inputs = [self.state, self.verdict, self.breed, self.flagger]
        self.changes = [control.input for control in self.inputs]
        self.outputs = [self.flagger]

    def show(self, flaggers: Sequence[tuple[str, str]]) -> dict[Any, Any]:
        """Offer these people; what is chosen stays."""
        return {self.flagger: gr.update(choices=[("Everybody", ""), *flaggers])}
