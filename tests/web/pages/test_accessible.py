"""What axe finds serious on the pages, for those who use a keyboard, a screen reader or their own colors."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from support.browser import FAINT, LOOKS
from support.processes import Server

from smartbreed.accounts.members import COOKIE
from smartbreed.core.settings import load_settings
from smartbreed.services import Services

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

#: One page of each kind; what stands under these paths differs in its text alone.
ONE_OF = ("breeds/", "account/sign-in/", "m/", "quiz/")
#: How far from the front page a visitor goes.
STEPS = 2
#: Gradio's pages fill themselves, and their connection is never idle.
SETTLES_MS = 1500


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_serious_is_found(
    chromium: Any, server: Server, photos: list[Image.Image], tmp_path: Path, width: int, scheme: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    faults: list[str] = []
    waiting, seen = [("", 0)], {""}
    while waiting:
        path, steps = waiting.pop(0)
        answer = page.goto(urljoin(server.url, path))
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page.wait_for_timeout(SETTLES_MS)
        faults += _serious(page, path)
        if steps == STEPS:
            continue
        for href in page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)"):
            target = _page_of(server.url, href, seen)
            if target is not None:
                seen.add(target)
                waiting.append((target, steps + 1))
    assert len(seen) > 10, "the pages are found by their links"
    photo = tmp_path / "pet.jpg"
    photos[0].save(photo)
    page.goto(server.url)
    page.set_input_files('#photo-input input[type="file"]', photo)
    page.locator("#pet-1-text .sb-name").first.wait_for()
    page.wait_for_timeout(SETTLES_MS)
    faults += _serious(page, "an answer")
    context.close()
    assert not faults, "\n".join(faults)


#: Pages that a visitor does not get, and what shows that they have filled themselves.
SIGNED_IN = {
    "account": "#sessions", "account/delete": "form", "teach": "main form", "admin": ".sb-tiles",
    "admin/members": ".sb-people", "admin/messages": ".sb-message", "admin/switches": ".sb-rows",
    "admin/audit": ".sb-stack", "review": "#review-words .sb-item", "train": "#versions table",
    "statistics": "main table",
}  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_nothing_serious_is_found_by_an_admin(
    chromium: Any, tmp_path: Path, photos: list[Image.Image], width: int, scheme: str
) -> None:
    photo = tmp_path / "pet.jpg"
    photos[0].save(photo)
    with Server(tmp_path / "site", SMARTBREED_MAINTAINER_PASSWORD="a long enough password") as site:
        site.wait_until_ready()
        services = Services(load_settings(home=site.home, hub="embedded"))
        member, link = services.members.create("boss@example.org", "admin")
        cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
        services.messages.send("Hello", "idea", "", member.id)
        services.stop()
        fields = {"pet": "1", "verdict": "wrong", "label": "pug", "consent": "true"}
        flag = httpx.post(
            f"{site.url}api/flag", files={"photo": photo.read_bytes()}, data=fields, timeout=120
        )
        assert flag.status_code in (200, 201), flag.text
        context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        context.add_cookies([{"name": COOKIE, "value": cookie, "url": site.url}])
        page = context.new_page()
        faults: list[str] = []
        for path, shown in SIGNED_IN.items():
            page.goto(urljoin(site.url, path))
            page.locator(shown).first.wait_for(timeout=120_000)
            page.wait_for_timeout(SETTLES_MS)
            faults += _serious(page, path)
            if (wide := page.evaluate("document.documentElement.scrollWidth")) != width:
                faults.append(f"{path}: {wide} pixels wide")
            faults += [f"{path}: faint: {one}" for one in page.evaluate(FAINT)]
        context.close()
    assert not faults, "\n".join(faults)


def _page_of(site: str, href: str, seen: set[str]) -> str | None:
    """The path of a page of ours that was not seen; of those that differ in their text alone, the first."""
    address = urldefrag(href).url
    path = urlsplit(address).path.lstrip("/")
    if not address.startswith(site) or "." in path.rpartition("/")[2] or path in seen:
        return None
    alike = [start for start in ONE_OF if path.startswith(start)]
    return None if any(other.startswith(start) for start in alike for other in seen) else path


def _serious(page: Any, name: str) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{name or 'front page'}: {one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
