"""Every control of every page is operated, with the bundle that ships, and nothing goes wrong.

The list of controls comes from the pages. For a new one, write what a person does with it into
``operations/``, a module a page; until then these tests fail and name it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from net import Operation, Walk
from net_stage import Stage
from operations import account, admin, breeds, identify, review, statistics, train, visitors
from operations.common import COMMON

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

Browse = Callable[..., Walk]
SIZES = {1280: {"width": 1280, "height": 900}, 390: {"width": 390, "height": 844}}
#: What else a window of a width is: so each control that is operated in both is in either colour scheme, too.
SCHEMES = {1280: "light", 390: "dark"}
#: The wide window is walked through with the slow tests, where both walks are alike.
BOTH = [390, pytest.param(1280, marks=pytest.mark.slow)]
#: Accepted photographs of a breed the model lacks: enough for a retraining that is released.
ENOUGH = 20


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    running = Stage(tmp_path_factory.mktemp("stage"), learnt=3)
    yield running
    running.stop()


@pytest.fixture
def browse(chromium: Any) -> Iterator[Browse]:
    """Begin a walk as a new visitor."""
    contexts = []

    def begin(stage: Stage, width: int, *, slow: bool = False) -> Walk:
        context = chromium.new_context(viewport=SIZES[width], color_scheme=SCHEMES[width])
        contexts.append(context)
        context.grant_permissions(["camera", "clipboard-read", "clipboard-write"], origin=stage.url)
        context.set_default_timeout(30_000)
        return Walk(context.new_page(), stage, width, slow)

    yield begin
    for context in contexts:
        context.close()


def test_the_identify_page(browse: Browse, stage: Stage) -> None:
    walk = browse(stage, 1280)
    identify.walk_identify(walk)
    assert walk.page.evaluate("window.askedEvents()") > 20, "the events that are waited for are counted"


def test_tour_api_docs_and_closed_pages(browse: Browse, stage: Stage) -> None:
    visitors.walk_visitor(browse(stage, 390))


@pytest.mark.parametrize("width", BOTH)
def test_the_pages_about_breeds(browse: Browse, stage: Stage, width: int) -> None:
    breeds.walk_breeds(browse(stage, width))


@pytest.mark.parametrize("width", SIZES)
def test_the_page_of_statistics(browse: Browse, stage: Stage, width: int) -> None:
    statistics.walk_statistics(browse(stage, width))


@pytest.mark.parametrize("width", BOTH)
def test_the_pages_at_the_foot(browse: Browse, stage: Stage, width: int) -> None:
    visitors.walk_info(browse(stage, width))


@pytest.mark.slow
@pytest.mark.parametrize("width", SIZES)
def test_the_pages_for_admins(browse: Browse, stage: Stage, width: int) -> None:
    admin.walk_admin(browse(stage, width))


@pytest.mark.parametrize("width", BOTH)
def test_the_pages_of_an_account(browse: Browse, stage: Stage, width: int) -> None:
    account.walk_account(browse(stage, width))


def test_a_control_without_an_operation_is_named(browse: Browse, stage: Stage) -> None:
    walk = browse(stage, 1280)
    walk.open("tour")
    walk.page.evaluate(
        "document.querySelector('#loop').insertAdjacentHTML('beforeend', '<button id=novel>New</button>')"
    )
    with pytest.raises(AssertionError, match=r"no operation.*'novel: button'"):
        walk.operate(COMMON)


def test_what_goes_wrong_is_found(browse: Browse, stage: Stage) -> None:
    walk = browse(stage, 1280)
    walk.open("tour")
    for wrong, said in (
        ("setTimeout(() => { throw new Error('lost') })", "the page raised: .*lost"),
        ("console.error('odd')", "the console says: odd"),
        ("fetch('/nowhere')", "404"),
        (
            "document.body.insertAdjacentHTML('beforeend', '<p class=toast-body>Error</p>')",
            "a toast says",
        ),
        (
            "document.body.insertAdjacentHTML('beforeend', '<p style=\"color:#888;background:#777\">Grey')",
            "faint: P Grey",
        ),
    ):
        walk.page.evaluate(f"() => {{ {wrong} }}")
        walk.page.wait_for_timeout(500)
        with pytest.raises(AssertionError, match=said):
            walk.check("it")
    walk.page.reload()
    walk.settle()
    with pytest.raises(AssertionError, match="never shown"):
        walk.operate({**COMMON, "gone: button": Operation(lambda _: None)})


@pytest.mark.slow
def test_retraining_before_anything_is_released(browse: Browse, stage: Stage) -> None:
    train.walk_train(browse(stage, 390))


@pytest.mark.slow
def test_reviewing(browse: Browse, stage: Stage) -> None:
    review.walk_review(browse(stage, 1280))


@pytest.mark.slow
def test_everything_on_a_phone_and_as_a_maintainer(
    browse: Browse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Everything once more in a narrow window, deep explanations, a release and going back included."""
    stage = Stage(tmp_path_factory.mktemp("learning"), learnt=ENOUGH)
    fired: set[str] = set()
    handlers: set[str] = set()
    try:
        for walk_through, width in (
            (train.walk_train, 1280),
            (review.walk_review, 390),
            (identify.walk_identify, 390),
            (breeds.walk_breeds, 390),
            (statistics.walk_statistics, 390),
            (visitors.walk_visitor, 1280),
            (train.walk_train_again, 390),
        ):
            walk = browse(stage, width, slow=True)
            walk_through(walk)
            fired |= walk.fired
            handlers |= walk.served
    finally:
        stage.stop()
    assert not handlers - fired, f"no control was seen to set off: {sorted(handlers - fired)}"
