"""The parent's side of deeper explanations: answers, refusals, and a child that gets lost."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.bundles import edit_config
from support.clock import until
from support.explainer import (
    BAD_BUNDLE,
    CRASH,
    GARBAGE,
    HANG,
    OK,
    ROOT,
    SLOW,
    Make,
    gone,
    picture,
    pid_of,
)

from smartbreed.core import extras
from smartbreed.core.errors import BundleError, RequestError, UnavailableError
from smartbreed.inference import deep_explanations
from smartbreed.inference.deep_explanations import METHODS, DeepExplainer
from smartbreed.inference.worker_process import Child, ChildLost


def test_an_answer_with_progress(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("SMARTBREED_SALT", "secret")
    explainer, reported = make(), list[tuple[float, str]]()
    assert not explainer.running
    heat = explainer.explain(picture(), 3, "gradcam++", lambda share, text: reported.append((share, text)))
    assert explainer.running
    np.testing.assert_allclose(heat, [[0.01, 0.3], [0.5, 1]])
    assert heat.dtype == np.float32
    assert not heat.flags.writeable
    assert reported == [(0.0, "secrets: []"), (0.5, "secrets: []"), (1.0, "secrets: []")]


def test_answers_are_remembered(make: Make) -> None:
    explainer = make()
    first = explainer.explain(picture(), 0, "scorecam")
    assert explainer.explain(picture(), 0, "scorecam") is first
    others = [
        explainer.explain(picture(), 1, "scorecam"),
        explainer.explain(picture(), 0, "smoothgrad"),
        explainer.explain(picture(OK, 1), 0, "scorecam"),
    ]
    assert [round(float(heat[0, 0] * 100)) for heat in others] == [2, 3, 4]  # the child's count of requests
    for variant in range(2, 2 + deep_explanations._REMEMBERED):
        explainer.explain(picture(OK, variant), 0, "scorecam")
    assert explainer.explain(picture(), 0, "scorecam") is not first  # forgotten in favour of newer ones


@pytest.mark.parametrize(
    ("pixels", "index", "method", "code"),
    [
        (picture(), 0, "lime", "unknown_method"),
        (picture(), 0, "", "unknown_method"),
        (picture(), 5, "gradcam", "unknown_breed"),
        (picture(), -1, "gradcam", "unknown_breed"),
        (picture()[:32], 0, "gradcam", "bad_pixels"),
        (picture().astype(np.float32), 0, "gradcam", "bad_pixels"),
    ],
)
def test_what_makes_no_sense_starts_nothing(
    make: Make, pixels: np.ndarray, index: int, method: str, code: str
) -> None:
    explainer = make()
    with pytest.raises(RequestError) as caught:
        explainer.explain(pixels, index, method)
    assert caught.value.code == code
    assert not explainer.running


@pytest.mark.parametrize("order", [CRASH, GARBAGE])
def test_a_lost_child_is_replaced(make: Make, order: int, caplog: pytest.LogCaptureFixture) -> None:
    explainer = make()
    explainer.explain(picture(), 0, "gradcam")
    before = pid_of(explainer)
    with pytest.raises(UnavailableError) as caught:
        explainer.explain(picture(order), 0, "gradcam")
    assert caught.value.code == "explanation_failed"
    assert gone(before)
    assert "the end of stderr" in caplog.text or order == GARBAGE
    assert explainer.explain(picture(OK, 1), 0, "gradcam").shape == (2, 2)
    assert pid_of(explainer) != before


def test_a_child_killed_while_idle_is_not_missed(make: Make) -> None:
    explainer = make()
    explainer.explain(picture(), 0, "gradcam")
    before = pid_of(explainer)
    os.kill(before, signal.SIGKILL)
    until(lambda: not explainer.running)
    assert explainer.explain(picture(OK, 1), 0, "gradcam").shape == (2, 2)


def test_time_runs_out(make: Make) -> None:
    explainer = make(timeout=1.0)
    explainer.explain(picture(), 0, "gradcam")
    before = pid_of(explainer)
    with pytest.raises(UnavailableError) as caught:
        explainer.explain(picture(HANG), 0, "gradcam")
    assert caught.value.code == "explanation_timeout"
    assert gone(before)
    assert explainer.explain(picture(OK, 1), 0, "gradcam").shape == (2, 2)


def test_a_child_that_does_not_even_read_cannot_block_us() -> None:
    child = Child([sys.executable, "-c", "import time; time.sleep(60)"], cwd=ROOT, environment=os.environ)
    with pytest.raises(ChildLost) as caught:
        next(child.ask({}, bytes(1 << 20), timeout=0.5))  # far more than a pipe holds
    assert caught.value.timed_out
    child.close()
    assert not child.alive


def test_a_refused_bundle(make: Make) -> None:
    with pytest.raises(BundleError, match="Bad weights"):
        make().explain(picture(BAD_BUNDLE), 0, "gradcam")


def test_a_visitor_who_leaves_spoils_nothing(make: Make) -> None:
    explainer = make()

    def leave(share: float, text: str) -> None:
        raise ConnectionResetError("the page was closed")

    with pytest.raises(ConnectionResetError):
        explainer.explain(picture(), 1, "gradcam", leave)
    before = pid_of(explainer)
    heat = explainer.explain(picture(OK, 1), 2, "gradcam")  # not the answer that was never fetched
    np.testing.assert_allclose(heat, [[0.02, 0.2], [0.5, 1]])
    assert pid_of(explainer) == before


def test_two_visitors_with_one_question_cost_one_answer(make: Make) -> None:
    explainer = make()
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(explainer.explain, picture(SLOW), 0, "gradcam") for _ in range(2)]
        first, second = (job.result() for job in jobs)
    assert first is second


def test_what_is_not_installed_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {"tensorflow": "no_such_tf", "json": "json", "tf-keras-vis": "no_vis"}
    monkeypatch.setattr(extras, "EXTRAS", {"explain": packages})
    explainer = make()
    with pytest.raises(UnavailableError) as caught:
        explainer.explain(picture(), 0, "gradcam")
    assert caught.value.code == "not_installed"
    assert "need tensorflow, tf-keras-vis; run `pip install 'smartbreed[explain]'`" in caught.value.message
    assert not explainer.running


def test_a_model_without_keras_weights(bundle_copy: Path) -> None:
    edit_config(bundle_copy, lambda config: config["classifier"].update(weights=""))
    explainer = DeepExplainer(bundle_copy)
    with pytest.raises(UnavailableError) as caught:
        explainer.explain(picture(), 0, "gradcam")
    assert caught.value.code == "no_weights"
    assert not explainer.running


def test_a_folder_without_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        DeepExplainer(tmp_path).explain(picture(), 0, "gradcam")


def test_every_method_has_a_name() -> None:
    assert list(METHODS) == ["gradcam", "gradcam++", "scorecam", "smoothgrad"]
