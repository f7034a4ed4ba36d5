"""Pictures that lie outside the folder the app was started in and outside the temporary folder.

gradio serves files of these two alone unless others are named to it; an app that is installed as a
package, or keeps its home on a volume, has its pictures elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.browser import wait_until_kept
from support.photos import pets
from support.processes import ELSEWHERE, Server

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("gallery", [False, True])
def test_example_pictures_are_shown(tmp_path: Path, chromium: Any, gallery: bool) -> None:
    (tmp_path / "temporary").mkdir()
    changes = {"TMPDIR": str(tmp_path / "temporary")}
    if gallery:
        changes["SMARTBREED_GALLERY"] = str(pets())
    with Server(tmp_path, command=ELSEWHERE, **changes) as server:
        page = chromium.new_page()
        page.goto(server.url)
        pictures = page.locator("#examples-gallery .thumbnail-item img")
        pictures.first.wait_for()
        assert all(pictures.nth(place).evaluate("image => image.decode().then(() => true)")
                   for place in range(pictures.count()))  # fmt: skip
        assert gallery or pictures.count() == 1, "the cat alone"
        pictures.first.click()
        page.locator("#pet-1 h3").wait_for()  # one click, and there is an answer
        named = page.inner_text("#pet-1 .sb-what")
        assert page.locator("#pet-1-look img").nth(1).evaluate("image => image.decode().then(() => true)")
        wait_until_kept(page)
        page.reload()
        page.locator("#pet-1 h3").wait_for()
        assert page.inner_text("#pet-1 .sb-what") == named, "an example's answer survives a reload too"
        page.click("#restart")
        pictures.first.wait_for()
        page.close()
        assert "Traceback" not in server.log()
