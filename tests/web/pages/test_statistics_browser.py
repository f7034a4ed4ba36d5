"""The page of statistics in a browser: both schemes, both widths, every control, without a script, live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.browser import LOOKS, check_look, follow, watch

pytestmark = pytest.mark.browser

ADDRESSES = (
    "statistics", "statistics?all=1&sort=f1&order=down", "statistics?q=zzzzqq",
    "statistics?of=Scent+hounds&said=Scent+hounds#mix-ups",
)  # fmt: skip
#: Names of breeds in which a word stands on two lines.
TORN = """[...document.querySelectorAll("#breeds tbody th a")].filter((link) =>
  [...link.firstChild.data.matchAll(/[^\\s-]+/g)].some((word) => {
    const range = document.createRange();
    range.setStart(link.firstChild, word.index);
    range.setEnd(link.firstChild, word.index + word[0].length);
    return range.getClientRects().length > 1;
  })).map((link) => link.textContent)"""
TARGETS = "main :is(button, input:not([type=hidden]), .sb-more, .sb-csv, thead a, .sb-contents a):visible"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_it_fits_and_is_legible(chromium: Any, server: Any, scheme: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    faults = watch(page, server.url)
    for address in ADDRESSES:
        page.goto(server.url + address)
        check_look(page, width, TARGETS)
        assert page.evaluate(TORN) == [], page.url
    assert faults == []
    context.close()


def test_every_control_without_a_script(chromium: Any, server: Any, tmp_path: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}statistics")
    for number in range(page.locator("#breeds thead a").count()):
        for _ in range(2):
            follow(page, page.locator("#breeds thead a").nth(number))
            assert page.locator("#breeds [aria-sort]").count() == 1
    page.fill("#breeds input", "westie")
    with page.expect_navigation(url="**q=westie**", wait_until="load"):
        page.keyboard.press("Enter")
    assert page.locator("#breeds tbody tr").count() == 1
    follow(page, page.locator("#breeds .sb-clear"))
    follow(page, page.locator("#breeds .sb-more"))
    assert page.locator("#breeds tbody tr").count() == 133
    follow(page, page.locator("#breeds .sb-more"))
    assert page.locator("#breeds tbody tr").count() == 15
    cell = page.locator("#mix-ups td a").first
    number = int(cell.inner_text())
    follow(page, cell)
    said = page.locator("#mix-ups .sb-pairs .sb-percent").all_inner_texts()
    assert sum(int(one.split()[0]) for one in said) == number
    follow(page, page.locator("#mix-ups .sb-pairs a").first)
    assert "/breeds/" in page.url
    page.go_back()
    follow(page, page.locator("#mix-ups .sb-more"))
    for anchor in page.locator(".sb-contents a").all():
        follow(page, anchor)
        assert page.url.endswith(str(anchor.get_attribute("href")))
    tables = [str(one.get_attribute("href")) for one in page.locator(".sb-csv").all()]
    assert len(tables) == len(set(tables)) >= 7
    for link in tables:
        with page.expect_download() as download:
            page.locator(f'.sb-csv[href="{link}"]').click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert len(pd.read_csv(path).columns) >= 3, link
    context.close()


def test_the_keyboard_reaches_and_scrolls_the_matrix(chromium: Any, server: Any) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{server.url}statistics#mix-ups")
    region = page.locator("#mix-ups .sb-scroll")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#mix-ups .sb-scroll').scrollLeft > 0")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('td') !== null"), "the first number comes next"
    page.keyboard.press("Enter")
    page.wait_for_url("**of=**")
    page.close()


def test_a_photo_identified_on_the_page_is_counted(
    open_page: Callable[..., Any], server: Any, photos: list[Any], tmp_path: Path
) -> None:
    photos[0].save(tmp_path / "rex.jpg")
    page = open_page()
    tile = page.context.new_page()
    tile.goto(f"{server.url}statistics")
    before = int(tile.locator(".sb-tiles li").last.locator("b").inner_text())
    page.set_input_files('#photo-input input[type="file"]', tmp_path / "rex.jpg")
    page.wait_for_selector(".sb-footer .sb-file:has-text('rex.jpg')", state="attached")
    now = before
    for _ in range(120):  # written every few seconds
        if now > before:
            break
        tile.wait_for_timeout(500)
        tile.reload()
        now = int(tile.locator(".sb-tiles li").last.locator("b").inner_text())
    assert now == before + 1
    assert "Photos a day" in tile.locator("#use").inner_text()
    assert "web page" in tile.locator("#drift").inner_text()
