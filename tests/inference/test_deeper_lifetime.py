"""Who waits for a deeper explanation, and when the child process ends."""

from __future__ import annotations

import textwrap
import threading
from pathlib import Path

import pytest
from support.clock import until
from support.explainer import (
    FAKE,
    HANG,
    OK,
    SLOW,
    Make,
    gone,
    picture,
    pid_of,
)
from support.processes import run

from smartbreed.core.errors import UnavailableError
from smartbreed.inference.deep_explanations import DeepExplainer


class Visitors:
    """Visitors that come one by one; the first is held up until `release`."""

    def __init__(self, explainer: DeepExplainer) -> None:
        self.explainer = explainer
        self.release = threading.Event()
        self.answered: list[int] = []
        self.reported: list[list[str]] = []
        self.threads: list[threading.Thread] = []

    def come(self) -> None:
        number = len(self.threads)
        self.reported.append([])
        self.threads.append(threading.Thread(target=self._visit, args=(number,), daemon=True))
        self.threads[-1].start()
        until(lambda: len(self.explainer._fair_lock._line) == number + 1)

    def _visit(self, number: int) -> None:
        def progress(share: float, text: str) -> None:
            self.reported[number].append(text)
            if number == 0:
                self.release.wait(10)

        self.explainer.explain(picture(OK, number), 0, "gradcam", progress)
        self.answered.append(number)

    def leave(self) -> None:
        self.release.set()
        for thread in self.threads:
            thread.join(10)


def test_others_wait_in_order_and_know_it(make: Make) -> None:
    visitors = Visitors(make())
    for _ in range(4):
        visitors.come()
    until(lambda: all(visitors.reported))
    visitors.leave()
    assert visitors.answered == [0, 1, 2, 3]
    waits = [[text for text in texts if "another visitor" in text] for texts in visitors.reported]
    assert waits[0] == []
    assert [text.split("(")[1] for text in waits[3]] == [f"{n} before yours)" for n in (3, 2, 1)]


def test_a_crowd_is_sent_away(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = make()
    monkeypatch.setattr(explainer._fair_lock, "_most_waiting", 1)
    visitors = Visitors(explainer)
    visitors.come()
    visitors.come()
    for variant in (7, 8):
        with pytest.raises(UnavailableError) as caught:
            explainer.explain(picture(OK, variant), 0, "gradcam")
        assert caught.value.code == "busy"
    visitors.leave()
    assert visitors.answered == [0, 1]
    assert explainer.explain(picture(OK, 7), 0, "gradcam").shape == (2, 2)


def test_an_idle_child_is_stopped(make: Make) -> None:
    explainer = make(idle=0.5)
    explainer.explain(picture(), 0, "gradcam")
    first = pid_of(explainer)
    explainer.explain(picture(SLOW), 0, "gradcam")  # longer than the idle time: it must not be cut short
    until(lambda: not explainer.running)
    assert gone(first)
    assert explainer.explain(picture(OK, 1), 0, "gradcam").shape == (2, 2)
    assert pid_of(explainer) != first


def test_close_ends_everything(make: Make) -> None:
    explainer = make()
    explainer.close()  # before any use: nothing to do
    explainer = make()
    explainer.explain(picture(), 0, "gradcam")
    child, caught, hanging = pid_of(explainer), list[str](), threading.Event()

    def visit() -> None:
        with pytest.raises(UnavailableError) as error:
            explainer.explain(picture(HANG), 0, "gradcam", lambda share, text: hanging.set())
        caught.append(error.value.code)

    visitors = [threading.Thread(target=visit) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    until(lambda: hanging.is_set() and len(explainer._fair_lock._line) == 2)
    explainer.close()
    explainer.close()
    for visitor in visitors:
        visitor.join(5)
    assert gone(child)
    # The one that was running, and the one that had waited for it.
    assert sorted(caught) == ["explanation_closed", "explanation_failed"]
    assert not explainer.running


@pytest.mark.parametrize("ending", ["pass", "os._exit(1)", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_no_orphan_and_no_tensorflow_in_the_server(tiny_bundle: Path, ending: str) -> None:
    code = f"""
        import os, signal, sys
        from pathlib import Path
        import numpy as np
        from smartbreed.inference.deep_explanations import DeepExplainer
        explainer = DeepExplainer(Path({str(tiny_bundle)!r}))
        explainer._command = [sys.executable, {str(FAKE)!r}]
        explainer.explain(np.zeros((64, 64, 3), np.uint8), 0, "gradcam")
        print(explainer._child.pid, any(m in sys.modules for m in ("tensorflow", "keras")), flush=True)
        {ending}
    """
    done = run("-c", textwrap.dedent(code))
    pid, imported = done.stdout.split()
    assert imported == "False"
    until(lambda: gone(int(pid)))
