"""What people do with controls of any page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from net import Operation, Walk

UPLOAD = '#photo-input input[type="file"]'


ITEM = "#review-words .sb-item"


def click(selector: str, then: str = "") -> Callable[[Walk], None]:
    """Click the first visible match; ``then`` must be visible afterwards."""

    def act(walk: Walk) -> None:
        walk.page.locator(f"{selector}:visible").first.click()
        if then:
            walk.page.locator(f"{then}:visible").first.wait_for()

    return act


def choose(page: Any, selector: str, text: str) -> None:
    """Choose from a dropdown as a person does: open it, type if that narrows it, press what is found."""
    field = open_list(page, selector)
    if field.get_attribute("readonly") is None:
        page.keyboard.press("Control+a")
        page.keyboard.type(text, delay=15)
    page.locator(f'ul[role="listbox"] li:has-text("{text}")').first.click()


def open_list(page: Any, selector: str) -> Any:
    """Open a dropdown that may have the focus, or be open, already; its field."""
    field = page.locator(f"{selector} input").first
    if field.get_attribute("aria-expanded") != "true":
        page.evaluate("document.activeElement?.blur()")
        field.click()
        page.locator('ul[role="listbox"] li').first.wait_for()
    return field


def every_option(selector: str) -> Callable[[Walk], None]:
    """Choose each option of a radio, and the first one again."""

    def act(walk: Walk) -> None:
        options = walk.page.locator(f"{selector} input[type=radio]")
        for place in [*range(options.count()), 0]:
            options.nth(place).check()
            walk.settle()
            walk.check(f"option {place} of {selector}")

    return act


def twice(selector: str) -> Callable[[Walk], None]:
    """Tick a checkbox and untick it."""

    def act(walk: Walk) -> None:
        box = walk.page.locator(f"{selector} input[type=checkbox]:visible").first
        for _ in range(2):
            before = box.is_checked()
            box.click()
            walk.settle()
            walk.check(f"changing {selector}", refused=True)
            assert box.is_checked() != before

    return act


def shows(walk: Walk, field: Any, value: str) -> bool:
    """Whether a field comes to show a value in a few seconds."""
    for _ in range(100):
        if field.input_value() == value:
            return True
        walk.page.wait_for_timeout(50)
    return False


def number(selector: str, typed: dict[str, str]) -> Callable[[Walk], None]:
    """Type numbers, digit by digit; each becomes one that is allowed."""

    def act(walk: Walk) -> None:
        field = walk.page.locator(f"{selector} input[type=number]")
        for value, becomes in typed.items():
            field.click()
            walk.page.keyboard.press("Control+a")
            walk.page.keyboard.type(value, delay=20)
            walk.page.keyboard.press("Tab")
            walk.settle()
            walk.check(f"typing {value} into {selector}", refused=True)
            # Gradio writes what it made of a number into the field a frame or more after the event.
            assert shows(walk, field, becomes), (value, field.input_value())

    return act


def slide(selector: str) -> Callable[[Walk], None]:
    def act(walk: Walk) -> None:
        walk.page.locator(f"{selector} input[type=range]").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            walk.page.keyboard.press(key)
            walk.settle()

    return act


def api_panel(walk: Walk) -> None:
    """Gradio's own panel about the API opens and closes; it asks for figures, which are switched off."""
    path = urlsplit(walk.page.url).path
    walk.page.locator("footer .show-api:visible").click()
    walk.page.locator(".api-docs:visible").wait_for()
    walk.settle()
    walk.check("opening the API panel", blocked=True)
    beside = walk.page.locator(".api-docs .backdrop:visible")
    if beside.count():
        beside.click(position={"x": 5, "y": 5})
    else:  # it fills a narrow window
        walk.page.locator(".api-docs button:visible").first.click()
    walk.page.locator(".api-docs").wait_for(state="hidden")
    assert urlsplit(walk.page.url).path == path, "the panel has left the page's address alone"


COMMON = {"page: button show-api": Operation(api_panel)}


def draw(selector: str) -> Callable[[Walk], None]:
    """Draw a box with the mouse, and move it by the keyboard."""

    def act(walk: Walk) -> None:
        surface = walk.page.locator(selector)
        surface.scroll_into_view_if_needed()
        place = surface.bounding_box()
        corners = [
            (place["x"] + share * place["width"], place["y"] + share * place["height"])
            for share in (0.2, 0.7)
        ]
        walk.page.mouse.move(*corners[0])
        walk.page.mouse.down()
        walk.page.mouse.move(*corners[1], steps=5)
        walk.page.mouse.up()
        walk.page.locator(f"{selector} .sb-draw-box:visible").wait_for()
        surface.focus()
        for key in ("ArrowLeft", "ArrowUp"):
            walk.page.keyboard.press(key)

    return act


def option(selector: str, *places: int) -> Callable[[Walk], None]:
    """Choose options of a dropdown by their places."""

    def act(walk: Walk) -> None:
        for place in places:
            open_list(walk.page, selector)
            walk.page.locator('ul[role="listbox"] li').nth(place).click()
            walk.settle()
            walk.check(f"option {place} of {selector}")

    return act


def fill(selector: str, text: str) -> Callable[[Walk], None]:
    return lambda walk: walk.page.locator(f"{selector} input, {selector} textarea").first.fill(text)


NOTHING = Operation(lambda walk: None)  # done with the button beside it


def press_all(*steps: tuple[str, str]) -> Callable[[Walk], None]:
    """Press one button after the other, each time until something of the page that comes is shown."""

    def act(walk: Walk) -> None:
        for button, then in steps:
            walk.page.locator(button).first.click()
            walk.page.locator(then).first.wait_for()
            walk.check(f"pressing {button}", refused=True, blocked=True)

    return act


def submit(button: str, then: str) -> Callable[[Walk], None]:
    """Press a button of a form that is answered with a page, and wait for something of that page."""

    def act(walk: Walk) -> None:
        walk.page.locator(f"button:visible:text-is('{button}')").first.click()
        walk.page.locator(then).first.wait_for()

    return act


def filled(then: Callable[[Walk], None], **fields: str) -> Callable[[Walk], None]:
    """Fill in fields of the pages of accounts, and go on."""

    def act(walk: Walk) -> None:
        for name, text in fields.items():
            walk.page.fill(f"#sb-{name}", text)
        then(walk)

    return act
