"""Choosing flags in the review's list, in a real browser: nothing is decided that was not chosen or seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.processes import Server

from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagRequest, open_feedback

pytestmark = pytest.mark.browser

FLAGS = 9
#: Two answers, so that a filter leaves some of them.
ANSWERS = ({"verdict": "wrong", "label": "siamese"}, {"verdict": "not_a_pet"})


@pytest.fixture
def review(tmp_path: Path, photos: list[Image.Image]) -> Iterator[Server]:
    """A server with nine open flags, of nine people and nine photos."""
    flags = open_feedback(load_settings(home=tmp_path / "home", salt="", database_url=""))
    pictures = photos[:FLAGS]
    for number, picture in enumerate(pictures):
        flags.save(
            FlagRequest(
                pixels=np.asarray(picture), predicted="boxer", probability=0.6, model_revision="m",
                consent=True, flagger_token=f"person {number}", pet_index=1,
                box=(2.0, 2.0, picture.width - 2.0, picture.height - 2.0), **ANSWERS[number % 2],
            )
        )  # fmt: skip
    flags.close()
    with Server(tmp_path, SMARTBREED_PUBLISH_EVERY="0", SMARTBREED_HUB="embedded") as server:
        yield server
        assert "Traceback" not in server.log()


@pytest.fixture
def open_review(chromium: Any, review: Server) -> Iterator[Callable[[], Any]]:
    contexts = []

    def open_it() -> Any:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(review.url + "review")
        page.wait_for_selector("#review-words .sb-item")
        return page

    yield open_it
    for context in contexts:
        context.close()


def as_list(page: Any) -> None:
    page.get_by_label("List", exact=True).check()
    page.wait_for_selector(".sb-review-list")


def ids(page: Any, which: str = "") -> list[str]:
    """Flags of the list; ``:checked`` for those chosen."""
    boxes = page.locator(f"#review-list input{which}")
    return list(boxes.evaluate_all("boxes => boxes.map(box => box.value)"))


def wait_for_list(page: Any, count: int) -> None:
    page.wait_for_function(
        "count => document.querySelectorAll('#review-list input').length === count", arg=count
    )


def decided(review: Server) -> dict[str, str]:
    """The latest decision of each flag."""
    with sqlite3.connect(review.home / "smartbreed.db") as database:
        return dict(database.execute("SELECT flag_id, decision FROM decisions ORDER BY decided_at"))


def choose(page: Any, *places: int) -> list[str]:
    boxes = page.locator("#review-list input")
    for place in places:
        boxes.nth(place).check()
    return [ids(page)[place] for place in places]


def test_after_an_action_nothing_is_chosen(review: Server, open_review: Callable[[], Any]) -> None:
    page = open_review()
    as_list(page)
    assert len(ids(page)) == FLAGS
    chosen = choose(page, 0, 2, 3)
    assert page.inner_text("#review-all") == "3 chosen; choose none"
    page.click("#review-bulk-reject")
    wait_for_list(page, FLAGS - 3)
    assert decided(review) == dict.fromkeys(chosen, "reject")
    assert ids(page, ":checked") == []
    assert page.inner_text("#review-all") == "Choose all"

    # A second press decides nothing.
    page.click("#review-bulk-reject")
    page.wait_for_selector('#review-message:has-text("Choose flags in the list first.")')
    assert len(decided(review)) == 3

    # A refused action keeps what is chosen: relabelling without a breed.
    kept = choose(page, 1)
    page.click("#review-bulk-relabel")
    page.wait_for_selector('#review-message:has-text("Choose the breed first.")')
    assert ids(page, ":checked") == kept

    # Undo brings flags back, and none of them is chosen; the key that the page names works here.
    page.keyboard.press("u")
    wait_for_list(page, FLAGS)
    assert ids(page, ":checked") == []
    assert set(decided(review).values()) == {"undo"}

    # Another filter, and back: chosen by flag, so nothing stays chosen that went out of sight.
    choose(page, 0, 1, 2)
    page.click("#review-verdict input")
    page.get_by_role("option", name="Not a pet").click()
    wait_for_list(page, FLAGS // 2)
    assert ids(page, ":checked") == []
    page.click("#review-all")
    assert len(ids(page, ":checked")) == FLAGS // 2
    page.click("#review-verdict input")
    page.get_by_role("option", name="Every answer").click()
    wait_for_list(page, FLAGS)
    assert ids(page, ":checked") == []

    # The other view and back.
    choose(page, 4)
    page.get_by_label("One by one", exact=True).check()
    page.wait_for_selector("#review-words .sb-item")
    as_list(page)
    wait_for_list(page, FLAGS)
    assert ids(page, ":checked") == []

    # All at once; the last action can be undone from the empty page too.
    page.click("#review-all")
    page.click("#review-bulk-reject")
    page.wait_for_selector(".sb-empty:visible")
    page.keyboard.press("u")
    wait_for_list(page, FLAGS)
    assert set(decided(review).values()) == {"undo"}
    assert ids(page, ":checked") == []


@pytest.mark.slow
def test_another_maintainer_was_faster(review: Server, open_review: Callable[[], Any]) -> None:
    first, second = open_review(), open_review()
    as_list(first)
    as_list(second)
    chosen = choose(first, 0, 1)
    assert choose(second, 0, 1) == chosen
    first.click("#review-bulk-reject")
    wait_for_list(first, FLAGS - 2)
    second.click("#review-bulk-accept")
    second.wait_for_selector("#review-message .sb-problem")
    wait_for_list(second, FLAGS - 2)
    assert ids(second, ":checked") == []
    assert decided(review) == dict.fromkeys(chosen, "reject")


@pytest.mark.slow
def test_a_second_key_before_the_next_flag_is_drawn_decides_nothing(
    review: Server, open_review: Callable[[], Any]
) -> None:
    page = open_review()
    before = page.locator("#review-words .sb-item").get_attribute("data-flag")
    page.evaluate(
        """() => {
          window.messages = new Set();
          const box = document.querySelector('#review-message');
          new MutationObserver(() => messages.add(box.innerText)).observe(
            box, { childList: true, subtree: true, characterData: true });
          for (const key of ['accept', 'reject']) document.getElementById(`review-${key}`).click();
        }"""
    )
    page.wait_for_function(
        "() => [...messages].some(text => text.includes('moved on'))"
        " && [...messages].some(text => /Accepted|Rejected/.test(text))"
    )
    assert list(decided(review)) == [before]
    # The action that went through can be undone, whichever of the two it was.
    page.keyboard.press("u")
    page.wait_for_function("() => [...messages].some(text => text.includes('open again'))")
    assert decided(review) == {before: "undo"}
