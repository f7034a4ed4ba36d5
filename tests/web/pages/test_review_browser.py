"""Reviewing in a real browser: signing in, the keys, many at once, on a desk and on a phone."""

from __future__ import annotations

import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.clock import until
from support.processes import Server

from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagRequest, open_feedback

pytestmark = pytest.mark.browser

PASSWORD = "a long enough password"
#: A breed of one long word, of which no list may grow wider.
LONG = "Mudi" + "i" * 40
#: What is said of each photo, in order.
SAID: list[dict[str, Any]] = [
    {"verdict": "wrong", "label": "siamese"},
    {"verdict": "wrong", "label": "pug"},
    {"verdict": "not_a_pet"},
    {"verdict": "wrong", "label_text": LONG},
    {"verdict": "unsure"},
    {"verdict": "wrong", "label": "beagle"},
]


@pytest.fixture
def flagged(photos: list[Image.Image], tmp_path: Path) -> Path:
    """A home with six flags."""
    import numpy as np

    home = tmp_path / "home"
    flags = open_feedback(load_settings(home=home, salt="", database_url=""))
    for number, (picture, said) in enumerate(zip(photos[:6], SAID, strict=True)):
        flags.save(
            FlagRequest(
                pixels=np.asarray(picture), predicted="boxer", probability=0.6, model_revision="m",
                consent=True, flagger_token=f"person {number}", pet_index=1,
                box=(2.0, 2.0, picture.width - 2.0, picture.height - 2.0), **said,
            )
        )  # fmt: skip
    flags.close()
    return home


@pytest.fixture
def guarded(flagged: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server with that home and a maintainers' password."""
    with Server(
        tmp_path, SMARTBREED_MAINTAINER_PASSWORD=PASSWORD, SMARTBREED_PUBLISH_EVERY="0",
        SMARTBREED_HUB="embedded",
    ) as running:  # fmt: skip
        yield running.url
        assert "Traceback" not in running.log()


def decisions(home: Path) -> list[tuple[str, str | None]]:
    with sqlite3.connect(home / "smartbreed.db") as database:
        rows = database.execute("SELECT decision, label FROM decisions ORDER BY decided_at")
        return [(str(decision), label) for decision, label in rows]


def shown(page: Any) -> str:
    return str(page.locator("#review-words .sb-item").get_attribute("data-flag"))


def press(page: Any, key: str) -> None:
    """Press a key that decides or turns, and wait for the next flag."""
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => document.querySelector('#review-words .sb-item')?.dataset.flag !== before", arg=before
    )


def turn_to(page: Any, text: str) -> None:
    """Turn to the flag that says ``text``, from the first on."""
    while page.locator("#review-previous").is_enabled():
        press(page, "k")
    for _ in range(len(SAID)):
        if text in page.locator("#review-words .sb-said").inner_text():
            return
        press(page, "j")
    raise AssertionError(f"no flag says {text}")


