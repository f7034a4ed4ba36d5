"""Operates every control that a page shows, and looks after each for what went wrong.

A page's controls are listed by ``controls.js`` from the page itself. Each must have an
`Operation`; one without fails the walk with a sentence that names it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from net_stage import Stage
from support.browser import FAINT

LIST_CONTROLS = (Path(__file__).parent / "controls.js").read_text(encoding="utf-8")
COUNT_EVENTS = (Path(__file__).parent / "pending.js").read_text(encoding="utf-8")
#: Whether a page of gradio shows what it held back while it was made.
STANDS = "!window.gradio_config || document.documentElement.classList.contains('sb-made')"
#: What a server's log must not hold.
IN_LOG = re.compile(r"Traceback|\bERROR\b|\bCRITICAL\b|\bException\b")
#: What gradio's client says when a page is left while it listens to the server.
LEAVING = re.compile("signal is aborted without reason|Connection errored out")
#: Messages of ours that say that something was refused or went wrong.
REFUSALS = ".sb-problem:visible, .sb-failed:visible"
#: What is looked at after each operation, asked in one go: each question of a browser costs milliseconds.
STATE = """() => ({
  document: performance.timeOrigin,
  gradio: Boolean(window.gradio_config),
  wide: document.documentElement.scrollWidth,
  toasts: document.querySelectorAll(".toast-body").length,
  refusals: document.querySelectorAll(".sb-problem, .sb-failed").length,
})"""
#: Texts may change their colours for so long before they are called faint, in milliseconds.
CHANGING = 600
#: A page is at rest when nothing has been under way for so long, in milliseconds.
CALM = 150


@dataclass(frozen=True)
class Operation:
    """What a person does with a control.

    Attributes:
        act: does it, and asserts what must come of it.
        refused: the page may say afterwards that this cannot be done.
        blocked: the browser may say in its console that the server refused (HTTP 4xx).
        slow: only in the slow tests.
        last: only once everything else is done, for it ends what the walk needs.
    """

    act: Callable[[Walk], None]
    refused: bool = False
    blocked: bool = False
    slow: bool = False
    last: bool = False


@dataclass
class Walk:
    """One visitor on one page.

    Attributes:
        page: playwright's.
        stage: the running server.
        width: of the window, pixels.
        slow: whether slow operations are done too.
        fired: every event handler that the browser has called, ``component event``.
        served: every one that the pages it has been on have.
    """

    page: Any
    stage: Stage
    width: int
    slow: bool
    fired: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    _running: set[Any] = field(default_factory=set)
    _moved: int = 0
    _faults: list[str] = field(default_factory=list)
    _refused: list[str] = field(default_factory=list)
    _called: set[int] = field(default_factory=set)
    _names: dict[int, str] = field(default_factory=dict)
    _document: float = 0
    _log_from: int = 0

    def __post_init__(self) -> None:
        page = self.page
        page.add_init_script(COUNT_EVENTS)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._faults.append(f"the page raised: {error}"))
        page.on("response", self._response)
        page.on("request", self._request)
        for over in ("requestfinished", "requestfailed"):
            page.on(over, self._over)
        self._log_from = len(self.stage.server.log())

    def open(self, path: str) -> None:
        """Open one of the server's pages and wait for it to fill itself."""
        self.page.goto("about:blank")
        self.page.wait_for_timeout(50)
        self._forget_leaving()
        self.page.goto(urljoin(self.stage.url, path))
        self.page.wait_for_function(STANDS)
        self.settle()
        self.check(f"opening /{path}")

    def settle(self, seconds: float = 60) -> None:
        """Wait until no event of ours is under way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            moved = self._moved
            if self._quiet() and not self._running and moved == self._moved:
                return
            self.page.wait_for_timeout(30)
        waiting = self.page.evaluate("window.pendingEvents?.().length ?? 0")
        raise AssertionError(
            f"still under way: {[request.url for request in self._running]}, {waiting} events"
        )

    def _quiet(self) -> bool:
        """Whether the page comes to rest in a few seconds; a page of gradio itself watches for that."""
        try:
            quiet = self.page.evaluate(f"window.gradio_config ? window.quiet({CALM}, 5000) : null")
        except Exception:  # another page is just being loaded
            return False
        if quiet is None:  # it has no events; and a document of data may have no scripts, so no clock either
            self.page.wait_for_timeout(CALM)
        return quiet is not False

    def check(self, after: str, *, refused: bool = False, blocked: bool = False) -> None:
        """Fail if anything went wrong since the last time."""
        state = self.page.evaluate(STATE)
        self._note_handlers(state)
        faults, self._faults = self._faults, []
        blocks, self._refused = self._refused, []
        faults += [] if blocked else blocks
        log = self.stage.server.log()
        fresh, self._log_from = log[self._log_from :], len(log)
        if IN_LOG.search(fresh):
            faults.append(f"the server's log says:\n{fresh[-3000:]}")
        if state["toasts"]:
            toasts = self.page.locator(".toast-body").all_inner_texts()
            faults += [f"a toast says {text!r}" for text in toasts if "error" in text.lower()]
        if state["refusals"] and not refused:
            said = self.page.locator(REFUSALS).all_inner_texts()
            faults += [f"the page says {text!r}" for text in said if text.strip()]
        if state["wide"] > self.width:
            faults.append(f"the page is {state['wide']} px wide in a window of {self.width} px")
        faults += [f"faint: {text}" for text in self._faint()]
        assert not faults, f"after {after}: " + "\n".join(faults)

    def _faint(self) -> list[str]:
        """Texts that hardly stand out, once colours have changed over."""
        if not self.page.evaluate(FAINT):
            return []
        self.page.wait_for_timeout(CHANGING)
        return list(self.page.evaluate(FAINT))

    def controls(self) -> dict[str, bool]:
        """Every control that is shown, and whether it is enabled."""
        return {found["name"]: found["enabled"] for found in self.page.evaluate(LIST_CONTROLS)}

    def operate(
        self,
        operations: Mapping[str, Operation],
        scenes: Sequence[Callable[[Walk], None]] = (),
        spared: Sequence[str] = (),
    ) -> None:
        """Operate everything that the page shows, in the order of ``operations``.

        Args:
            operations: by name of their control.
            scenes: each brings the page into another state; what is shown then is operated too.
            spared: controls that are left alone this time.

        Raises:
            AssertionError: something went wrong, a control has no operation, or an operation no control.
        """
        done = set(spared)
        for number, scene in enumerate((None, *scenes)):
            if scene:
                scene(self)
                self.settle()
                self.check(f"the scene {scene.__name__}")
            while True:
                shown = self.controls()
                strange = [name for name in shown if name not in operations and not name.startswith("link ")]
                assert not strange, (
                    f"These controls of {self.page.url} have no operation in "
                    "tests/web/pages/operations/: "
                    f"{strange}"
                )
                todo = [
                    name
                    for name, operation in operations.items()
                    if name not in done
                    and shown.get(name)
                    and (self.slow or not operation.slow)
                    and (number == len(scenes) or not operation.last)
                ]
                if not todo:
                    break
                done.add(todo[0])
                operation = operations[todo[0]]
                try:
                    operation.act(self)
                    self.settle()
                except Exception as error:
                    raise AssertionError(f"operating '{todo[0]}': {error}") from error
                self.check(f"operating '{todo[0]}'", refused=operation.refused, blocked=operation.blocked)
        missing = [
            name
            for name, operation in operations.items()
            if name not in done and (self.slow or not operation.slow)
        ]
        assert not missing, f"never shown, or never enabled, on {self.page.url}: {missing}"

    def follow_links(self) -> None:
        """Follow each link that is shown, and come back; first those that leave the page as it is.

        Of a link that was followed on another page of the same stage, in a window as wide, such as those of
        the site's navigation, it is only looked whether it could be clicked.
        """
        here = self.page.url

        def leaves(href: str) -> bool:
            return self.page.locator(f'a[href="{href}"]:visible').first.get_attribute("target") != "_blank"

        shown = {name.removeprefix("link ") for name in self.controls() if name.startswith("link ")}
        # After a choice of language all that walks look for would say something else: see test_languages.py.
        shown = {href for href in shown if "lang=" not in urlsplit(href).query}
        for href in sorted(shown, key=lambda href: (leaves(href), href)):
            target = urljoin(here, href)
            if not target.startswith(self.stage.url):
                assert urlsplit(target).scheme == "https", f"a link leads to {target}"
                continue
            if href.startswith("#"):
                assert self.page.locator(f"[id='{href[1:]}']").count() == 1, f"{href} leads nowhere"
            link = self.page.locator(f'a[href="{href}"]:visible').first
            if (self.width, target) in self.stage.followed:
                link.click(trial=True)
                continue
            self.stage.followed.add((self.width, target))
            if link.get_attribute("target") == "_blank":
                with self.page.expect_popup() as opened:
                    link.click()
                opened.value.wait_for_url(target)
                assert opened.value.locator("main").is_visible()
                opened.value.close()
                continue
            link.click()
            # Who is not signed in is led from the account to the page to sign in.
            self.page.wait_for_url(re.compile(re.escape(target) + r"(/sign-in\b.*)?$"))
            self.settle()
            self._forget_leaving()
            self.check(f"following the link {href}", refused=True)
            if href.startswith("#"):
                continue  # it is still the same page
            self.page.goto(here)
            self.settle()
            self._forget_leaving()

    def _forget_leaving(self) -> None:
        """A page of gradio that is left complains of the connection that it had."""
        self._faults = [fault for fault in self._faults if not LEAVING.search(fault)]

    def _note_handlers(self, state: Mapping[str, Any]) -> None:
        """Note which handlers were called; what a page has is read once, for it is long."""
        if not state["gradio"]:
            return
        if state["document"] != self._document:
            config = self.page.evaluate("window.gradio_config")
            self._document, self._names = state["document"], handler_names(config)
            self.served |= {
                self._names[handler["id"]]
                for handler in config["dependencies"]
                if handler["backend_fn"] and handler["targets"] and handler["id"] in self._names
            }
        self.fired |= {self._names[number] for number in self._called if number in self._names}

    def _console(self, message: Any) -> None:
        if message.location.get("url", "").endswith("/maintainer/token"):
            return  # who is not signed in has none, which the browser calls an error
        if message.type == "error":
            text = f"the console says: {message.text} ({message.location.get('url', '')})"
            blocked = "Failed to load resource" in message.text and re.search(
                r"status of 4\d\d", message.text
            )
            (self._refused if blocked else self._faults).append(text)

    def _response(self, response: Any) -> None:
        if response.status >= 500:
            self._faults.append(f"{response.url} answered {response.status}")

    def _over(self, request: Any) -> None:
        if request in self._running:
            self._running.discard(request)
            self._moved += 1

    def _request(self, request: Any) -> None:
        path = urlsplit(request.url).path
        if path.endswith(("/queue/join", "/run/predict", "/upload")):
            self._running.add(request)
            self._moved += 1
        if path.endswith(("/queue/join", "/run/predict")) and request.post_data:
            self._called.add(json.loads(request.post_data)["fn_index"])


def handler_names(config: Mapping[str, Any]) -> dict[int, str]:
    """What each handler of a page is called: the components and events that set it off."""
    ids = {one["id"]: one["props"].get("elem_id") or one["type"] for one in config["components"]}
    ids = {number: re.sub(r"^pet-\d+", "pet-N", str(name)) for number, name in ids.items()}
    found = {}
    for handler in config["dependencies"]:
        targets = [f"{ids.get(component, 'page')} {event}" for component, event in handler["targets"]]
        found[handler["id"]] = ", ".join(sorted(targets)) or f"then {handler['api_name']}"
    return found
