"""A person shows where a missed pet is, by mouse, touch and keyboard; a maintainer corrects and accepts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import Server

pytestmark = pytest.mark.browser

UPLOAD = '#photo-input input[type="file"]'
OpenPage = Callable[..., Any]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def rows(server: Server, table: str = "flags", order: str = "id") -> list[sqlite3.Row]:
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        database.row_factory = sqlite3.Row
        return list(database.execute(f"SELECT * FROM {table} ORDER BY {order}"))


def box_of(row: sqlite3.Row) -> list[float]:
    """Corners in pixels."""
    return [row["x0"], row["y0"], row["x1"], row["y1"]]


def shares(row: sqlite3.Row) -> list[float]:
    sides = [row["photo_width"], row["photo_height"]] * 2
    return [value / side for value, side in zip(box_of(row), sides, strict=True)]


def open_form(page: Any, photo: Path) -> Any:
    """Upload a photo, say that a pet was missed; the place to draw on."""
    page.set_input_files(UPLOAD, photo)
    page.wait_for_selector("#pet-1 h3")
    page.locator("#photo-missed").click()
    page.wait_for_selector("#photo-draw")
    page.wait_for_function("document.activeElement?.id === 'photo-draw'")
    image = page.locator("#photo .base-image").bounding_box()
    area = page.locator("#photo-draw").bounding_box()
    for side in ("x", "y", "width", "height"):
        assert abs(image[side] - area[side]) < 2, "it lies exactly on the photo"
    return page.locator("#photo-draw")


def save(page: Any, server: Server) -> sqlite3.Row:
    page.check("#photo-consent input")
    page.click("#photo-save")
    page.wait_for_selector("#photo-status .sb-thanks")
    assert page.locator("#photo-draw").count() == 0
    return rows(server)[-1]


def test_with_the_mouse_then_reviewed(open_page: OpenPage, server: Server, two_pets: Path) -> None:
    page = open_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    area = open_form(page, two_pets).bounding_box()
    before = len(rows(server)) if (server.home / "smartbreed.db").exists() else 0
    page.check("#photo-consent input")
    page.click("#photo-save")
    page.wait_for_selector('#photo-status .sb-problem:has-text("draw a box")')
    assert len(rows(server)) == before, "nothing is saved that does not say where"

    def at(x: float, y: float) -> tuple[float, float]:
        return area["x"] + x * area["width"], area["y"] + y * area["height"]

    page.locator("#photo-draw").scroll_into_view_if_needed()
    area = page.locator("#photo-draw").bounding_box()
    page.mouse.move(*at(0.1, 0.2))
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.5), steps=4)
    page.mouse.up()
    page.mouse.move(*at(0.2, 0.3))  # moved as a whole
    page.mouse.down()
    page.mouse.move(*at(0.3, 0.4), steps=4)
    page.mouse.up()
    page.mouse.move(*at(0.4, 0.6))  # a corner
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.8), steps=4)
    page.mouse.up()
    assert "20 to 50 percent across" in page.locator("#photo-draw").get_attribute("aria-label")
    page.get_by_label("Dog", exact=True).locator("visible=true").first.check()
    row = save(page, server)
    assert (row["verdict"], row["species"], row["label"]) == ("missed", "dog", None)
    assert shares(row) == pytest.approx([0.2, 0.3, 0.5, 0.8], abs=0.01)
    found = json.loads(row["found"])
    assert len(found) == 2, "the pets that were found belong in the scene's label too"

    # The maintainer moves a corner and accepts it.
    page.goto(server.url + "review")
    page.wait_for_selector("#review-words .sb-item")
    while page.locator("#review-words .sb-item").get_attribute("data-flag") != row["id"]:
        shown = page.locator("#review-words .sb-item").get_attribute("data-flag")
        page.keyboard.press("j")
        page.wait_for_function(
            "old => document.querySelector('#review-words .sb-item')?.dataset.flag !== old", arg=shown
        )
    drawn = page.locator("#review-draw")
    drawn.wait_for()
    drawn.scroll_into_view_if_needed()
    area = drawn.bounding_box()
    image = page.locator("#review-pictures img[data-box]").bounding_box()
    assert abs(image["width"] - area["width"]) < 2
    frame = page.locator("#review-draw .sb-draw-box").bounding_box()
    assert (frame["x"] - area["x"]) / area["width"] == pytest.approx(0.2, abs=0.02)
    page.mouse.move(*at(0.5, 0.8))
    page.mouse.down()
    page.mouse.move(*at(0.6, 0.9), steps=4)
    page.mouse.up()
    page.click("#review-accept")
    page.wait_for_selector('#review-message:has-text("Accepted")')
    (decision,) = [one for one in rows(server, "decisions", "decided_at") if one["flag_id"] == row["id"]]
    assert (decision["decision"], decision["label"], decision["species"]) == ("accept", None, "dog")
    sides = [row["photo_width"], row["photo_height"]] * 2
    corrected = [value / side for value, side in zip(box_of(decision), sides, strict=True)]
    assert corrected == pytest.approx([0.2, 0.3, 0.6, 0.9], abs=0.015)
    assert page.errors == []
    assert "Traceback" not in server.log()


def test_by_touch_on_a_phone(open_page: OpenPage, server: Server, two_pets: Path) -> None:
    page = open_page(**PHONE)
    drawn = open_form(page, two_pets)
    drawn.scroll_into_view_if_needed()
    area = drawn.bounding_box()
    touch = page.context.new_cdp_session(page)

    def at(x: float, y: float) -> dict[str, float]:
        return {"x": area["x"] + x * area["width"], "y": area["y"] + y * area["height"]}

    def drag(*way: tuple[float, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at(*way[0])]})
        for point in way[1:]:
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at(*point)]})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    spot = at(0.5, 0.5)
    page.touchscreen.tap(spot["x"], spot["y"])
    page.wait_for_function(
        "document.getElementById('photo-draw').getAttribute('aria-label').includes('30 to 70 percent across')"
    )
    scrolled = page.evaluate("scrollY")
    drag((0.5, 0.5), (0.45, 0.45), (0.4, 0.4))  # the box, not the page
    drag((0.6, 0.6), (0.65, 0.7), (0.7, 0.8))
    assert page.evaluate("scrollY") == scrolled
    page.evaluate("document.documentElement.scrollWidth <= innerWidth") or pytest.fail("it scrolls sideways")
    row = save(page, server)
    assert shares(row) == pytest.approx([0.2, 0.2, 0.7, 0.8], abs=0.02)


@pytest.mark.parametrize("options", [{}, PHONE], ids=["1280", "390"])
def test_with_the_keyboard_alone(
    open_page: OpenPage, server: Server, two_pets: Path, options: dict[str, Any]
) -> None:
    page = open_page(**options)
    open_form(page, two_pets)
    page.keyboard.press("Enter")  # a box in the middle
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    said = page.locator("[data-box-status=photo]").inner_text()
    assert "from 34 to 76 percent across and from 28 to 70 percent down" in said
    row = save(page, server)
    assert shares(row) == pytest.approx([0.34, 0.28, 0.76, 0.70], abs=0.01)


def test_cancelled_it_leaves_nothing(open_page: OpenPage, two_pets: Path) -> None:
    page = open_page()
    open_form(page, two_pets)
    page.keyboard.press("Enter")
    page.click("#photo-cancel")
    page.wait_for_selector("#photo-draw", state="detached")
    page.locator("#photo-missed").click()
    page.wait_for_selector("#photo-draw")
    assert "no box yet" in page.locator("#photo-draw").get_attribute("aria-label")
