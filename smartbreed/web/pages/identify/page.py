"""The front page: visitors add photos and get a card for each pet. Layout and wiring only."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from smartbreed.core.errors import StorageError
from smartbreed.i18n import gettext
from smartbreed.imaging.photo import Photo
from smartbreed.inference.results import Failure, Identification
from smartbreed.services import Services, explain_failure
from smartbreed.web.components import nav
from smartbreed.web.components.drawing import annotate, no_thumbnail
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.templates import html
from smartbreed.web.pages.identify.examples import Examples
from smartbreed.web.pages.identify.flag_form import FlagForm, Updates, new_browser_state, waiting
from smartbreed.web.pages.identify.pet_card import PetCard
from smartbreed.web.pages.identify.photo_input import Upload, photo_input, uploads
from smartbreed.web.pages.identify.session import (
    Session,
    at_view,
    identify_uploads,
    keep_for_member,
    read_view,
)
from smartbreed.web.pages.identify.settings_panel import SettingsPanel

#: Number of cards built in advance; showing and hiding them is faster and steadier than creating new ones.
CARDS = 6


class IdentifyPage:
    """The identify page; create it inside ``with gr.Blocks()``.

    Args:
        services: identifies, explains and saves.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.examples = Examples(services.settings, pets=services.identifier.detector is not None)
        self.session = gr.State(Session(), time_to_live=3600)
        self.browser = new_browser_state()
        title, about = services.introduction
        header = partial(
            nav.header, "identify", maintainers=services.maintainers.reachable, title=title, about=about
        )
        gr.HTML(each_language(header))
        with gr.Row(elem_classes="sb-columns"):
            with gr.Column(scale=4, min_width=290, elem_classes="sb-left"):
                self._left()
            with gr.Column(scale=7, min_width=320, elem_classes="sb-right"):
                self._right()
        details = partial(html.footer, None, self._version())
        self.footer = gr.HTML(each_language(details), elem_id="details")
        #: What `show_now` fills when the page is opened.
        self.current = [self.footer, self.settings.score, self.settings.opened_score]
        self._wire()

    def _left(self) -> None:
        limits = self.services.settings.max_bytes, self.services.settings.max_photos
        gr.HTML(each_language(partial(html.ways, limits[0])), elem_id="ways")
        self.input = photo_input()
        gr.HTML(each_language(partial(html.limits, *limits)), elem_id="limits")
        self.settings = SettingsPanel(self.services)
        with gr.Column(visible=False, elem_id="photo-result") as self.photo_box:
            self.photo = gr.AnnotatedImage(
                format="jpeg",
                label=gettext("Your photo, pets numbered"),
                show_label=False,
                buttons=["fullscreen"],
                elem_id="photo",
            )
            self.strip = gr.Gallery(
                visible=False,
                interactive=False,
                allow_preview=False,
                columns=4,
                height="auto",
                show_label=False,
                object_fit="cover",
                buttons=[],
                elem_id="strip",
                label=gettext("Your photos"),
            )
            # Without a detector no pet is searched for, so none can be missed.
            with gr.Column(visible=self.services.identifier.detector is not None):
                self.missed = FlagForm(self.services, self.session, self.browser, None, "photo")
            self.restart = gr.Button(
                gettext("Start over"), size="sm", elem_classes="sb-link", elem_id="restart"
            )
        gr.HTML(each_language(html.history), elem_id="history")

    def _right(self) -> None:
        gr.HTML(each_language(html.on_its_way), elem_id="on-its-way")
        gr.HTML(each_language(html.first_visit), elem_id="first-visit")
        self.status = gr.HTML(each_language(self._welcome), elem_id="status", elem_classes="sb-live")
        self.whole_now = gr.Button(
            gettext("Use the whole picture"),
            variant="primary",
            visible=False,
            elem_id="whole-now",
            elem_classes="sb-narrow",
        )
        self.cards = [PetCard(self.services, self.session, self.browser, place) for place in range(CARDS)]
        with gr.Row(visible=False, elem_id="pager") as self.pager:
            self.earlier = gr.Button(gettext("Earlier pets"), size="sm", elem_id="earlier")
            self.later = gr.Button(gettext("More pets"), size="sm", elem_id="later")
        heading, found = ("", []) if self.services.settings.gallery else self.examples.get()
        with gr.Column(visible=bool(found), elem_id="examples") as self.examples_box:
            self.examples_heading = gr.HTML(each_language(lambda: html.examples(gettext(heading))))
            self.gallery = gr.Gallery(
                found, interactive=False, allow_preview=False, columns=4, height="auto", show_label=False,
                object_fit="cover", buttons=[], elem_id="examples-gallery", label=gettext("Examples"),
            )  # fmt: skip

    def _wire(self) -> None:
        outputs = [
            self.session, self.input, self.status, self.whole_now, self.photo_box, self.photo, self.strip,
            self.pager, self.earlier, self.later, self.footer, self.examples_box,
            *self.missed.outputs, *(output for card in self.cards for output in card.outputs),
        ]  # fmt: skip
        settings = [self.settings.method, *self.settings.inputs]
        shown = [self.session, self.settings.method]
        # Gradio would run one event at a time, but the identifier distributes its interpreters itself.
        event: dict[str, Any] = {
            "outputs": outputs, "api_visibility": "private", "concurrency_limit": 8,
            "concurrency_id": "identify", "show_progress": "minimal", "show_progress_on": self.status,
        }  # fmt: skip
        to_result: dict[str, Any] = {
            "fn": None,
            "js": "() => smartbreed.toResult()",
            "api_visibility": "private",
        }
        # Not .upload, which a photo from the camera or the clipboard does not trigger.
        self.input.change(self._added, [self.input, self.session, *settings], **event).then(**to_result)
        self.gallery.select(self._example, settings, **event).then(**to_result)
        self.whole_now.click(self._whole, shown, **event).then(**to_result)
        self.strip.select(self._choose, shown, **event)
        self.earlier.click(partial(self._page, -CARDS), shown, **event).then(**to_result)
        self.later.click(partial(self._page, CARDS), shown, **event).then(**to_result)
        again = [self.session, *settings]
        for changed in self.settings.changes:
            changed(self._again, again, trigger_mode="always_last", **event)
        self.restart.click(self._restart, **event)
        offers: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
        self.settings.method.change(
            lambda method: [card.offer(method) for card in self.cards],
            self.settings.method, [card.deeper for card in self.cards], **offers,
        )  # fmt: skip
        for card in self.cards:
            card.wire(self.settings.method)
        self.missed.wire()

    def show_now(self) -> tuple[str, float, float]:
        """Return the current values of `current`; the model may have changed since startup."""
        score = self.settings.model_score()
        return str(html.footer(None, self._version(), waiting(self.services))), score, score

    def load_examples(self) -> tuple[Any, Any, Any]:
        """Return values for `examples_box`, `examples_heading` and `gallery`; may take seconds."""
        heading, found = self.examples.get()
        return gr.update(visible=bool(found)), html.examples(heading), found

    def _offer(self, offered: bool) -> Any:
        """Return an update that shows the example pictures, if there are any, or hides them."""
        return gr.update(visible=offered and bool(self.examples.get()[1]))

    def _added(self, value: Any, session: Session, *settings: Any) -> Updates:
        files = uploads(value)
        if not files:  # the line below has just emptied the input
            return {self.session: session}
        return {self.input: None, **self._shown(files, *settings, keep=True)}

    # gradio passes event data only to parameters before ``*settings``.
    def _example(self, event: gr.SelectData, *settings: Any) -> Updates:
        found = self.examples.get()[1]
        path, caption = found[int(event.index) % len(found)]
        return self._shown(((path, caption),), *settings)

    def _again(self, session: Session, *settings: Any) -> Updates:
        return self._shown(session.uploads, *settings) if session.uploads else {self.session: session}

    def _shown(self, files: tuple[Upload, ...], method: str, *settings: Any, keep: bool = False) -> Updates:
        try:
            session, photo = identify_uploads(self.services, files, self.settings.options(*settings))
            if keep:
                with suppress(StorageError):  # the answer is there without the database
                    keep_for_member(self.services, session)
            return self._show(session, 0, method, photo)
        except Exception as error:
            return {self.status: html.failure(explain_failure(error))}

    def _whole(self, session: Session, method: str) -> Updates:
        """Identify the shown photo again, this time as a whole picture of one pet."""
        try:
            view = session.view
            fresh, photo = identify_uploads(
                self.services, [(view.path, view.name)], replace(session.options, whole=True)
            )
            views = [*session.views[: session.index], fresh.views[0], *session.views[session.index + 1 :]]
            return self._show(replace(session, views=tuple(views)), session.index, method, photo)
        except Exception as error:
            return {self.status: html.failure(explain_failure(error))}

    def _choose(self, session: Session, method: str, event: gr.SelectData) -> Updates:
        if event.index == session.index:  # also fires when the page itself selects it
            return {self.session: session}
        try:
            return self._show(session, int(event.index), method)
        except Exception as error:
            return {self.status: html.failure(explain_failure(error))}

    def _page(self, step: int, session: Session, method: str) -> Updates:
        session = replace(session, first=max(0, session.first + step))
        return {self.session: session, **self._pager(session), **self._cards(session, method)}

    def _restart(self) -> Updates:
        return {
            self.session: Session(),
            self.status: self._welcome(),
            self.photo_box: gr.update(visible=False),
            self.whole_now: gr.update(visible=False),
            self.pager: gr.update(visible=False),
            self.footer: html.footer(None, self._version()),
            self.examples_box: self._offer(True),
            **{key: value for card in self.cards for key, value in card.hide().items()},
        }

    def _show(self, session: Session, index: int, method: str, photo: Photo | None = None) -> Updates:
        """Return updates for everything on the page, for one view of a session."""
        if photo is None and isinstance(session.at(index).view.answer, Identification):
            photo = read_view(self.services, session.at(index).view)
        session = at_view(self.services, session, index, photo)
        answer = session.view.answer
        updates: Updates = {
            self.session: session,
            self.photo_box: gr.update(visible=photo is not None or len(session.views) > 1),
            self.photo: gr.update(visible=False),
            self.strip: gr.update(
                value=_thumbnails(session), visible=len(session.views) > 1, selected_index=index
            ),
            self.whole_now: gr.update(visible=session.answer is not None and not session.answer.pets),
            self.footer: html.footer(session.answer, self._version()),
            # If the only photo failed, offer pictures that work.
            self.examples_box: self._offer(isinstance(answer, Failure) and len(session.views) == 1),
            **self.missed.reset(),
            **self._pager(session),
            **self._cards(session, method),
        }  # fmt: skip
        if isinstance(answer, Failure):
            return {**updates, self.status: html.failure(answer.error, answer.image)}
        assert photo is not None  # read above
        value, colours = annotate(photo, answer.pets)
        shown = gr.AnnotatedImage(value, color_map=colours, visible=True)
        return {**updates, self.status: html.status(answer, session.apart), self.photo: shown}

    def _pager(self, session: Session) -> Updates:
        pets = len(session.answer.pets) if session.answer else 0
        return {
            self.pager: gr.update(visible=pets > CARDS),
            self.earlier: gr.update(interactive=session.first > 0),
            self.later: gr.update(interactive=session.first + CARDS < pets),
        }

    def _cards(self, session: Session, method: str) -> Updates:
        return {key: value for card in self.cards for key, value in card.show(session, method).items()}

    def _welcome(self) -> str:
        model = self.services.identifier
        return str(html.welcome(model.detector is not None, len(model.known.breeds), f"{nav.root()}breeds"))

    def _version(self) -> str:
        return self.services.identifier.bundle.version.version


def _thumbnails(session: Session) -> list[tuple[Any, str]]:
    if len(session.views) < 2:
        return []
    return [
        (no_thumbnail() if view.thumbnail is None else view.thumbnail, view.name) for view in session.views
    ]
