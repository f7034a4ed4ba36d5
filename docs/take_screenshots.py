"""Take the docs' screenshots of a running app: ``python docs/take_screenshots.py PHOTO [URL [NAME …]]``.

PHOTO is ``skimage/data/chelsea.png`` of scikit-image (CC0, by Stefan van der Walt). Photographs of datasets
may not enter the repository, so the app needs a home without a gallery and without accepted photos. NAME is
one or more of `SHOTS`; the default is all but ``train``. To take ``train``, with versions on the page
`/train`, run ``python examples/loop.py --keep /tmp/home`` and start the app with SMARTBREED_HOME=/tmp/home
SMARTBREED_HUB=embedded SMARTBREED_MODEL=smartbreed/pets. The script needs playwright and a Chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
#: Names of the program, most likely first; without any, playwright's own is used.
CHROMIUMS = ("chromium", "chromium-browser", "chromium-headless-shell")
#: Largest size of a screenshot in bytes, as the git history keeps every version.
MOST_BYTES = 150_000
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True, "has_touch": True,
    "device_scale_factor": 2,
}  # fmt: skip


class Visit:
    """A browser page on the app, and the actions that lead to each screenshot."""

    def __init__(self, page: Page, url: str, photo: str) -> None:
        self.page, self.url, self.photo = page, url.rstrip("/") + "/", photo

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def identify(self) -> None:
        """Upload the photo and wait for the answer."""
        self.open("")
        self.page.set_input_files('#photo-input input[type="file"]', self.photo)
        self.page.wait_for_selector("#pet-1 h3")

    def versions(self) -> None:
        self.open("train")
        self.page.wait_for_selector("#versions table")

    def ask(self) -> None:
        """Ask the first example question and wait for its answer."""
        self.open("ask")
        self.page.click("#ask-example-1")
        self.page.wait_for_selector('#ask-chat :text("Norwich")')

    def play(self) -> None:
        """Start a quiz about breed facts and wait for the first question."""
        self.open("quiz")
        self.page.locator("section:has(h3:text-is('Breed facts')) button:has-text('5 rounds')").click()
        self.page.wait_for_selector(".sb-option")


#: Screenshots by name: browser options, the action that opens the page, and the height in pixels (0: all).
SHOTS: dict[str, tuple[dict[str, Any], Callable[[Visit], None], int]] = {
    "result": (DESKTOP, Visit.identify, 0),
    "breeds": (DESKTOP, lambda visit: visit.open("breeds?q=terrier&size=small"), 0),
    "compare": (DESKTOP, lambda visit: visit.open("breeds/compare?a=norfolk_terrier&b=norwich_terrier"), 0),
    "statistics": (DESKTOP, lambda visit: visit.open("statistics"), 1000),
    "train": (DESKTOP, Visit.versions, 0),
    "phone": (PHONE, Visit.identify, 1000),
    "phone-breed": (PHONE, lambda visit: visit.open("breeds/norwich_terrier"), 1000),
    "phone-ask": (PHONE, Visit.ask, 1000),
    "phone-quiz": (PHONE, Visit.play, 844),
    "phone-statistics": (PHONE, lambda visit: visit.open("statistics"), 1000),
}


def main(photo: str, url: str = "http://127.0.0.1:7860/", *names: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, CHROMIUMS)), None),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
        )
        for name in names or (name for name in SHOTS if name != "train"):
            window, go, height = SHOTS[name]
            context = browser.new_context(**window, locale="en-GB")
            page = context.new_page()
            go(Visit(page, url, photo))
            save(page, name, height)
            context.close()
        browser.close()


def save(page: Page, name: str, height: int) -> None:
    """Save the page from its top as a WebP file of at most `MOST_BYTES`."""
    page.wait_for_timeout(1500)  # until pictures are loaded and times are converted to the local zone
    page.evaluate("scrollTo(0, 0)")
    width = page.evaluate("innerWidth")
    height = height or page.evaluate("document.documentElement.scrollHeight")
    # With full_page, Chromium would stop emulating a touch screen.
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot()))
    for quality in (90, 82, 74, 66, 58):
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6)
        if buffer.tell() <= MOST_BYTES:
            break
    else:
        raise ValueError(f"{name} takes {buffer.tell()} bytes, which is more than {MOST_BYTES}.")
    path = FOLDER / f"{name}.webp"
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {picture.width}×{picture.height}, {buffer.tell()} bytes, quality {quality}")


if __name__ == "__main__":
    main(*sys.argv[1:])
