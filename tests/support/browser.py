"""A headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: The browsers to look for, the best first. Debian's headless shell draws no window of its own around a page:
#: a page takes half the processor time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser")
# Without these, Chromium talks to its maker's servers and hangs where it cannot.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",  # the headless shell cannot ask, and would refuse
]


#: Width of the window and color scheme. Either width and either scheme are seen in the fast tests.
LOOKS = [
    (1280, "light"),
    (390, "dark"),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
    pytest.param(390, "light", marks=pytest.mark.slow),
]


@contextmanager
def open_chromium(*arguments: str) -> Iterator[Any]:
    """Playwright's browser; skips where there is none. No asyncio in this thread meanwhile."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM_ARGUMENTS, *arguments])
        yield browser
        browser.close()


FAINT = (Path(__file__).with_name("faint.js")).read_text(encoding="utf-8")
SMALL = (Path(__file__).with_name("small.js")).read_text(encoding="utf-8")
CRAMPED = (Path(__file__).with_name("cramped.js")).read_text(encoding="utf-8")
SCHEMES = ("light", "dark")


def too_small(page: Any) -> list[str]:
    """Controls that answer a finger on less than 44 × 44 pixels."""
    return list(page.evaluate(SMALL))


def watch(page: Any, address: str) -> list[str]:
    """A list that fills with what the page throws, reports as an error, or asks of other addresses."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("request", lambda request: faults.append(request.url) if address not in request.url else None)
    return faults


def follow(page: Any, target: Any) -> None:
    """Press a link or a button of a form, and wait until the page it leads to stands.

    A click alone returns when the browser has begun to leave; what is counted then may be either page's.
    """
    with page.expect_navigation(wait_until="load"):
        target.click()


_KEPT = """() => new Promise((done) => {
  const asked = indexedDB.open("smartbreed");
  asked.onerror = () => done(false);
  asked.onsuccess = () => {
    const opened = asked.result;
    if (!opened.objectStoreNames.contains("shown")) { opened.close(); return done(false); }
    const tab = sessionStorage.getItem("smartbreed-tab") ?? "";
    const found = opened.transaction("shown").objectStore("shown").get(tab);
    found.onsuccess = () => { opened.close(); done(Boolean(found.result)); };
  };
})"""


def wait_until_kept(page: Any) -> None:
    """Wait until the browser keeps what the page shows, so that it survives a reload."""
    page.wait_for_function("document.querySelector('#pet-1 h3')")
    page.wait_for_function(_KEPT)


def check_look(page: Any, width: int, targets: str) -> None:
    """The page is as wide as the window, its text stands out, and what is touched is 44 pixels high."""
    assert page.evaluate("document.documentElement.scrollWidth") == width, page.url
    assert page.evaluate(FAINT) == [], page.url
    for target in page.locator(targets).all():
        assert target.bounding_box()["height"] >= 44, (page.url, target.inner_text())
