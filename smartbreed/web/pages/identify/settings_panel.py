"""The visitor's settings, in a collapsed panel."""

from __future__ import annotations

import gradio as gr

from smartbreed.i18n import gettext
from smartbreed.inference.deep_explanations import METHODS
from smartbreed.services import Services
from smartbreed.web.pages.identify.session import Options

_MOST = 10  # most breeds listed per pet; few people read further


class SettingsPanel:
    """The settings panel; create it inside ``with gr.Blocks()``.

    The function `options` turns the values of `inputs` into `Options`.
    """

    def __init__(self, services: Services) -> None:
        detector = services.identifier.bundle.config.detector
        with gr.Accordion(gettext("Settings"), open=False, elem_id="settings"):
            self.whole = gr.Checkbox(
                label=gettext("Use the whole picture, without looking for pets first"),
                visible=detector is not None,
                elem_id="settings-whole",
            )
            self.combine = gr.Checkbox(
                label=gettext("These photos all show the same pet: combine them"), elem_id="settings-combine"
            )
            self.top_k = gr.Slider(
                1,
                _MOST,
                value=min(services.settings.top_k, _MOST),
                step=1,
                label=gettext("Breeds listed for each pet"),
                elem_id="settings-top-k",
            )
            self.score = gr.Slider(
                0.1,
                0.9,
                value=round(detector.score, 2) if detector else 0.5,
                step=0.01,
                label=gettext("How sure to be that something is a pet"),
                info=gettext("Lower finds more pets, and more false alarms."),
                visible=detector is not None,
                elem_id="settings-score",
            )
            self.method = gr.Radio(
                [(name, key) for key, name in METHODS.items()],
                value=next(iter(METHODS)),
                label=gettext("Explanation"),
                info=gettext(
                    "Grad-CAM is instant. The others look deeper, take a while and start on each card."
                ),
                elem_id="settings-method",
            )
        self.inputs = [self.top_k, self.score, self.whole, self.combine]
        #: Events after which the photos must be identified again.
        self.changes = (self.top_k.change, self.score.change, self.whole.input, self.combine.input)


def options(top_k: float, score: float, whole: bool, combine: bool) -> Options:
    """Return the values of `SettingsPanel.inputs` as `Options`."""
    return Options(int(top_k), float(score), whole, combine)
