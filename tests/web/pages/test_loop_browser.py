"""The feedback loop in a real browser, with one app: flag, review, retrain, swap, ask again.

Twice: with a trainer that only re-releases the model under another version, for the pages
and the swap; and, slowly, with the real one, from which the app learns a breed it lacked.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.photos import pets
from support.processes import WITH_FAKE_TRAINER, Server

from smartbreed.core.settings import EMBEDDED_BUNDLE

pytestmark = pytest.mark.browser

#: The version that ships, its next patch and its next minor version.
SHIPS = json.loads((EMBEDDED_BUNDLE / "config.json").read_bytes())["version"]
_NUMBERS = [int(part) for part in SHIPS.split(".")]
PATCHED = f"{_NUMBERS[0]}.{_NUMBERS[1]}.{_NUMBERS[2] + 1}"
LEARNT = f"{_NUMBERS[0]}.{_NUMBERS[1] + 1}.0"
UPLOAD = '#photo-input input[type="file"]'


class App(Server):
    """``smartbreed serve`` with the fake trainer on a home of its own."""

    def __init__(self, folder: Path, command: list[str] | None = None, **changes: str) -> None:
        (folder / "home").mkdir(exist_ok=True)
        super().__init__(
            folder, command=command, **{"SMARTBREED_MODEL": "", "SMARTBREED_MAX_BYTES": "30000000"} | changes
        )

    def trainer(self, what: str) -> None:
        """What the fake trainer is to do next."""
        (self.home / "fake-trainer").write_text(what)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the fake trainer."""
    with App(tmp_path_factory.mktemp("loop"), [*WITH_FAKE_TRAINER, "serve"]) as app:
        yield app


