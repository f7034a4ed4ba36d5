"""A model of one's own in a real browser on a real server: from signing up to the published address."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.browser import LOOKS
from support.photos import pattern
from support.processes import Server
from support.teaching import as_folder, as_zip, classes

import smartbreed

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

WIDTHS = {
    1280: {"viewport": {"width": 1280, "height": 900}},
    390: {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
SCRIPT = "<script>alert(1)</script>{{7*7}}"


def fits(page: Any) -> None:
    """Nothing sticks out, controls are large enough, pictures have loaded and every field has a name."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    small = page.evaluate(
        """[...document.querySelectorAll("main button, main a, main summary, main input")].filter((one) =>
        one.checkVisibility() && one.type !== "radio" && getComputedStyle(one).display !== "inline" &&
        one.getBoundingClientRect().height < 43.5).map((one) => one.outerHTML)"""
    )
    assert small == []
    nameless = page.evaluate(
        """[...document.querySelectorAll('main input:not([type="hidden"])')].filter((one) =>
        !one.labels.length && !one.ariaLabel).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    page.wait_for_function(
        "[...document.querySelectorAll('main img')].every((one) => one.naturalWidth || one.loading == 'lazy')"
    )


def serious(page: Any) -> list[str]:
    """What axe finds."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def link(server: Server, before: int, page: Any) -> str:
    for _ in range(400):
        found = re.findall(r"verify link for account \S+: (\S+)", server.log())
        if len(found) > before:
            return str(found[-1])
        page.wait_for_timeout(50)
    raise AssertionError("no link was logged")


def sign_up(page: Any, server: Server, email: str) -> None:
    """Fill in the form for a new account, which the page shows, and confirm the address."""
    before = len(re.findall("verify link", server.log()))
    page.fill("#sb-email", email)
    page.fill("#sb-name", "Rosa")
    page.fill("#sb-password", "my two cats sing")
    page.click("button:has-text('Create an account')")
    page.goto(link(server, before, page))
    page.click("text=Confirm and sign in")
    page.wait_for_url("**/account")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_from_a_few_photos_to_an_address(
    chromium: Any, server: Server, tmp_path: Path, width: int, scheme: str
) -> None:
    context = chromium.new_context(**WIDTHS[width], color_scheme=scheme)
    context.grant_permissions(["camera"], origin=server.url)
    page = context.new_page()
    context.set_default_timeout(30_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Security Policy" in said.text else None)
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(f"{server.url}quiz")
    page.click(".sb-nav a:has-text('Teach')")
    page.wait_for_url("**/teach")
    fits(page)
    page.click("main >> text=Create an account")
    sign_up(page, server, f"teacher-{width}-{scheme}@example.org")

    page.goto(f"{server.url}teach")
    fits(page)
    assert serious(page) == []
    page.fill("#name", "My pets")
    page.check("input[value=whole]")
    page.check("input[value=pet]")
    page.click("button:has-text('Begin')")
    page.wait_for_url("**/teach/model/*")
    fits(page)
    page.fill("[name=add]", SCRIPT)
    page.click("button:has-text('Add class')")
    page.wait_for_selector(f".sb-class h4:has-text('{SCRIPT}')")
    folder = as_folder(tmp_path / "pets")
    files = sorted((folder / "Pet 1").iterdir())
    page.set_input_files(
        ".sb-class input[type=file] >> nth=0", [*files, tmp_path / "pets" / "Pet 2" / "0.jpg"]
    )
    page.wait_for_selector(".sb-thanks:has-text('9'), .sb-thanks:has-text('photos were added')")
    page.wait_for_selector(".sb-class .sb-thumbs li >> nth=8")
    page.click(".sb-class summary >> nth=0")
    page.fill("[name=rename]", "Pet 1")
    page.click("button:has-text('Rename')")
    page.wait_for_selector(".sb-class h4:text-is('Pet 1')")
    fits(page)
    assert "at least two" in page.inner_text("#train")

    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 nothing")
    page.set_input_files("#zip", broken)
    page.wait_for_selector(".sb-thanks:has-text('cannot be read')")
    good = tmp_path / "pets.zip"
    good.write_bytes(as_zip({"Pet 2": classes()["Pet 2"], "Pet 1": [pattern(1)]}).getvalue())
    page.set_input_files("#zip", good)
    page.wait_for_selector(".sb-class h4:text-is('Pet 2')")
    page.click("[aria-label='Remove 0.jpg'] >> nth=0")
    page.wait_for_load_state()
    fits(page)

    page.fill("[name=add]", "Camera")
    page.click("button:has-text('Add class')")
    page.click("[aria-label='Use the camera for Camera']")
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    for number in "12":
        page.click("[data-do=take]")
        page.wait_for_selector(f"dialog [role=status]:text-is('{number}')")
    assert serious(page) == []
    page.click("[data-do=close]")
    taken = page.locator(".sb-class:has(h4:text-is('Camera'))")
    taken.locator(".sb-thumbs img").first.wait_for()
    taken.locator("summary").click()
    taken.locator(".sb-danger").click()
    taken.locator("img").first.wait_for(state="detached")

    page.click("button:text-is('Train')")
    page.wait_for_selector(".sb-figure", timeout=60_000)
    assert page.locator(".sb-confusion tbody tr").count() == 2
    assert page.locator(".sb-curve polyline").count() == 2
    fits(page)
    page.set_input_files("#photo", folder / "Pet 2" / "1.jpg")
    page.click("#try button:has-text('Name it')")
    page.wait_for_selector("#answer h3:has-text('Pet 2')")
    fits(page)
    assert serious(page) == []
    before = page.locator("#checks form").count()
    if before:
        page.click("#checks button:has-text('Move to Pet 2')")
        page.wait_for_selector("text=have changed since it was trained")
        page.click("button:text-is('Train again')")
        page.wait_for_selector("text=have changed since it was trained", state="detached")
        page.wait_for_selector(".sb-figure", timeout=60_000)
    with page.expect_download() as got:
        page.click("text=Download the bundle")
    unpacked = tmp_path / "bundle"
    zipfile.ZipFile(got.value.path()).extractall(unpacked)
    answer = smartbreed.load(unpacked).identify(folder / "Pet 2" / "1.jpg", whole=True)
    assert answer.pets[0].breeds[0].name == "Pet 2"

    name = f"pets_{width}_{scheme}"
    page.fill("#address", name)
    page.click("#use button:text-is('Publish')")
    page.wait_for_selector("text=Stop publishing it")
    page.click("text=Put it on the Hub")
    page.wait_for_selector("text=Update it there")
    fits(page)
    page.click("text=Update it there")
    page.wait_for_load_state()
    page.click("text=Delete it there")
    page.wait_for_selector("text=Put it on the Hub")

    visitor = chromium.new_context(**WIDTHS[width], color_scheme=scheme)
    other = visitor.new_page()
    other.goto(f"{server.url}m/{name}")
    fits(other)
    other.set_input_files("#photo", folder / "Pet 1" / "1.jpg")
    other.click("text=Name it")
    other.wait_for_selector("#answer h3:has-text('Pet 1')")
    fits(other)
    assert serious(other) == []
    visitor.close()
    request = urllib.request.Request(
        f"{server.url}m/{name}/identify", data=(folder / "Pet 1" / "1.jpg").read_bytes(), method="POST",
        headers={"Content-Type": "image/jpeg"},
    )  # fmt: skip
    with urllib.request.urlopen(request) as said:
        assert json.load(said)["pets"][0]["breeds"][0]["name"] == "Pet 1"

    page.click("text=Stop publishing it")
    page.wait_for_selector("#address")
    page.click(".sb-crumbs a")
    page.wait_for_url("**/teach")
    fits(page)
    page.click(".sb-models a")
    page.click("summary:has-text('Delete this model')")
    page.click(".sb-end button")
    page.wait_for_url("**/teach")
    assert page.locator(".sb-models").count() == 0
    assert not [path for path in (server.home / "teach").iterdir() if path.is_dir()]
    context.close()
    assert faults == []


@pytest.fixture
def page(chromium: Any, server: Server) -> Iterator[Any]:
    """The page of a new model with one class, in a language other than English."""
    context = chromium.new_context(locale="de-DE")
    context.grant_permissions(["camera"], origin=server.url)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(f"{server.url}account/sign-up?lang=en")
    sign_up(page, server, f"{secrets.token_hex(4)}@example.org")
    page.goto(f"{server.url}teach")
    page.fill("#name", "My pets")
    page.click("button:has-text('Begin')")
    page.wait_for_url("**/teach/model/*")
    page.fill("[name=add]", "Rex")
    page.click("button:has-text('Add class')")
    page.wait_for_selector(".sb-class h4:has-text('Rex')")
    page.goto(f"{page.url.partition('#')[0]}?lang=de")
    yield page
    context.close()


def test_a_server_that_cannot_be_reached_is_named(page: Any, tmp_path: Path) -> None:
    files = sorted((as_folder(tmp_path / "pets") / "Pet 1").iterdir())[:2]
    page.route("**/photos", lambda route: route.abort())
    page.set_input_files(".sb-class input[type=file]", files)
    said = page.locator(".sb-class .sb-upload [role=status]").first
    page.wait_for_function("!document.querySelector('.sb-class input[type=file]').disabled")
    assert "nicht zu erreichen" in said.inner_text()
    assert page.locator(".sb-thanks").count() == 0
    page.unroute("**/photos")
    page.set_input_files(".sb-class input[type=file]", files)  # the same files
    page.wait_for_selector(".sb-thanks:has-text('2')")
    page.wait_for_selector(".sb-class .sb-thumbs li >> nth=1")


def test_a_camera_that_is_allowed_too_late_is_switched_off(page: Any) -> None:
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            window.streams = [];
            window.prompts = [];
            navigator.mediaDevices.getUserMedia = async (wanted) => {
                await new Promise((allow) => window.prompts.push(allow));
                window.streams.push(await ask(wanted));
                return window.streams.at(-1);
            };
        }"""
    )
    answered = """async (number) => {
        const before = window.streams.length;
        window.prompts[number]();
        while (window.streams.length === before) await new Promise((done) => setTimeout(done, 10));
        await new Promise((done) => setTimeout(done));
        return window.streams.map((one) => one.getTracks().every((track) => track.readyState === 'live'));
    }"""
    camera, close = page.locator(".sb-class .sb-camera"), page.locator("[data-do=close]")
    camera.click()
    close.click()
    assert page.evaluate(answered, 0) == [False]
    camera.click()  # closed and opened again before it is allowed, twice
    close.click()
    camera.click()
    assert page.evaluate(answered, 1) == [False, True]
    assert page.evaluate(answered, 2) == [False, False, True]
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    close.click()
    page.wait_for_function(
        "window.streams.every((one) => !one.active)"
    )  # the event `close` comes a little later
