"""The maintainers' page for retraining: waiting photos, live progress, versions. Layout and wiring."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from smartbreed import feedback_loop
from smartbreed.admin.actor import acting
from smartbreed.core.errors import RequestError
from smartbreed.i18n import gettext
from smartbreed.registry.pinning import LATEST
from smartbreed.registry.release_history import Serving
from smartbreed.services import Services, explain_failure
from smartbreed.training_jobs.job import Job
from smartbreed.web.components import nav
from smartbreed.web.components.page_language import each_language
from smartbreed.web.components.templates import html
from smartbreed.web.pages.train import cards as train_cards

#: Polling interval in seconds, while a job runs or a version loads, and otherwise.
_BUSY_S, _IDLE_S = 1.0, 5.0

Updates = dict[Any, Any]


class TrainPage:
    """The retraining page; create it inside ``with blocks.route(…)``.

    Args:
        services: provides what it shows, and starts retrainings.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.home = services.settings.home_dir
        gr.HTML(each_language(partial(nav.header, "train", maintainers=services.maintainers.reachable)))
        self.closed = gr.HTML(visible=False, elem_id="closed")
        self.seen = gr.State("")
        self.timer = gr.Timer(_IDLE_S)
        self.live = gr.HTML("", elem_classes=["sb-live", "sb-aloud"])
        with gr.Column(visible=False, elem_id="train") as self.main:
            gr.HTML(each_language(train_cards.MACROS.intro))
            with gr.Row(elem_classes="sb-columns"):
                with gr.Column(scale=4, min_width=290, elem_classes="sb-train-main"):
                    self.serving = gr.HTML(elem_id="serving")
                    self.waiting = gr.HTML(elem_id="waiting")
                with gr.Column(scale=7, min_width=320, elem_classes="sb-train-main"):
                    self._run()
            self._versions()
        self._wire()

    def _run(self) -> None:
        with gr.Column(elem_classes="sb-card", elem_id="run"):
            self.outcome = gr.HTML(visible=False, elem_id="outcome")
            self.progress = gr.HTML(visible=False, elem_id="progress")
            self.plots = gr.HTML(visible=False, elem_id="plots")
            self.mode = gr.Radio(
                train_cards.modes([]),
                value="head",
                label=gettext("How to retrain"),
                info=gettext(
                    "Quick retrains the last layer, new breeds included, and is enough for most "
                    "corrections. Full fine-tunes the whole network."
                ),
                elem_id="mode",
                elem_classes="sb-mode",
            )
            self.need = gr.HTML(elem_id="need", elem_classes="sb-live")
            with gr.Row(elem_classes="sb-actions"):
                self.start = gr.Button(gettext("Retrain now"), variant="primary", elem_id="retrain")
                self.cancel = gr.Button(gettext("Stop it"), visible=False, elem_id="cancel")
            self.problem = gr.HTML(elem_classes="sb-live")

    def _versions(self) -> None:
        gr.HTML(each_language(lambda: train_cards.MACROS.section(gettext("Versions"))))
        self.chart = gr.HTML(visible=False, elem_id="chart")
        self.versions = gr.HTML(elem_id="versions")
        with gr.Row(elem_classes="sb-actions", elem_id="choose"):
            self.choice = gr.Dropdown(
                [],
                label=gettext("Use another version"),
                elem_id="choice",
                filterable=False,
                min_width=220,
            )
            self.use = gr.Button(gettext("Use this version"), elem_id="use")
            self.back = gr.Button(gettext("No earlier version"), interactive=False, elem_id="back")
        self.chosen = gr.HTML(elem_classes="sb-live", elem_id="chosen")
        with gr.Column(visible=False) as self.past:
            gr.HTML(each_language(lambda: train_cards.MACROS.section(gettext("Earlier retrainings"))))
            self.history = gr.HTML(elem_id="history")

    def _wire(self) -> None:
        run = [
            self.outcome,
            self.progress,
            self.plots,
            self.mode,
            self.need,
            self.start,
            self.cancel,
            self.live,
        ]
        facts = [
            self.serving, self.waiting, self.chart, self.versions, self.choice, self.use, self.back,
            self.past, self.history,
        ]  # fmt: skip
        outputs = [self.seen, self.timer, self.closed, self.main, self.problem, self.chosen, *run, *facts]
        self.event = event = {
            "outputs": outputs, "api_visibility": "private", "show_progress": "hidden",
            "concurrency_limit": 4, "concurrency_id": "train",
        }  # fmt: skip
        gr.on([self.start.click], self._start, [self.mode], **event)
        gr.on([self.cancel.click], self._cancel, None, **event)
        gr.on([self.use.click], self._use, [self.choice, self.mode], **event)
        gr.on([self.back.click], self._back, [self.mode], **event)
        gr.on([self.mode.input], self._choose_mode, [self.mode], **event)
        self.timer.tick(self._tick, [self.seen, self.mode], **event)

    def load(self, blocks: gr.Blocks) -> None:
        """Fill the page when it is opened."""
        blocks.load(self._tick, [self.seen, self.mode], **self.event)

    def _tick(self, seen: str, mode: str, request: gr.Request) -> Updates:
        auth = self.services.maintainers.authenticate(request)
        if auth.state != "in":
            if seen == auth.state:
                return {self.seen: gr.skip()}
            shown = gr.update(value=html.gate(auth), visible=True)
            # Polling is pointless until the maintainer signs in, which reloads the page.
            return {self.seen: auth.state, self.closed: shown, self.timer: gr.Timer(active=False)}
        job = self.services.retraining.latest()
        now, waits = feedback_loop.serving(self.services), feedback_loop.waiting(self.services)
        # The part after the last bar is the revision that the version dropdown was set to.
        mark = f"{_mark(job)}|{hash((now, waits))}|{now.pin_revision}"
        if mark == seen:
            return {self.seen: gr.skip()}
        full = not seen or _lasting(seen) != _lasting(mark)
        updates = self._show(job, mark, now, mode, full=full)
        if full and seen and seen.rpartition("|")[2] == now.pin_revision:
            updates[self.choice].pop("value")  # do not overwrite a version that a person has just picked
        return updates

    def _start(self, mode: str, request: gr.Request) -> Updates:
        try:
            login = self.services.maintainers.require(request)
            need = self.services.needs().get(mode)
            if need is not None and not need.ready:
                raise RequestError("too_few_photos", train_cards.need_text(need))
            with acting(self.services.maintainers.actor(login)):
                job = self.services.retrain(mode)
        except Exception as error:
            return {self.problem: html.problem(explain_failure(error))}
        state = feedback_loop.serving(self.services)
        return {**self._show(job, "", state, mode, full=False), self.problem: ""}

    def _cancel(self, request: gr.Request) -> Updates:
        try:
            login = self.services.maintainers.require(request)
            self.services.retraining.cancel()
            self._note(login, "retrain", "stopped")
        except Exception as error:
            return {self.problem: html.problem(explain_failure(error))}
        return {self.cancel: gr.update(value=gettext("Stopping …"), interactive=False), self.problem: ""}

    def _use(self, revision: str | None, mode: str, request: gr.Request) -> Updates:
        try:
            login = self.services.maintainers.require(request)
            chosen = self.services.model.use(revision or LATEST)
            self._note(login, "model", f"chosen: {chosen.version if chosen else 'the newest'}")
        except Exception as error:
            return {self.chosen: html.problem(explain_failure(error))}
        return self._chose(mode)

    def _back(self, mode: str, request: gr.Request) -> Updates:
        try:
            login = self.services.maintainers.require(request)
            self._note(login, "model", f"back to {self.services.model.rollback().version}")
        except Exception as error:
            return {self.chosen: html.problem(explain_failure(error))}
        return self._chose(mode)

    def _note(self, login: str, action: str, words: str) -> None:
        with acting(self.services.maintainers.actor(login)):
            self.services.note(action, words)

    def _choose_mode(self, mode: str, request: gr.Request) -> Updates:
        try:
            self.services.maintainers.require(request)
        except Exception as error:
            return {self.problem: html.problem(explain_failure(error))}
        job = self.services.retraining.latest()
        return self._start_button(mode, feedback_loop.serving(self.services), bool(job and job.running))

    def _chose(self, mode: str) -> Updates:
        """Return updates after another version was chosen, which takes a moment to load."""
        job = self.services.retraining.latest()
        return self._show(job, "", feedback_loop.serving(self.services), mode, full=True)

    def _show(self, job: Job | None, mark: str, now: Serving, mode: str, *, full: bool) -> Updates:
        """Return updates for a job's current state; ``full`` includes what does not change while it runs."""
        running = job is not None and job.running
        updates: Updates = {
            self.seen: mark,
            self.closed: gr.update(visible=False),
            self.timer: gr.Timer(_BUSY_S if running or now.loading else _IDLE_S),
            self.main: gr.update(visible=True),
            self.live: train_cards.MACROS.announcement(job),
            self.outcome: gr.update(
                value=train_cards.outcome(job, now) if job and not running else "",
                visible=bool(job) and not running,
            ),
            self.progress: gr.update(value=train_cards.progress(job) if job else "", visible=job is not None),
            self.mode: gr.update(visible=not running),
            **self._start_button(mode, now, running),
            self.cancel: gr.update(visible=running, value=gettext("Stop it"), interactive=True),
        }
        if full or not running:
            shown = train_cards.gate(self.home, job)
            updates[self.plots] = gr.update(value=shown, visible=bool(shown))
        elif running:
            updates[self.plots] = gr.update(visible=False)
        return {**updates, **(self._facts(running, now) if full else {})}

    def _start_button(self, mode: str, now: Serving, running: bool) -> Updates:
        """Return updates for what a mode still needs, and for the start button, enabled if it has enough."""
        needs = {one.mode: one for one in feedback_loop.waiting(self.services).needs}
        need = needs.get(mode)
        ready = (need is None or need.ready) and not now.no_releases
        shown = train_cards.need(need)
        return {
            self.start: gr.update(visible=not running, interactive=ready),
            self.need: gr.update(value=shown, visible=bool(shown) and not running),
        }

    def _facts(self, running: bool, now: Serving) -> Updates:
        releases = feedback_loop.releases(self.services)
        chart = train_cards.accuracy(releases)
        jobs = [job for job in self.services.retraining.recent(20) if not job.running]
        free = now.chosen != "fixed"
        note = train_cards.choice_note(now)
        return {
            self.serving: train_cards.MACROS.serving(now),
            self.waiting: train_cards.MACROS.waiting(feedback_loop.waiting(self.services)),
            self.chart: gr.update(value=chart, visible=bool(chart)),
            self.versions: train_cards.versions(releases),
            self.choice: gr.update(
                choices=train_cards.choices(releases, now),
                value=train_cards.chosen_revision(releases, now),
                interactive=free,
            ),
            self.use: gr.update(interactive=free),
            self.back: gr.update(value=train_cards.back_text(now), interactive=free and bool(now.before)),
            self.chosen: html.note(note) if note else "",
            self.mode: gr.update(choices=train_cards.modes(jobs), visible=not running),
            self.past: gr.update(visible=bool(jobs)),
            self.history: train_cards.history(jobs),
        }


def _mark(job: Job | None) -> str:
    """Return a value that changes whenever there is something new to show."""
    if job is None:
        return "none"
    if not job.running:
        return f"{job.spec.id} {job.state}"
    steps = [(step.name, step.state, step.share) for step in job.progress.steps()]
    return f"{job.spec.id} running {hash((job.progress.message, tuple(steps)))}"


def _lasting(mark: str) -> str:
    """Return the part of a mark that does not change while a job runs."""
    job, _, facts = mark.partition("|")
    return f"{'running' if ' running ' in job else job}|{facts}"
