"""The pages about breeds in a browser: both schemes, both widths, without a script, from an answer's card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.browser import LOOKS, check_look, follow, watch

pytestmark = pytest.mark.browser

PAGES = (
    "breeds", "breeds?q=zzzzqqqq", "breeds/border_terrier", "breeds/siamese", "breeds/bordr_terier",
    "breeds/compare", "breeds/compare?a=norfolk_terrier&b=norwich_terrier", "breeds/compare?a=zzz&b=pug",
)  # fmt: skip
#: Controls, and links that stand alone.
TARGETS = "main :is(button, select, input:not([type=hidden]), .sb-more, .sb-links a, .sb-path a):visible"


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_fits_and_is_legible(chromium: Any, server: Any, scheme: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    faults = watch(page, server.url)
    grounds = set()
    for path in PAGES:
        page.goto(server.url + path)
        check_look(page, width, TARGETS)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        if path == "breeds/bordr_terier":
            assert [fault for fault in faults if "404" not in fault] == []
            faults.clear()
    assert faults == []
    assert grounds == {"rgb(250, 245, 238)" if scheme == "light" else "rgb(24, 20, 17)"}
    context.close()


def test_without_a_script_the_form_does_the_same(chromium: Any, server: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}breeds")
    page.fill("#breed-filter input", "terrier")
    page.select_option("#breed-filter select[name=size]", "small")
    follow(page, page.locator("#breed-filter button"))
    assert "q=terrier" in page.url
    assert "size=small" in page.url
    some = page.locator(".sb-breed-card").count()
    assert 0 < some < 133
    assert page.input_value("#breed-filter input") == "terrier"
    follow(page, page.locator(".sb-breed-card a").first)
    page.select_option("#breed-compare select", "boxer")
    follow(page, page.locator("#breed-compare button"))
    assert page.locator(".sb-both thead th").count() == 2
    page.go_back()
    page.go_back()
    assert page.locator(".sb-breed-card").count() == some
    follow(page, page.locator(".sb-clear"))
    assert page.locator(".sb-breed-card").count() == 133
    context.close()


def test_the_card_of_an_answer_leads_to_the_breed(
    open_page: Callable[..., Any], photos: list[Any], tmp_path: Path
) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    for number, picture in enumerate(photos):
        path = tmp_path / f"{number}.jpg"
        picture.save(path)
        page.set_input_files('#photo-input input[type="file"]', path)
        page.wait_for_selector(f".sb-footer .sb-file:has-text('{number}.jpg')", state="attached")
        if page.locator("#pet-1-text .sb-breed .sb-about").count():
            break
    link = page.locator("#pet-1-text .sb-more")
    assert link.bounding_box()["height"] >= 44
    name = page.locator("#pet-1-text .sb-name").first.inner_text()
    with page.expect_popup() as opened:
        link.click()
    assert opened.value.locator("main h2").inner_text() == name
    assert opened.value.locator(".sb-lead").inner_text() == page.locator("#pet-1-text .sb-about").inner_text()
    assert page.locator("#pet-1 h3").is_visible(), "the answer is still there"
