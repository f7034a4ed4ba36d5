"""The page as people meet it, in a real browser against the real server."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import Server

from smartbreed.breeds.catalogue import BREEDS, resolve

pytestmark = pytest.mark.browser

UPLOAD = '#photo-input input[type="file"]'
OpenPage = Callable[..., Any]


def rows(server: Server) -> list[sqlite3.Row]:
    """Every flag in the database, oldest first."""
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        database.row_factory = sqlite3.Row
        return list(database.execute("SELECT * FROM flags ORDER BY id"))


def overlay_of(page: Any, pet: int) -> bytes:
    """The overlay picture of a card, once it has loaded."""
    image = page.locator(f"#pet-{pet}-look img").nth(1)
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    body = page.request.get(image.get_attribute("src")).body()
    assert isinstance(body, bytes)
    return body


def no_sideways_scroll(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def every_picture_has_a_text(page: Any) -> bool:
    return bool(
        page.evaluate(
            "[...document.querySelectorAll('.gradio-container img')].every(i => i.hasAttribute('alt'))"
        )
    )


def another_alias(page: Any, pet: int) -> tuple[str, str]:
    """An alias and the id of a breed that the card does not name first."""
    first = page.locator(f"#pet-{pet}-text .sb-name").first.inner_text()
    for breed in BREEDS.values():
        for alias in breed.aliases:
            others = [other for other in BREEDS.values() if alias.lower() in " ".join(_names(other)).lower()]
            if breed.name != first and others == [breed] and breed.name.lower() not in alias.lower():
                return alias, breed.id
    raise AssertionError("no breed has an alias of its own")


def _names(breed: Any) -> tuple[str, ...]:
    return (breed.name, *breed.aliases)


def explain_another_breed(page: Any, pet: int) -> None:
    """Choose the second likeliest breed, and see another overlay for it."""
    before = overlay_of(page, pet)
    old_source = page.locator(f"#pet-{pet}-look img").nth(1).get_attribute("src")
    page.locator(f"#pet-{pet}-explain input").click()
    option = page.locator('ul[role="listbox"] li').nth(1)
    breed = option.inner_text().split(" · ")[0].removeprefix("✓").strip()
    option.click()
    page.wait_for_function(
        "([selector, old]) => document.querySelectorAll(selector)[1]?.src !== old",
        arg=[f"#pet-{pet}-look img", old_source],
    )
    assert overlay_of(page, pet) != before
    page.wait_for_selector(f'#pet-{pet} .sb-caption b:text-is("{breed}")')
    assert breed in page.locator(f"#pet-{pet}-look img").nth(1).get_attribute("alt")


def flag_as_wrong(page: Any, server: Server, pet: int) -> None:
    """Correct the breed by searching an alias; thanked only for what is on the disk."""
    before = {row["id"] for row in rows(server)}
    alias, breed_id = another_alias(page, pet)
    page.click(f"#pet-{pet}-wrong")
    page.click(f"#pet-{pet}-breed input")
    page.keyboard.type(alias)
    page.wait_for_function("document.querySelectorAll('ul[role=listbox] li').length === 1")
    page.locator('ul[role="listbox"] li').click()
    page.click(f"#pet-{pet}-save")
    page.wait_for_selector(f"#pet-{pet}-status .sb-problem")  # no consent yet
    assert {row["id"] for row in rows(server)} == before
    page.check(f"#pet-{pet}-consent input")
    page.click(f"#pet-{pet}-save")
    page.wait_for_selector(f"#pet-{pet}-status .sb-thanks")
    (row,) = [row for row in rows(server) if row["id"] not in before]
    assert (row["verdict"], row["label"], row["consent"]) == ("wrong", breed_id, 1)
    assert row["x0"] is not None
    (blob,) = [path for path in (server.home / "blobs").rglob(f"{row['sample_id']}*") if path.is_file()]
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.stem


def test_two_pets_from_upload_to_thanks(open_page: OpenPage, server: Server, two_pets: Path) -> None:
    page = open_page()
    page.set_input_files(UPLOAD, two_pets)
    page.wait_for_selector("#pet-2 h3")
    assert page.locator(".sb-card:visible").count() == 2
    assert page.locator("#photo .mask").count() == 2
    explain_another_breed(page, 1)
    flag_as_wrong(page, server, 1)
    # Agreed once, it is one click from then on, also after the page is opened anew.
    page.wait_for_function("sessionStorage.getItem('smartbreed-tab')")
    page.wait_for_timeout(300)
    page.reload()
    page.wait_for_selector("#pet-2 h3")  # the result is there again
    page.wait_for_timeout(500)
    named = page.locator("#pet-2-text .sb-breed").count() == 1
    assert page.locator("#pet-2-correct").is_visible() == named  # there is no breed to agree to
    page.click("#pet-2-correct" if named else "#pet-2-not-a-pet")
    page.wait_for_selector("#pet-2-status .sb-thanks")
    last = rows(server)[-1]
    assert last["verdict"] == ("correct" if named else "not_a_pet")
    if named:
        assert resolve(last["label"]) == resolve(page.locator("#pet-2-text .sb-name").first.inner_text())
    page.click("#pet-2-undo")
    page.wait_for_selector("#pet-2-unsure")
    assert rows(server)[-1]["state"] == "withdrawn"
    assert every_picture_has_a_text(page)
    assert no_sideways_scroll(page)
    assert page.foreign == []


@pytest.mark.slow
def test_deeper_explanations_of_the_served_model(
    open_page: OpenPage, server: Server, photos: dict[str, list[Any]], tmp_path: Path
) -> None:
    photo = tmp_path / "dog.jpg"
    photos[0].save(photo)
    page = open_page()
    page.set_input_files(UPLOAD, photo)
    page.wait_for_selector("#pet-1 h3")
    page.click("#settings button")
    breed = page.locator("#pet-1-text .sb-name").first.inner_text()
    seen = {overlay_of(page, 1)}
    for method in ("Grad-CAM++", "Score-CAM", "SmoothGrad"):
        page.get_by_label(method, exact=True).check()
        page.locator(f'#pet-1-deeper:has-text("Explain with {method}")').click()
        # Loading tensorflow takes a while, the first time.
        page.wait_for_selector(f'#pet-1 .sb-caption:has-text("{method}")', timeout=180_000)
        assert breed in page.locator("#pet-1 .sb-caption").inner_text()
        assert page.locator("#pet-1 .sb-problem:visible").count() == 0
        seen.add(overlay_of(page, 1))
    assert len(seen) == 4, "each method draws a picture of its own"
    assert "no gradcam++ explanation" not in server.log()


def test_two_pets_on_a_phone(open_page: OpenPage, server: Server, two_pets: Path) -> None:
    page = open_page(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark"
    )
    assert no_sideways_scroll(page)
    page.set_input_files(UPLOAD, two_pets)
    page.wait_for_selector("#pet-2 h3")
    explain_another_breed(page, 2)
    flag_as_wrong(page, server, 2)
    assert no_sideways_scroll(page)
    page.locator("footer .show-api").wait_for()  # once the page stands


@pytest.mark.parametrize("name", ["holiday.jpg", "notes.txt"])
def test_a_bad_file_gets_a_sentence_and_leaves_no_trace(
    open_page: OpenPage, server: Server, tmp_path: Path, name: str
) -> None:
    bad = tmp_path / name
    bad.write_bytes(b"this is no picture at all " * 20)
    page = open_page()
    page.set_input_files(UPLOAD, bad)
    page.wait_for_selector("#status .sb-failed")
    said = page.locator("#status .sb-failed p").inner_text()
    assert re.fullmatch(r"[A-Z].*\.", said)
    assert str(server.uploads) not in page.inner_text("body")
    assert "Traceback" not in server.log()
    assert str(server.uploads) not in server.log()


def test_no_pet_is_a_friendly_answer_with_a_way_on(open_page: OpenPage, no_pet: Path) -> None:
    page = open_page()
    page.set_input_files(UPLOAD, no_pet)
    page.wait_for_selector('#status h2:has-text("No pet found")')
    assert page.locator(".sb-card:visible").count() == 0
    page.click("#whole-now")
    page.wait_for_selector("#pet-1 h3")
    assert page.locator(".sb-card:visible").count() == 1


def test_several_photos_and_their_combination(
    open_page: OpenPage, two_pets: Path, no_pet: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing more")
    page = open_page()
    page.set_input_files(UPLOAD, [two_pets, no_pet, bad, two_pets])
    page.wait_for_selector("#pet-2 h3")
    thumbnails = page.locator("#strip .thumbnail-item")
    assert thumbnails.count() == 4
    thumbnails.nth(2).click()
    page.wait_for_selector("#status .sb-failed")
    thumbnails.nth(1).click()
    page.wait_for_selector("#whole-now")
    page.click("#settings button")
    page.get_by_label("These photos all show the same pet: combine them").check()
    page.wait_for_selector("#pet-1 .sb-tag")
    assert thumbnails.count() == 5
    assert page.locator(".sb-card:visible").count() == 1


def press_until(page: Any, key: str, selector: str, most: int = 60) -> None:
    """Press ``key`` until the focus is on ``selector``."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with {key}")