@pytest.fixture
def browse(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Open an address as a new visitor."""
    contexts = []

    def open_it(url: str, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(90_000)
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector(".sb-header")
        return page

    yield open_it
    for context in contexts:
        context.close()


def follow(page: Any, name: str) -> None:
    """Go to another page by the links in the header."""
    page.click(f'.sb-nav a:text-is("{name}")')
    page.wait_for_selector(f'.sb-nav a[aria-current]:text-is("{name}")')


def flag(page: Any, photo: Path, breed: str) -> None:
    """Identify a photo and say that its first pet is another breed."""
    page.set_input_files(UPLOAD, photo)
    page.wait_for_selector("#pet-1 h3")
    page.click("#pet-1-wrong")
    page.click("#pet-1-breed input")
    page.keyboard.type(breed)
    page.locator(f'ul[role="listbox"] li:has-text("{breed}")').first.click()
    if page.locator("#pet-1-consent input").is_visible():
        page.check("#pet-1-consent input")
    page.click("#pet-1-save")
    page.wait_for_selector("#pet-1-status .sb-thanks")


def retrain(page: Any) -> None:
    """Press the button and watch it begin."""
    page.click("#retrain")
    page.wait_for_selector("#progress .sb-step-active, #outcome .sb-outcome")


def no_sideways_scroll(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.slow
def test_the_whole_feedback_loop(app: App, browse: Callable[..., Any], two_pets: Path) -> None:
    app.trainer("release:0.3")  # long enough to be watched
    page = browse(f"{app.url}tour")
    page.wait_for_selector('#story h3:has-text("Try it yourself")')
    assert page.locator("#story img").count() == 0
    page.locator('#story a:text-is("Identify page")').first.click()
    page.wait_for_selector(UPLOAD, state="attached")
    flag(page, two_pets, "Keeshond")
    assert SHIPS in page.text_content(".sb-footer")
    follow(page, "Review")
    page.wait_for_selector("#review-accept")
    page.wait_for_function("document.querySelector('#review-words')?.innerText.includes('Keeshond')")
    page.keyboard.press("a")
    page.wait_for_function("!document.querySelector('#review-words')?.checkVisibility()")
    follow(page, "Retrain")
    page.wait_for_selector('#waiting .sb-big:has-text("1 accepted photo")')
    retrain(page)
    page.wait_for_selector("#progress .sb-step-active")
    assert page.locator('[aria-live="polite"] >> text=/Step \\d of 7/').count()
    page.wait_for_selector("#outcome .sb-good")
    page.wait_for_selector(f'#serving .sb-big:has-text("{PATCHED}")')
    page.wait_for_selector(f'#versions tr:has-text("in use now") >> text={PATCHED}')
    follow(page, "How it learns")
    page.wait_for_selector(f'.sb-station:has-text("in use here") >> text=Version {PATCHED}')
    assert "1 flag" in page.inner_text("#loop")
    page.wait_for_selector("#then-and-now .sb-pair")
    assert "Keeshond" in page.inner_text("#then-and-now .sb-pair h4")
    assert f"Version {SHIPS} said" in page.inner_text("#story")
    widths = page.evaluate("[...document.querySelectorAll('#story img')].map(image => image.naturalWidth)")
    assert len(widths) == 2
    assert min(widths) > 100
    page.set_viewport_size({"width": 390, "height": 844})
    assert no_sideways_scroll(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    follow(page, "Identify")
    page.set_input_files(UPLOAD, two_pets)
    page.wait_for_selector("#pet-1 h3")
    assert PATCHED in page.text_content(".sb-footer")
    assert "Traceback" not in app.log()


def test_a_failed_gate_says_why_and_leaves_everything(app: App, browse: Callable[..., Any]) -> None:
    app.trainer("refused")
    page = browse(f"{app.url}train", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.wait_for_selector("#serving .sb-big")
    before = page.inner_text("#serving .sb-big")
    retrain(page)
    page.wait_for_selector('#outcome:has-text("Cats got worse by 4.1 points.")')
    assert page.inner_text("#serving .sb-big") == before
    assert page.locator("#retrain").is_visible()
    assert no_sideways_scroll(page)


def test_by_keyboard_started_and_stopped(app: App, browse: Callable[..., Any]) -> None:
    app.trainer("hang")
    page = browse(f"{app.url}train")
    page.wait_for_selector("#retrain")
    for button, ready in (("#retrain", "#retrain"), ("#cancel", "#progress .sb-step-active")):
        page.wait_for_selector(ready)  # a trainer that is stopped before its first step shows none
        page.wait_for_selector(f"{button}:not([disabled])")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement?.matches(selector)", button):
                break
        page.keyboard.press("Enter")
    page.wait_for_selector('#outcome:has-text("It was stopped")')
    page.wait_for_selector("#progress .sb-step-stopped")


def test_another_visitor_sees_the_same_run(app: App, browse: Callable[..., Any]) -> None:
    app.trainer("hang")
    first = browse(f"{app.url}train")
    first.wait_for_selector("#retrain")
    retrain(first)
    second = browse(f"{app.url}train")
    second.wait_for_selector("#progress .sb-step-active")
    assert not second.locator("#retrain").is_visible()
    second.click("#cancel")
    first.wait_for_selector('#outcome:has-text("It was stopped")')


@pytest.mark.slow
def test_an_app_that_is_killed_finds_its_trainer_again(app: App, browse: Callable[..., Any]) -> None:
    app.trainer("ok:0.8")
    page = browse(f"{app.url}train")
    page.wait_for_selector("#retrain")
    retrain(page)
    page.wait_for_selector("#progress .sb-step-active")
    app.stop(signal.SIGKILL)
    app.start()
    app.wait_until_ready()
    page = browse(f"{app.url}train")
    page.wait_for_selector("#progress .sb-step-active, #outcome .sb-good")
    page.wait_for_selector("#outcome .sb-good")


@pytest.mark.slow
def test_visitors_read_why_not(chromium: Any, browse: Callable[..., Any], tmp_path: Path) -> None:
    with App(tmp_path, [*WITH_FAKE_TRAINER, "serve"], SMARTBREED_MAINTAINER_PASSWORD="correct horse") as app:
        page = browse(f"{app.url}train")
        page.wait_for_selector("form.sb-sign-in")
        assert not page.locator("#retrain").is_visible()
        assert not page.locator("#serving").is_visible()
        page.fill("#sb-password", "correct horse")
        page.keyboard.press("Enter")
        page.wait_for_selector("#retrain")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_app_learns_a_breed_it_lacked(browse: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing is fake here: twenty corrections, the real trainer, its gate, and the answer that follows."""
    from examples import loop
    from examples.photos import read_photos
    from smartbreed.core.settings import load_settings
    from smartbreed.services import Services

    photos = read_photos(pets(), "keeshond", 20, others=0)
    unseen = tmp_path / "unseen.jpg"
    unseen.write_bytes(photos.held_back["keeshond"][3])
    last = tmp_path / "last.jpg"
    last.write_bytes(photos.to_flag["keeshond"][-1])
    settings = load_settings(home=tmp_path / "home", hub="embedded", model="smartbreed/pets")
    loop.begin(settings, "keeshond")
    services = Services(settings)
    loop.flag(services, photos.to_flag["keeshond"][:-1], "keeshond")
    loop.review(services)
    services.flags.close()
    with App(tmp_path, SMARTBREED_HUB="embedded", SMARTBREED_MODEL="smartbreed/pets") as app:
        page = browse(app.url)
        ask_whole(page, unseen)
        assert "Keeshond" not in page.inner_text("#pet-1-text")
        page.click("#restart")
        page.wait_for_selector("#pet-1-text", state="hidden")
        flag(page, last, "Keeshond")
        follow(page, "Review")
        page.wait_for_function("document.querySelector('#review-words')?.innerText.includes('Keeshond')")
        page.keyboard.press("a")
        page.wait_for_function("!document.querySelector('#review-words')?.checkVisibility()")
        follow(page, "Retrain")
        page.wait_for_selector('#waiting .sb-big:has-text("20 accepted photos")')
        retrain(page)
        page.wait_for_selector("#outcome .sb-outcome", timeout=240_000)
        assert f"Version {LEARNT} is out" in page.inner_text("#outcome")
        page.wait_for_selector(f'#serving .sb-big:has-text("{LEARNT}")')
        follow(page, "Identify")
        ask_whole(page, unseen)
        assert "Keeshond" in page.inner_text("#pet-1 h3")
        assert LEARNT in page.text_content(".sb-footer")
        follow(page, "How it learns")
        page.wait_for_selector('#story li:has-text("Asked again") >> text=became right')
        reported = page.inner_text("#story")
        assert f"Version {LEARNT} has learnt from it" in reported or "was evaluated on it" in reported
        assert "It passed the gate" in reported
        assert page.locator("#then-and-now .sb-better").count() >= 6
        assert "Traceback" not in app.log()


def ask_whole(page: Any, photo: Path) -> None:
    """Ask for a close-up, which is taken as it is where the detector sees no pet in it."""
    page.set_input_files(UPLOAD, photo)
    page.wait_for_selector("#pet-1 h3, #whole-now")
    if page.locator("#whole-now").is_visible():
        page.click("#whole-now")
        page.wait_for_selector("#pet-1 h3")
