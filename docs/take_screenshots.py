"""Take the README's screenshots from a running app: ``python docs/take_screenshots.py [URL]``.

Only pictures that gradio ships are shown (a lion, a tower): no photograph of a
dataset may enter the repository, so the tour's are left blank. Needs playwright and a Chromium.

For a tour after a whole round: ``python examples/loop.py --keep /tmp/home``, then start the app with
SMARTBREED_HOME=/tmp/home SMARTBREED_HUB=embedded SMARTBREED_MODEL=smartbreed/pets.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import gradio as gr
from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
#: Leaves the photographs of the installation out of a picture, and their places in.
BLANK = "#story img, #then-and-now img { object-position: -9999px; }"
UPLOAD = '#photo-input input[type="file"]'
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "device_scale_factor": 2,
}


def main(url: str = "http://127.0.0.1:7860/") -> None:
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        take(browser, url, "page", **DESK)
        take(browser, url, "result", "lion.jpg", **DESK)
        take(browser, url, "no-pet", "tower.jpg", whole=False, **DESK)
        take(browser, url, "flag", "lion.jpg", flag=True, **DESK, color_scheme="dark")
        take(browser, url, "phone", "lion.jpg", **PHONE)
        take(browser, url, "phone-dark", "lion.jpg", **PHONE, color_scheme="dark")
        take_learning(browser, url, "tour", "#story .sb-story")
        take_learning(browser, url, "train", "#versions table")
        browser.close()


def take_learning(browser: Browser, url: str, name: str, ready: str) -> None:
    """One screenshot of a page about learning, as it is in this installation.

    Args:
        browser: a running browser.
        url: of the app.
        name: of the page and of the file.
        ready: selector of what the page shows last.
    """
    visitor = browser.new_context(**DESK, color_scheme="light")
    page = visitor.new_page()
    page.goto(f"{url.rstrip('/')}/{name}")
    page.wait_for_selector(ready)
    page.add_style_tag(content=BLANK)
    page.wait_for_timeout(1500)  # its times turn into the visitor's own
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    visitor.close()
    print(FOLDER / f"{name}.png")


def take(
    browser: Browser,
    url: str,
    name: str,
    picture: str = "",
    *,
    whole: bool = True,
    flag: bool = False,
    **context: Any,
) -> None:
    """One screenshot of the whole page as a new visitor sees it.

    Args:
        browser: a running browser.
        url: of the app.
        name: of the file, without its ending.
        picture: one of gradio's to upload; empty: none.
        whole: where no pet is found, go on with the whole picture.
        flag: open the form for a wrong breed.
        context: for ``Browser.new_context``.
    """
    visitor = browser.new_context(**{"color_scheme": "light", **context})
    page = visitor.new_page()
    page.goto(url)
    page.wait_for_selector(UPLOAD, state="attached")
    page.wait_for_timeout(800)
    if picture:
        page.set_input_files(UPLOAD, gr.get_image(picture))
        page.wait_for_selector("#photo .base-image")
        if whole and page.locator("#whole-now").is_visible():
            page.click("#whole-now")
            page.wait_for_selector("#pet-1-text h3")
    if flag:
        page.click("#pet-1-wrong")
        page.click("#pet-1-form summary")
    page.wait_for_timeout(800)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    visitor.close()
    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