def choose_by_enter(page: Any) -> Any:
    """Press Enter on the upload button; Chromium at times swallows the dialog while its machine is busy."""
    for attempt in range(5):
        try:
            with page.expect_file_chooser(timeout=3000) as chooser:
                page.keyboard.press("Enter")
            return chooser.value
        except Exception:
            if attempt == 4:
                raise
    raise AssertionError("unreachable")


def test_everything_by_keyboard(open_page: OpenPage, server: Server, two_pets: Path) -> None:
    page = open_page()
    press_until(page, "Tab", "#photo-input .upload-container")
    choose_by_enter(page).set_files(two_pets)
    page.wait_for_selector("#pet-2 h3")
    before = len(rows(server))
    press_until(page, "Tab", '#pet-1-look [role="slider"]')
    page.keyboard.press("ArrowLeft")
    assert int(page.locator('#pet-1-look [role="slider"]').get_attribute("aria-valuenow")) < 50
    press_until(page, "Tab", "#pet-1-explain input")
    press_until(page, "Tab", "#pet-1-unsure")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement?.id === 'pet-1-form'")
    press_until(page, "Tab", "#pet-1-consent input")
    page.keyboard.press("Space")
    press_until(page, "Tab", "#pet-1-save")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pet-1-status .sb-thanks")
    page.wait_for_function("document.activeElement?.id === 'pet-1-undo'")
    assert len(rows(server)) == before + 1
    assert rows(server)[-1]["verdict"] == "unsure"


_CHANGE_OF_COLORS = """() => new Promise((done) => {
  const states = [];
  const note = () => {
    const running = document.getAnimations().filter((one) => one instanceof CSSTransition).length;
    states.push([getComputedStyle(document.querySelector("h1")).color, running]);
    if (states.length < 40) requestAnimationFrame(note); else done(states);
  };
  const wanted = matchMedia("(prefers-color-scheme: dark)");
  wanted.addEventListener("change", () => requestAnimationFrame(note));
})"""


def test_colors_change_at_once_where_motion_is_unwanted(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="reduce", color_scheme="dark")
    page.wait_for_selector("body.dark")
    page.evaluate("(watch) => { window.changes = eval(watch)(); }", _CHANGE_OF_COLORS)
    page.emulate_media(color_scheme="light")
    states = page.evaluate("window.changes")
    assert [running for _, running in states] == [0] * len(states)
    assert len({color for color, _ in states}) == 1


def test_the_pages_own_events_stay_out_of_the_api(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}gradio_api/info", timeout=10) as answer:
        api = json.load(answer)
    assert api["unnamed_endpoints"] == {}
    assert not [
        name for name in api["named_endpoints"] if name.startswith(("/_", "/choose", "/reset", "/lambda"))
    ]
