"""The maintainers' page for reviewing flags, one by one or many at once. Layout and wiring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from smartbreed.admin.actor import acting
from smartbreed.core.errors import MaintainerError, ReviewError
from smartbreed.i18n import gettext, mark
from smartbreed.review import decisions
from smartbreed.review.decisions import NewDecision
from smartbreed.review.queue import Filters
from smartbreed.services import Services, explain_failure
from smartbreed.web.components import nav
from smartbreed.web.components.breed_list import breed_dropdown
from smartbreed.web.components.drawn_box import corners
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.templates import html
from smartbreed.web.pages.review import cards
from smartbreed.web.pages.review.actions import Acts
from smartbreed.web.pages.review.desk import (
    Desk,
    ReviewSession,
    after,
    any_chosen,
    check_shown,
    chosen_ids,
    fill,
    taken_back,
    turn,
)
from smartbreed.web.pages.review.filters import FilterBar
from smartbreed.web.pages.review.view import show

Updates = dict[Any, Any]
#: Choice in the list view's breed dropdown while no breed is chosen.
_NO_BREED = (mark("Another breed …"), "")
#: The next desk and a message; None instead of a message leaves the page unchanged.
Acted = tuple[Desk, str | None]
#: An action of the page; takes the desk, the reviewer, and the values of its inputs.
Act = Callable[..., Acted]


class ReviewPage:
    """The review page; create it inside ``with blocks.route(…)``.

    Args:
        services: provides the flags, and the model that explains them.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        gr.HTML(each_language(partial(nav.header, "review", maintainers=services.maintainers.reachable)))
        self.gate = gr.HTML(visible=False, elem_id="review-gate")
        self.session = gr.State(ReviewSession())
        # What the browser shows or has chosen when a key is pressed; ``review.js`` fills it in.
        self.shown = gr.Textbox(visible=False)
        self.where = gr.Textbox(visible=False)
        with gr.Column(visible=False, elem_id="review") as self.main:
            self.progress = gr.HTML(elem_id="review-progress", elem_classes="sb-live")
            self.filters = FilterBar(services.identifier.known.breeds)
            self.message = gr.HTML(elem_id="review-message", elem_classes="sb-live")
            with gr.Column(elem_id="review-one") as self.one:
                self.acts = Acts()
            with gr.Column(visible=False, elem_id="review-many") as self.many:
                self._many()
            self.empty = gr.HTML(visible=False)
            self.empty_undo = gr.Button(
                gettext("Undo"), size="sm", visible=False, elem_id="review-empty-undo"
            )
            self.leave = gr.HTML(each_language(html.sign_out), visible=False)
        self._wire()

    def _many(self) -> None:
        with gr.Row(elem_classes="sb-bulk"):
            self.all = gr.Button(gettext("Choose all"), size="sm", elem_id="review-all")
            self.bulk_accept = gr.Button(
                gettext("Accept"), size="sm", variant="primary", elem_id="review-bulk-accept"
            )
            self.bulk_reject = gr.Button(gettext("Reject"), size="sm", elem_id="review-bulk-reject")
            self.bulk_breed = breed_dropdown(
                [(gettext(_NO_BREED[0]), _NO_BREED[1])], value="", show_label=False,
                label=gettext("Relabel as"), container=False, min_width=200, elem_id="review-bulk-breed",
            )  # fmt: skip
            self.bulk_relabel = gr.Button(gettext("Relabel"), size="sm", elem_id="review-bulk-relabel")
            self.bulk_undo = gr.Button(gettext("Undo"), size="sm", elem_id="review-bulk-undo")
        self.list = gr.HTML(elem_id="review-list")

    def _wire(self) -> None:
        acts, bar = self.acts, self.filters
        self.outputs = [
            self.gate, self.main, self.progress, self.message, self.one, self.many, self.empty,
            self.empty_undo, self.leave, self.list, self.bulk_breed, *acts.outputs, *bar.outputs,
        ]  # fmt: skip
        self.event: dict[str, Any] = {
            "outputs": self.outputs, "api_visibility": "private", "show_progress": "hidden",
            "concurrency_limit": 4, "concurrency_id": "review",
        }  # fmt: skip
        both = [acts.together, acts.reason]
        self._on_placed(acts.accept.click, self._accept, [acts.missed_species, *both])
        self._on_shown(acts.reject.click, self._reject, both)
        # Not `input`: gradio also fires it when a dropdown loses the focus, and twice after a mouse click.
        self._on_placed(acts.breed.change, self._relabel, [acts.breed, *both], chosen=True)
        self._on_placed(acts.introduce.click, self._new_breed, [*acts.new_breed, *both])
        self._on_shown(acts.undo.click, self._undo, [])
        self._on_shown(acts.gold.click, self._gold, [])
        self._on(acts.next.click, partial(self._turn, 1), [])
        self._on(acts.previous.click, partial(self._turn, -1), [])
        self._on_chosen(self.bulk_accept.click, self._bulk(decisions.accept))
        self._on_chosen(self.bulk_reject.click, self._bulk(decisions.reject))
        self._on_chosen(self.bulk_relabel.click, self._bulk_relabel, self.bulk_breed)
        self._on_chosen(self.bulk_undo.click, self._bulk_undo)
        self._on(self.empty_undo.click, self._undo_last, [])
        self.all.click(None, js="() => smartbreedReview.all()", api_visibility="private")
        for changed in bar.changes:
            self._on(changed, self._filter, bar.inputs)
        self._on(bar.view.input, self._fill, [])
        acts.wire()

    def load(self, blocks: gr.Blocks) -> None:
        """Fill the page when it is opened."""
        handler = self._guarded(self._fill)
        blocks.load(handler, [self.session, self.filters.view], **self.event)

    def _on_shown(self, event: Any, act: Act, inputs: list[Any]) -> None:
        """Attach an action on one flag; it fails if the browser showed a different one."""

        def checked(desk: Desk, reviewer: str, shown: str, *values: Any) -> Acted:
            check_shown(desk, shown)
            return act(desk, reviewer, *values)

        js = "(session, view, shown, ...rest) => [session, view, smartbreedReview.shown(), ...rest]"
        self._on(event, checked, [self.shown, *inputs], js=js)

    def _on_placed(self, event: Any, act: Act, inputs: list[Any], *, chosen: bool = False) -> None:
        """Attach an action on one flag that also takes the box drawn for a missed pet.

        Args:
            event: the event that starts it.
            act: the action.
            inputs: controls whose values it takes.
            chosen: True if the first value is a choice, without which nothing is done.
        """

        def checked(desk: Desk, reviewer: str, shown: str, where: str, *values: Any) -> Acted:
            if chosen and not values[0]:
                return desk, None
            check_shown(desk, shown)
            return act(desk, reviewer, where, *values)

        js = "(a, b, c, d, ...all) => [a, b, smartbreedReview.shown(), smartbreedBox.value('review'), ...all]"
        self._on(event, checked, [self.shown, self.where, *inputs], js=js)

    def _on_chosen(self, event: Any, act: Act, *inputs: Any) -> None:
        """Attach an action on the flags chosen in the list view."""
        js = "(session, view, shown, ...rest) => [session, view, smartbreedReview.chosen(), ...rest]"
        self._on(event, act, [self.shown, *inputs], js=js)

    def _on(self, event: Any, act: Act, inputs: list[Any], **more: Any) -> None:
        event(self._guarded(act), [self.session, self.filters.view, *inputs], **self.event, **more).then(
            None, js="() => smartbreedReview.settle()", api_visibility="private"
        )

    def _guarded(self, act: Act) -> Callable[..., Updates]:
        """Return an event handler that only serves maintainers and shows every error as a message."""

        # gradio passes the request only to a parameter before ``*values``.
        def handle(request: gr.Request, session: ReviewSession, view: str, *values: Any) -> Updates:
            try:
                login = self.services.maintainers.require(request)
            except MaintainerError:
                return self._outside(request)
            reviewer = self.services.maintainers.reviewer(login)
            try:
                with session.lock, acting(self.services.maintainers.actor(login)):
                    session.desk, outcome_text = self._acted(act, session.desk, reviewer, *values)
                    return (
                        {self.message: gr.skip()}
                        if outcome_text is None
                        else self._inside(session.desk, view, outcome_text)
                    )
            except Exception as error:  # decisions made before the error stay, and can be undone
                return {self.message: html.problem(explain_failure(error)), self.acts.breed: None}

        return handle

    def _acted(self, act: Act, desk: Desk, *values: Any) -> Acted:
        try:
            return act(desk, *values)
        except ReviewError as error:
            if error.code == "not_decided":  # another maintainer was faster: load the list again
                desk = fill(self.services.review, desk, desk.filters)
            return desk, html.problem(error)

    def _outside(self, request: gr.Request) -> Updates:
        auth = self.services.maintainers.authenticate(request)
        return {
            self.gate: gr.update(value=html.gate(auth), visible=True),
            self.main: gr.update(visible=False),
        }

    def _inside(self, desk: Desk, view: str, outcome_text: str) -> Updates:
        shown = show(self.services, desk, view == "list")
        one = view != "list" and desk.item is not None
        password = bool(self.services.settings.maintainer_password)
        return {
            self.gate: gr.update(visible=False),
            self.main: gr.update(visible=True),
            self.progress: shown.progress,
            self.message: outcome_text,
            self.one: gr.update(visible=one),
            self.many: gr.update(visible=view == "list" and bool(desk.items)),
            self.empty: gr.update(
                value=cards.MACROS.empty(desk.narrowed, shown.ever), visible=not desk.items
            ),
            self.empty_undo: gr.update(visible=not desk.items and bool(desk.orders)),
            self.leave: gr.update(visible=password),
            self.list: shown.listed,
            self.bulk_breed: gr.update(
                choices=[(gettext(_NO_BREED[0]), _NO_BREED[1]), *shown.breeds], value=""
            ),
            **self.acts.show(desk, shown),
            **self.filters.show(shown.flaggers),
        }

    def _accept(
        self, desk: Desk, reviewer: str, where: str, species: str | None, together: bool, reason: str
    ) -> tuple[Desk, str]:
        decision = decisions.accept(reason, species=species or "")
        return self._carry_out(desk, decision, reviewer, together, where)

    def _reject(self, desk: Desk, reviewer: str, together: bool, reason: str) -> tuple[Desk, str]:
        return self._carry_out(desk, decisions.reject(reason), reviewer, together)

    def _relabel(
        self, desk: Desk, reviewer: str, where: str, breed: str, together: bool, reason: str
    ) -> tuple[Desk, str]:
        new_decision = self._another(breed, reason)
        return self._carry_out(desk, new_decision, reviewer, together, where)

    def _another(self, breed: str, reason: str = "") -> NewDecision:
        new = self.services.review.new_breeds()
        return decisions.relabel(breed, new, reason, lambda: self.services.identifier.known.breeds)

    def _new_breed(
        self, desk: Desk, reviewer: str, where: str, name: str, key: str, species: str, group: str | None,
        together: bool, reason: str,
    ) -> tuple[Desk, str]:  # fmt: skip
        known = self.services.review.new_breeds()
        new_decision = decisions.new_breed(
            name, species or "", group or "", known, key, reason, things=self.services.of_things
        )
        return self._carry_out(desk, new_decision, reviewer, together, where)

    def _carry_out(
        self, desk: Desk, new_decision: NewDecision, reviewer: str, together: bool, where: str = ""
    ) -> tuple[Desk, str]:
        if desk.item is None:
            return desk, ""
        flag = desk.item.flag
        new_decision = decisions.at(new_decision, corners(where, flag.photo_width, flag.photo_height))
        ids = [desk.item.id, *(item.id for item in desk.alike if together)]
        review = self.services.review
        outcome = review.decide(ids, new_decision, reviewer, together=len(ids) > 1)
        return after(review, desk, outcome), cards.outcome_text(outcome, review.names())

    def _undo(self, desk: Desk, reviewer: str) -> tuple[Desk, str]:
        """Undo the last action on this page or, if a decided flag is shown, the decision about it."""
        if desk.item is not None and desk.item.state != "open":
            return self._undo_these(desk, reviewer, [desk.item.id])
        return self._undo_last(desk, reviewer)

    def _undo_these(self, desk: Desk, reviewer: str, flag_ids: list[str]) -> tuple[Desk, str]:
        made = self.services.review.undo(flag_ids, reviewer).decisions
        return taken_back(self.services.review, desk, made), cards.MACROS.undone(len(made))

    def _undo_last(self, desk: Desk, reviewer: str) -> tuple[Desk, str]:
        """Undo the last action on this page."""
        if not desk.orders:
            return desk, html.note(gettext("You have nothing to take back."))
        review, last = self.services.review, desk.orders[-1]
        desk = replace(desk, orders=desk.orders[:-1])
        try:
            made = review.undo(last.flag_ids, reviewer, only=last.decision_ids).decisions
        except ReviewError as error:  # decided again since; the next undo takes the action before
            return fill(review, desk, desk.filters), html.problem(error)
        return taken_back(review, desk, made), cards.MACROS.undone(len(made))

    def _turn(self, step: int, desk: Desk, reviewer: str) -> tuple[Desk, str]:
        return turn(self.services.review, desk, step), ""

    def _gold(self, desk: Desk, reviewer: str) -> tuple[Desk, str]:
        if desk.item is None:
            return desk, ""
        review = self.services.review
        gold = not review.is_gold(desk.item.id)
        review.set_gold(desk.item.id, reviewer, gold=gold)
        return desk, cards.MACROS.gold(gold)

    def _filter(self, desk: Desk, reviewer: str, state: str, verdict: str, breed: str, flagger: str) -> Acted:
        filters = Filters(state or "open", verdict or "", breed or "", flagger or "")
        if filters == desk.filters:  # a dropdown lost the focus without a new choice
            return desk, None
        return fill(self.services.review, desk, filters), ""

    def _fill(self, desk: Desk, reviewer: str) -> Acted:
        return fill(self.services.review, desk, desk.filters), ""

    def _bulk(self, new_decision: Callable[[], NewDecision]) -> Act:
        def act(desk: Desk, reviewer: str, chosen: str) -> tuple[Desk, str]:
            return self._carry_out_all(desk, new_decision(), reviewer, chosen)

        return act

    def _bulk_relabel(self, desk: Desk, reviewer: str, chosen: str, breed: str) -> tuple[Desk, str]:
        if not breed:
            raise ReviewError("none_chosen", "Choose the breed first.")
        new_decision = self._another(breed)
        return self._carry_out_all(desk, new_decision, reviewer, chosen)

    def _carry_out_all(
        self, desk: Desk, new_decision: NewDecision, reviewer: str, chosen: str
    ) -> tuple[Desk, str]:
        review = self.services.review
        outcome = review.decide(chosen_ids(desk, chosen), new_decision, reviewer)
        return after(review, desk, outcome), cards.outcome_text(outcome, review.names())

    def _bulk_undo(self, desk: Desk, reviewer: str, chosen: str) -> tuple[Desk, str]:
        """Undo the decisions about the chosen flags or, if none is decided, the last action on this page."""
        ids = set(chosen_ids(desk, chosen)) if any_chosen(chosen) else set()
        decided = [item.id for item in desk.listed if item.id in ids and item.state != "open"]
        if decided:
            return self._undo_these(desk, reviewer, decided)
        return self._undo_last(desk, reviewer)
