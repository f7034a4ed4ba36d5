"""The quiz and the photos alike in a real browser, on a real server with a gallery of real photographs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import follow
from support.gallery import photographs
from support.processes import Server, smartbreed

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SIZES = {1280: {"width": 1280, "height": 900}, 390: {"width": 390, "height": 844}}
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("playing")
    pictures = photographs(folder / "pictures", 5)
    smartbreed(folder, "gallery", "build", pictures)
    with Server(folder) as running:
        yield running


@pytest.fixture
def open_page(chromium: Any, playing: Server) -> Iterator[Open]:
    """Open a page as a new visitor; nothing of it may be refused, throw, or be wider than the window."""
    contexts, faults = [], []

    def begin(path: str, width: int = 1280, **options: Any) -> Any:
        context = chromium.new_context(viewport=SIZES[width], **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on(
            "response", lambda got: faults.append(f"{got.status} {got.url}") if got.status >= 400 else None
        )
        page.goto(playing.url + path)
        return page

    yield begin
    for context in contexts:
        context.close()
    assert faults == []


def fits(page: Any) -> None:
    """Nothing sticks out, controls are large enough, pictures have loaded and say what they are."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll("main button, main a")].filter((one) => one.checkVisibility() &&
        getComputedStyle(one).display !== "inline" && one.getBoundingClientRect().height < 44)
        .map((one) => one.outerHTML)"""
    )
    assert small == []
    page.wait_for_function("[...document.querySelectorAll('main img')].every((one) => one.naturalWidth)")
    assert page.locator("main img:not([alt])").count() == 0


def begin(page: Any, game: str, mode: str) -> None:
    page.locator(f"section:has(h3:text-is('{game}')) button:has-text('{mode}')").click()
    page.locator(".sb-option").first.wait_for()
    fits(page)


def answer(page: Any, key: str = "") -> None:
    """Answer by mouse, or by a digit, once a person could have looked."""
    page.wait_for_timeout(800)
    if key:
        page.keyboard.press(key)
    else:
        page.locator(".sb-option").last.click()
    page.locator(".sb-result").wait_for()
    fits(page)


@pytest.mark.parametrize(
    ("width", "scheme"), [(390, "dark"), pytest.param(1280, "light", marks=pytest.mark.slow)]
)
def test_every_control_of_the_quiz(open_page: Open, width: int, scheme: str) -> None:
    page = open_page("quiz", width, color_scheme=scheme)
    fits(page)
    assert page.locator(".sb-nav [aria-current=page]").inner_text() == "Quiz"
    begin(page, "Photos", "5 rounds")
    left = page.locator("[role=timer]")
    before = int(left.inner_text())
    page.wait_for_function(
        "before => +document.querySelector('[role=timer]').textContent < before", arg=before
    )
    whole = page.locator(".sb-photo").get_attribute("src")
    page.locator("button:has-text('Show what to look at')").click()
    page.wait_for_function("whole => document.querySelector('.sb-photo').src.indexOf(whole) < 0", arg=whole)
    fits(page)
    for number in range(1, 6):
        answer(page, str(number % 4 + 1) if number < 5 else "")
        assert "The model says" in page.locator(".sb-result").inner_text()
        with page.expect_popup() as opened:
            page.locator(".sb-more").click()
        opened.value.wait_for_url(re.compile(r"/breeds/\w+$"))
        opened.value.close()
        follow(page, page.locator("#quiz-next button"))
        page.locator(".sb-option, .sb-over").first.wait_for()
        fits(page)
    with page.expect_download() as got:
        page.locator("text=Save the card").click()
    assert Path(got.value.path()).read_bytes().startswith(b"\x89PNG")
    follow(page, page.locator("text=Play again"))
    page.locator(".sb-option").first.wait_for()
    follow(page, page.locator("text=Leave the game"))
    page.wait_for_url("**/quiz")
    begin(page, "Breed facts", "Endless")
    for _ in range(40):
        answer(page, "1")
        follow(page, page.locator("#quiz-next button"))
        page.locator(".sb-option, .sb-over").first.wait_for()
        if page.locator(".sb-over").count():
            break
    assert page.locator(".sb-over").is_visible()
    follow(page, page.locator("text=All games"))
    for tab in ("Photos, endless", "Facts, timed", "Facts, endless", "Photos, timed"):
        follow(page, page.locator(f".sb-tabs a:has-text('{tab}')"))
        assert page.locator(".sb-tabs [aria-current]").inner_text() == tab
        fits(page)
    page.locator("main a:has-text('Sign in')").click()
    page.wait_for_url("**/account/sign-in**")


def test_it_works_without_a_script_and_by_keyboard_alone(open_page: Open) -> None:
    page = open_page("quiz", java_script_enabled=False)
    page.locator("section:has(h3:text-is('Breed facts')) button").first.focus()
    page.keyboard.press("Enter")
    for _ in range(5):
        page.locator(".sb-option").first.wait_for()
        page.wait_for_timeout(800)
        page.locator(".sb-option").first.focus()
        page.keyboard.press("Enter")
        page.locator(".sb-result").wait_for()
        page.locator("#quiz-next button").focus()
        with page.expect_navigation(wait_until="load"):
            page.keyboard.press("Enter")
    page.locator(".sb-over").wait_for()


def test_going_back_shows_the_round_that_is_open(open_page: Open) -> None:
    page = open_page("quiz")
    begin(page, "Breed facts", "Endless")
    answer(page, "1")
    follow(page, page.locator("#quiz-next button"))
    page.locator(".sb-option").first.wait_for()
    asked = page.locator("main h2").inner_text()
    page.go_back()
    page.wait_for_load_state()
    page.goto(page.url)
    assert page.locator("main h2").inner_text() == asked


@pytest.mark.parametrize("width", SIZES)
def test_photos_alike_stand_under_an_answer(open_page: Open, playing: Server, width: int) -> None:
    page = open_page("", width)
    photo = playing.home.parent / "pictures" / "siamese" / "0.jpg"
    page.set_input_files('#photo-input input[type="file"]', str(photo))
    page.locator(".sb-alike li").first.wait_for()
    found = page.locator(".sb-alike li")
    assert 0 < found.count() <= 6
    page.locator(".sb-alike").scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.sb-alike img')].every((one) => one.naturalWidth)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "alike" in found.first.inner_text()
    with page.expect_popup() as opened:
        found.first.locator("a").click()
    opened.value.wait_for_url(re.compile(r"/breeds/\w+$"))
    opened.value.close()
