"""Every event handler of every page can be called by gradio with what its event sends."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, get_args

import gradio as gr
import pytest
from gradio.helpers import Progress, special_args
from gradio.utils import get_type_hints

from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.services import Services
from smartbreed.web.server import build_server

#: What gradio fills in by itself, by the type of the argument.
SPECIAL = (gr.EventData, gr.Request)


def complaint(fn: Callable[..., Any], inputs: int) -> str:
    """Why gradio cannot call ``fn`` with so many inputs; empty if it can."""
    parameters = inspect.signature(fn).parameters.values()
    hints = get_type_hints(fn)
    for parameter in parameters:
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        hint = hints.get(parameter.name)
        kinds = [kind for kind in (hint, *get_args(hint)) if inspect.isclass(kind)]
        if isinstance(parameter.default, Progress) or any(issubclass(kind, SPECIAL) for kind in kinds):
            return f"gradio does not fill the keyword-only argument '{parameter.name}'"
        if parameter.default is parameter.empty:
            return f"the keyword-only argument '{parameter.name}' has no default"
    target = gr.HTML(render=False)
    event = gr.SelectData(target, {"index": 0, "value": "", "row_value": None, "col_value": None})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        filled, *_ = special_args(fn, [object()] * inputs, None, event)
    if said:
        return f"{inputs} inputs are too few: gradio fills the rest with None"
    try:
        inspect.signature(fn).bind(*filled)
    except TypeError as error:
        return str(error)
    return ""


def test_a_handler_that_gradio_cannot_call_is_found() -> None:
    def keyword_event(*settings: Any, event: gr.SelectData) -> None: ...
    def keyword_event_with_default(*settings: Any, event: gr.SelectData | None = None) -> None: ...
    def event_first(event: gr.SelectData, *settings: Any) -> None: ...
    def request_after_two(one: Any, two: Any, request: gr.Request) -> None: ...
    def two(one: Any, two: Any) -> None: ...

    assert "event" in complaint(keyword_event, 3)
    assert "event" in complaint(keyword_event_with_default, 3)
    assert complaint(event_first, 3) == ""
    assert complaint(request_after_two, 2) == ""
    assert complaint(request_after_two, 1)
    assert complaint(two, 1)
    assert complaint(two, 3)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    """The whole server's pages and endpoints, with the model that ships and a gallery."""
    if not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model in smartbreed/assets")
    settings = load_settings(
        home=tmp_path_factory.mktemp("home"), model="", gallery="me/pictures", hub="embedded"
    )
    return build_server(Services(settings))


def test_gradio_can_call_every_handler(blocks: gr.Blocks) -> None:
    problems = []
    called = 0
    for number, handler in blocks.fns.items():
        if handler.fn is None:  # runs in the browser only
            continue
        called += 1
        wrong = complaint(handler.fn, len(handler.inputs))
        if wrong:
            problems.append(f"event {number} ({handler.name}, {handler.targets}): {wrong}")
    assert not problems, "\n".join(problems)
    assert called > 80, f"only {called} handlers were looked at"


def test_no_app_is_made_of_the_pages_before_the_one_that_serves(blocks: gr.Blocks) -> None:
    """Gradio's way, an app after each page, takes longer than all the rest of building."""
    assert blocks.app is None
    with gr.Blocks() as others:
        pass
    assert others.app is not None, "elsewhere gradio makes them"


def test_an_idle_app_looks_for_events_seldom(blocks: gr.Blocks) -> None:
    with gr.Blocks() as others:
        pass
    for pause in ("sleep_when_free", "progress_update_sleep_when_free"):
        assert getattr(blocks._queue, pause) >= 5 * getattr(others._queue, pause), pause
