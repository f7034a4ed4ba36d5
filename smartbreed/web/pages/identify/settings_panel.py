"""The visitor's settings, in a collapsed panel."""

from __future__ import annotations

import gradio as gr

from smartbreed.i18n import gettext
from smartbreed.inference.deep_explanations import METHODS
from smartbreed.services import Services
from smartbreed.web.pages.identify.session import Options

_MOST = 10  # most breeds listed per pet; few people read further
_LOWEST, _HIGHEST = 0.1, 0.9  # ends of the slider for the pet threshold


class SettingsPanel:
    """The settings panel; create it inside ``with gr.Blocks()``.

    The method `options` turns the values of `inputs` into `Options`.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
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
                _LOWEST,
                _HIGHEST,
                value=self.model_score(),
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
        #: Value of `score` when the page was opened; None if the session has expired.
        self.opened_score = gr.State(None)
        self.inputs = [self.top_k, self.score, self.whole, self.combine, self.opened_score]
        #: Events after which the photos must be identified again.
        self.changes = (self.top_k.change, self.score.change, self.whole.input, self.combine.input)

    def model_score(self) -> float:
        """Return the pet threshold of the model in use as a value of `score`."""
        detector = self._services.identifier.bundle.config.detector
        return min(max(round(detector.score, 2), _LOWEST), _HIGHEST) if detector else 0.5

    def options(
        self, top_k: float, score: float, whole: bool, combine: bool, opened_score: float | None
    ) -> Options:
        """Return the values of `inputs` as `Options`.

        A slider that was not moved stands for the threshold of the model, which may have been replaced since.
        """
        untouched = self.model_score() if opened_score is None else opened_score
        own = round(score, 2) == untouched
        return Options(int(top_k), None if own else float(score), whole, combine)