def no_sideways_scroll(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_reviewing(chromium: Any, guarded: str, flagged: Path) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()

    # Without the password nothing is shown.
    page.goto(guarded + "review")
    page.fill("#sb-password", "not the password")
    page.keyboard.press("Enter")
    page.wait_for_selector(".sb-sign-in .sb-problem:visible")
    assert page.locator("#review-words").count() == 0 or not page.locator("#review-words").is_visible()
    time.sleep(1.1)  # a wrong password makes the next try wait
    page.fill("#sb-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#review-words .sb-item")
    assert "6 left to review" in page.locator("#review-progress").inner_text()
    assert page.locator(".sb-evidence img").count() >= 2
    assert page.locator(".sb-why li").count() >= 1
    assert page.locator("#review-accept").bounding_box()["y"] < 900, "the buttons are always in reach"
    assert no_sideways_scroll(page)

    # One key each.
    turn_to(page, "Siamese")
    press(page, "a")
    until(lambda: decisions(flagged) == [("accept", "siamese")])
    turn_to(page, "Pug")
    before = shown(page)
    page.keyboard.press("r")
    page.wait_for_function("document.activeElement?.closest('#review-breed')")
    page.keyboard.press("Tab")
    page.wait_for_timeout(500)
    assert page.locator("#review-breed input").is_visible(), "leaving the list closes nothing"
    page.locator("#review-breed input").click()
    page.keyboard.type("whippet", delay=20)
    page.locator('ul[role="listbox"] [role="option"]').click()
    page.wait_for_function(
        "before => document.querySelector('#review-words .sb-item')?.dataset.flag !== before", arg=before
    )
    page.wait_for_timeout(500)
    assert [row[0] for row in decisions(flagged)] == ["accept", "relabel"], "a choice by mouse decides once"
    assert "Relabelled" in page.locator("#review-message").inner_text()
    turn_to(page, "There is no pet here")
    press(page, "x")
    turn_to(page, "Mudi")
    assert page.locator("#review-accept").is_disabled(), "own words cannot be accepted as they are"
    page.keyboard.press("n")
    page.wait_for_function("document.activeElement?.closest('#review-new-name')")
    before = shown(page)
    page.get_by_label("Dog", exact=True).check()
    page.click("#review-introduce")
    page.wait_for_function(
        "before => document.querySelector('#review-words .sb-item')?.dataset.flag !== before", arg=before
    )
    expected = [("accept", "siamese"), ("relabel", "whippet"), ("reject", None), ("new_breed", LONG.lower())]
    assert decisions(flagged) == expected
    page.keyboard.press("u")
    page.wait_for_selector('#review-message:has-text("Taken back")')
    assert decisions(flagged) == [*expected, ("undo", None)]
    assert "Mudi" in page.locator("#review-words .sb-said").inner_text(), "back where it was"

    # Keys that are typed into a field are text.
    page.click("#review-reason textarea, #review-reason input")
    page.keyboard.type("axuj")
    assert len(decisions(flagged)) == 5

    # Many at once.
    page.get_by_label("List", exact=True).check()
    page.wait_for_selector(".sb-review-list")
    page.set_viewport_size({"width": 390, "height": 844})
    assert "Mudi" in page.inner_text(".sb-review-list")
    for text in page.locator(".sb-row-text").all():  # a long word would push every text out of the window
        place = text.bounding_box()
        assert place["x"] + place["width"] <= 390
    page.set_viewport_size({"width": 1280, "height": 900})
    page.click("#review-all")
    assert page.locator("#review-list input:checked").count() == 3
    page.click("#review-bulk-reject")
    page.wait_for_selector(".sb-empty:visible")
    assert decisions(flagged)[5:] == [("reject", None)] * 3
    assert "All done" in page.locator(".sb-empty").inner_text()

    # A phone; and out again.
    phone = context.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(guarded + "review")
    phone.wait_for_selector(".sb-empty:visible")
    assert no_sideways_scroll(phone)
    phone.click(".sb-sign-out")
    phone.wait_for_selector(".sb-sign-in")
    context.close()


def above_the_buttons(page: Any, selector: str) -> bool:
    """Whether all of it is within the window, above the buttons at its lower edge."""
    box, acts = page.locator(selector).bounding_box(), page.locator("#review-acts").bounding_box()
    return bool(box["y"] >= 0 and box["y"] + box["height"] <= acts["y"] <= 844)


def test_on_a_phone(chromium: Any, guarded: str) -> None:
    """Claim and photo stand above the buttons, after a decision too; a new breed has its given name."""
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(guarded + "review")
    page.fill("#sb-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#review-words .sb-item")
    for _ in SAID:
        page.wait_for_function("document.querySelector('.sb-evidence-photo img').naturalWidth > 0")
        assert page.inner_text(".sb-claim b") == page.text_content("#review-words .sb-said")
        assert above_the_buttons(page, ".sb-claim")
        assert above_the_buttons(page, ".sb-evidence-photo img")
        if page.locator("#review-next").is_enabled():
            press_button(page, "#review-next")
    while "Mudi" not in page.inner_text(".sb-claim"):
        press_button(page, "#review-previous")
    page.tap("#review-new")
    page.locator("#review-new-id").get_by_role("textbox").focus()
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.closest('#review-new-id') !== null"), (
        "who is faster stays there"
    )
    page.fill("#review-new-name input, #review-new-name textarea", "Šarplaninac (Illyrian)")
    page.fill("#review-new-id input, #review-new-id textarea", "illyrian_dog")
    page.get_by_label("Dog", exact=True).check()
    press_button(page, "#review-introduce")
    page.wait_for_selector("#review-message .sb-thanks")
    assert "New breed Šarplaninac (Illyrian)." in page.inner_text("#review-message")
    page.wait_for_function(
        "document.querySelector('.sb-evidence-photo').getBoundingClientRect().bottom"
        " <= document.getElementById('review-acts').getBoundingClientRect().top"
    )
    assert above_the_buttons(page, ".sb-claim")
    page.locator("#review-state input").click()
    page.locator('ul[role="listbox"] li:has-text("New breeds")').click()
    page.wait_for_selector("#review-words .sb-thanks")
    assert "New breed Šarplaninac (Illyrian)" in page.inner_text("#review-words .sb-thanks")
    assert "Šarplaninac (Illyrian)" in page.inner_text(".sb-heats")
    for opener in page.locator(".sb-filters input[role='combobox']:visible").all():
        opener.click()
        lists = page.locator(".sb-filters .options")
        place = lists.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390
        page.keyboard.press("Escape")
        lists.wait_for(state="detached")
    page.get_by_label("List", exact=True).check()
    page.wait_for_selector(".sb-review-list")
    assert page.inner_text(".sb-review-list .sb-tags").strip() == "New breed Šarplaninac (Illyrian)"
    assert "illyrian" not in page.inner_text("#review").replace("(Illyrian)", "").lower()
    assert no_sideways_scroll(page)
    context.close()


def press_button(page: Any, button: str) -> None:
    """Tap a button that decides or turns, and wait for the next flag."""
    before = shown(page)
    page.tap(button)
    page.wait_for_function(
        "before => document.querySelector('#review-words .sb-item')?.dataset.flag !== before", arg=before
    )


def test_the_pages_events_are_private(guarded: str) -> None:
    import json

    with urllib.request.urlopen(f"{guarded}gradio_api/info", timeout=30) as answer:
        api = json.load(answer)
    assert not [name for name in api["named_endpoints"] if "handle" in name or "review" in name]
    assert api["unnamed_endpoints"] == {}
    with urllib.request.urlopen(f"{guarded}review", timeout=30) as answer:
        page = answer.read().decode()
    assert "Mudi" not in page, "what is flagged is nothing for people who are not in"
