"""Take the screenshots of the docs from a running app: ``python docs/take_screenshots.py PHOTO [URL]``.

PHOTO is ``skimage/data/chelsea.png`` of scikit-image (CC0, by Stefan van der Walt); a photograph of a
dataset may not enter the repository. Needs playwright and a Chromium. For a `/train` with versions on it:
``python examples/loop.py --keep /tmp/home``, then start the app with SMARTBREED_HOME=/tmp/home
SMARTBREED_HUB=embedded SMARTBREED_MODEL=smartbreed/pets.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"


def main(photo: str, url: str = "http://127.0.0.1:7860/") -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(url)
        page.set_input_files('#photo-input input[type="file"]', photo)
        page.wait_for_selector("#pet-1 h3")
        save(page, "result")
        page.goto(f"{url.rstrip('/')}/breeds?q=terrier&size=small")
        save(page, "breeds")
        page.goto(f"{url.rstrip('/')}/breeds/compare?a=norfolk_terrier&b=norwich_terrier")
        save(page, "compare")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        phone.goto(url)
        phone.set_input_files('#photo-input input[type="file"]', photo)
        phone.wait_for_selector("#pet-1 h3")
        save(phone, "phone")
        page.goto(f"{url.rstrip('/')}/train")
        page.wait_for_selector("#versions table")
        save(page, "train")
        browser.close()


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # pictures load, and times turn into the visitor's own
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
