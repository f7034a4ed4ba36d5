"""How photos get in, in a real browser: by finger, from anywhere, and what is said when they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageStat

pytestmark = pytest.mark.browser

UPLOAD = '#photo-input input[type="file"]'
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
OpenPage = Callable[..., Any]
#: Gives an event a file or a text, as the browser does for what is dropped and pasted.
GIVE = """([kind, where, text]) => {
  const data = new DataTransfer();
  if (text) data.setData("text/plain", text);
  else data.items.add(new File([new Uint8Array([1, 2, 3])], "rex.jpg", { type: "image/jpeg" }));
  const made = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { ...made, clipboardData: data })
    : new DragEvent(kind, { ...made, dataTransfer: data });
  document.querySelector(where).dispatchEvent(event);
  return event.defaultPrevented;
}"""


@pytest.fixture(scope="module")
def one_pet(photos: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "rex.jpg"
    photos[0].save(path, quality=92)
    return path


def problem(page: Any) -> str:
    line = page.locator("#photo-problem:visible")
    line.wait_for()
    return str(line.inner_text())


def test_on_a_phone_the_name_is_on_the_first_screen(open_page: OpenPage, one_pet: Path) -> None:
    page = open_page(**PHONE)
    assert page.locator("#ways button:visible").all_inner_texts() == ["Take a photo", "Choose photos"]
    for button in page.locator("#ways button").all():
        assert button.bounding_box()["height"] >= 44
    with page.expect_file_chooser() as camera:
        page.tap("#ways .sb-take")
    assert camera.value.element.get_attribute("capture") == "environment", "the phone's own camera"
    with page.expect_file_chooser() as chosen:
        page.tap("#ways .sb-choose")
    held: list[Any] = []
    page.route("**/gradio_api/upload*", lambda route: held.append(route))
    chosen.value.set_files(one_pet)
    page.locator(".sb-preview img:visible").wait_for()  # while the photo is still on its way
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.wait_for_selector("#pet-1 h3")
    page.locator(".sb-preview").wait_for(state="hidden")
    page.wait_for_timeout(500)  # for what scrolls
    name = page.locator("#pet-1 h3").bounding_box()
    assert page.evaluate("scrollY") == 0
    assert name["y"] + name["height"] < 400, "of 844"
    assert not page.locator("#photo-input").is_visible()
    assert page.locator("#ways .sb-choose").inner_text() == "Another photo"


def test_on_a_phone_the_other_photos_are_chosen_above_the_answer(
    open_page: OpenPage, one_pet: Path, no_pet: Path
) -> None:
    page = open_page(**PHONE)
    page.set_input_files(UPLOAD, [one_pet, no_pet])
    page.wait_for_selector("#pet-1 h3")
    strip = page.locator("#strip")
    strip.wait_for()
    box, photo = strip.bounding_box(), page.locator("#photo").bounding_box()
    assert box["y"] + box["height"] <= page.locator("#status").bounding_box()["y"]
    assert page.locator("#pet-1").bounding_box()["y"] < photo["y"], "the answer still stands above the photo"
    strip.locator(".thumbnail-item").nth(1).tap()
    answer = page.locator('#status h2:has-text("No pet found")')
    answer.wait_for()
    assert 0 < answer.bounding_box()["y"] < 844, "what it says of that photo is in sight"


@pytest.mark.parametrize("path", ["statistics", "tour", "account/sign-in", "breeds"])
def test_on_a_phone_the_navigation_shows_where_one_is(open_page: OpenPage, path: str) -> None:
    page = open_page(**PHONE)
    page.goto(page.url + path)
    here = page.locator(".sb-nav [aria-current]")
    here.wait_for()
    box = here.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("scrollY") == 0


def test_photos_come_from_anywhere_on_the_page(open_page: OpenPage) -> None:
    page = open_page()
    for kind, where in (("drop", ".sb-header h1"), ("paste", "body"), ("drop", "#photo-input")):
        assert page.evaluate(GIVE, [kind, where, ""])
        page.wait_for_selector("#status .sb-failed", timeout=10_000)  # three bytes are no photo
        page.reload()
        page.wait_for_selector(UPLOAD, state="attached")
    assert page.evaluate(GIVE, ["paste", "body", "some text"])
    assert "no picture in the clipboard" in problem(page)
    assert page.evaluate(GIVE, ["drop", ".sb-header h1", "https://example.org/rex.jpg"])
    assert "not a file" in problem(page)


def test_a_clipboard_without_a_picture(open_page: OpenPage, server: Any) -> None:
    page = open_page()
    paste = page.locator("#photo-input [aria-label='Paste from clipboard']")
    paste.click()  # a browser that was not allowed to
    assert "Ctrl+V" in problem(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    page.evaluate("navigator.clipboard.writeText('rex')")
    paste.click()
    page.locator("#photo-problem:has-text('no picture')").wait_for()
    page.locator(
        "#photo-input [aria-label='Upload file']"
    ).click()  # another try begins without the old message
    page.locator("#photo-problem").wait_for(state="hidden")


@pytest.mark.parametrize(
    ("refused", "said"),
    [("NotAllowedError", "blocked"), ("NotFoundError", "no camera"), ("NotReadableError", "Another program")],
)
def test_a_camera_that_does_not_open(open_page: OpenPage, refused: str, said: str) -> None:
    page = open_page(permissions=[])
    page.add_init_script(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{refused}'))"
    )
    page.reload()
    page.locator("#photo-input [aria-label='Capture from camera']").click()
    page.locator("#photo-input [title='grant webcam access'] button").click()
    assert said in problem(page)


def test_no_camera_over_plain_http(open_page: OpenPage) -> None:
    page = open_page()
    page.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'mediaDevices', { get: () => undefined });"
        "Object.defineProperty(window, 'isSecureContext', { get: () => false });"
    )
    page.reload()
    page.locator("#photo-input [aria-label='Capture from camera']").click()
    assert "https" in problem(page)


def test_the_limit_on_the_page_is_the_real_one(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    assert "of up to 30 MB each" in page.text_content("#limits")  # as the server's setting
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(30_000_001)
    page.set_input_files(UPLOAD, large)
    assert "“large.jpg” is larger than 30 MB" in problem(page)
    with large.open("r+b") as file:
        file.truncate(30_000_000)
    page.set_input_files(UPLOAD, large)
    page.wait_for_selector("#status .sb-failed")
    assert "larger" not in page.inner_text("#status")
    assert not page.locator("#photo-problem").is_visible()


#: A browser that shares files, and keeps what it is asked to share.
SHARES = """navigator.canShare = (what) => what.files.length === 1;
navigator.share = async ({ files: [file] }) => {
  window.shared = { name: file.name, type: file.type, bytes: [...new Uint8Array(await file.arrayBuffer())] };
};"""


def test_an_answer_is_shared_and_saved_as_the_same_picture(
    open_page: OpenPage, one_pet: Path, tmp_path: Path
) -> None:
    page = open_page(**PHONE)
    page.add_init_script(SHARES)
    page.reload()
    page.set_input_files(UPLOAD, one_pet)
    page.wait_for_selector("#pet-1 h3")
    page.wait_for_function("document.querySelector('#pet-1-look img')?.naturalWidth > 0")
    name = page.inner_text("#pet-1 .sb-what")
    page.tap("#pet-1 .sb-share")
    page.wait_for_function("window.shared")
    shared = page.evaluate("window.shared")
    assert shared["type"] == "image/png"
    assert shared["name"] == re.sub(r"\W+", "-", name).lower() + ".png"
    with page.expect_download() as saved:
        page.tap("#pet-1 .sb-save")
    assert saved.value.suggested_filename == shared["name"]
    saved.value.save_as(tmp_path / "card.png")
    assert (tmp_path / "card.png").read_bytes() == bytes(shared["bytes"])
    with Image.open(tmp_path / "card.png") as card:
        assert card.size == (1080, 1350)
        photo, words = (
            card.convert("L").crop((0, 0, 1080, 1010)),
            card.convert("L").crop((0, 1010, 1080, 1350)),
        )
    assert ImageStat.Stat(photo).stddev[0] > 10, "the pet fills the upper part"
    darkest, lightest = words.getextrema()
    assert darkest < 80, "its name is written below"
    assert lightest > 230


def test_the_result_survives_a_reload_and_the_browser_remembers(
    open_page: OpenPage, one_pet: Path, tmp_path: Path
) -> None:
    page = open_page()
    assert not page.locator(".sb-history").is_visible()
    page.set_input_files(UPLOAD, one_pet)
    page.wait_for_selector("#pet-1 h3")
    name = page.inner_text("#pet-1 .sb-what")
    page.locator("#history summary").click()
    assert page.locator("#history li").count() == 1
    assert name in page.inner_text("#history li")
    assert page.locator("#history img").get_attribute("src").startswith("data:image/jpeg")
    with page.expect_download() as saved:
        page.click("#pet-1 .sb-save")
    saved.value.save_as(tmp_path / "card.png")
    assert Image.open(tmp_path / "card.png").size == (1080, 1350)
    page.reload()
    page.wait_for_selector("#pet-1 h3")
    assert page.inner_text("#pet-1 .sb-what") == name
    page.wait_for_timeout(600)
    page.locator("#history summary").click()
    assert page.locator("#history li").count() == 1, "the same answer is not listed twice"
    page.click("#history .sb-forget")
    page.locator("#history").wait_for(state="hidden")
    page.click("#restart")
    page.wait_for_selector("#status .sb-welcome")
    page.wait_for_timeout(300)
    page.reload()
    page.wait_for_selector(UPLOAD, state="attached")
    page.wait_for_timeout(500)
    assert page.locator("#status .sb-welcome").is_visible(), "what was put away does not come back"
    assert page.foreign == []
