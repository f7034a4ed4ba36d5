"""A person and their account, in a real browser on a real server: from signing up to the receipt."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.browser import LOOKS, follow
from support.processes import Server

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Any]
UPLOAD = '#photo-input input[type="file"]'
PASSWORD = "my two cats sing"
WIDTHS = {
    1280: {"viewport": {"width": 1280, "height": 900}},
    390: {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
AXE = """() => [...document.querySelectorAll('input:not([type="hidden"])')]
  .filter((one) => !document.querySelector(`label[for="${one.id}"]`)).length"""


def rows(server: Server, table: str) -> list[sqlite3.Row]:
    with sqlite3.connect(server.home / "smartbreed.db") as database:
        database.row_factory = sqlite3.Row
        return list(database.execute(f"SELECT * FROM {table}"))


def counted(server: Server) -> list[int]:
    """How many rows of members there are, others of this server included."""
    return [len(rows(server, table)) for table in ("member_flags", "member_sessions", "members")]


def fits(page: Any) -> None:
    """Nothing is wider than the window, and every field has a name."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    assert page.evaluate(AXE) == 0, page.url


def link(server: Server, kind: str) -> str:
    """The latest link of that kind in the log."""
    found = re.findall(rf"{kind} link for account \S+: (\S+)", server.log())
    assert found, "the server logs the link, since it has no mail server"
    return str(found[-1])


def heard(page: Any, server: Server, kind: str, before: int) -> str:
    for _ in range(200):
        if len(re.findall(rf"{kind} link for account", server.log())) > before:
            return link(server, kind)
        page.wait_for_timeout(50)
    raise AssertionError("no link was logged")


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_from_sign_up_to_deletion(
    open_page: OpenPage, server: Server, photos: list[Image.Image], tmp_path: Path, width: int,
    scheme: str,
) -> None:  # fmt: skip
    email = f"rosa-{width}-{scheme}@example.org"
    others = counted(server)
    page = open_page(**WIDTHS[width], color_scheme=scheme)
    errors: list[str] = []
    # gradio's own scripts say that they were interrupted when a page is left.
    page.on("console", lambda said: errors.append(said.text) if "Security Policy" in said.text else None)
    page.click(".sb-account")
    page.wait_for_url("**/account/sign-in")
    fits(page)
    follow(page, page.locator("text=Create an account"))
    fits(page)
    before = len(re.findall("verify link", server.log()))
    page.fill("#sb-name", "Rosa <b>V.</b>")
    page.fill("#sb-email", email)
    page.fill("#sb-password", PASSWORD)
    page.click("button:has-text('Create an account')")
    page.wait_for_selector("text=Almost done")
    fits(page)
    page.goto(heard(page, server, "verify", before))
    fits(page)
    page.click("text=Confirm and sign in")
    page.wait_for_url("**/account")
    assert page.inner_text(".sb-intro h2") == "Rosa <b>V.</b>"
    assert page.inner_text(".sb-account") == "Rosa <b>V.</b>"
    fits(page)

    page.click("text=Keep them from now on")
    page.wait_for_selector("text=Stop keeping them")
    # A flag of a real photograph, while signed in.
    dog = tmp_path / "dog.jpg"
    photos[list(WIDTHS).index(width) * 2 + (scheme == "dark")].save(dog, quality=92)
    page.goto(server.url)
    page.wait_for_selector(".sb-account:has-text('Rosa')")
    page.set_input_files(UPLOAD, dog)
    page.wait_for_selector("#pet-1 h3")
    page.click("#pet-1-unsure")
    page.check("#pet-1-consent input")
    page.click("#pet-1-save")
    page.wait_for_selector("#pet-1-status .sb-thanks")
    page.click(".sb-account")
    page.wait_for_url("**/account")
    for part in ("#flags", "#photos"):
        page.locator(f"{part} .sb-own img").scroll_into_view_if_needed()
        page.wait_for_function(f"document.querySelector('{part} .sb-own img').naturalWidth > 50")
    assert page.inner_text("#flags .sb-own b") == "I cannot tell either"
    assert "dog.jpg" in page.inner_text("#photos .sb-own")
    assert page.inner_text(".sb-became") == "It waits for review."
    fits(page)
    [owned] = rows(server, "member_flags")
    [flag] = [row for row in rows(server, "flags") if row["id"] == owned["flag_id"]]

    with page.expect_download() as download:
        page.click("text=Download my data")
    archive = zipfile.ZipFile(download.value.path())
    assert json.loads(archive.read("account.json"))["email"] == email
    assert [one["id"] for one in json.loads(archive.read("flags.json"))] == [flag["id"]]
    blob = server.home / "blobs" / flag["sample_id"][:2] / flag["sample_id"][2:4] / flag["sample_id"]
    assert archive.read(f"photos/{flag['sample_id']}.jpg") == blob.read_bytes()
    [kept] = json.loads(archive.read("photos.json"))
    assert (kept["name"], kept["sample_id"]) == ("dog.jpg", flag["sample_id"])
    assert list((server.home / "members").glob("??/??/*"))

    page.click("text=Delete my account")
    page.wait_for_url("**/account/delete")
    fits(page)
    page.fill("#sb-password", "not my password")
    page.click("button:has-text('Delete everything')")
    page.wait_for_selector(".sb-problem:has-text('do not go together')")
    page.fill("#sb-password", PASSWORD)
    page.dblclick("button:has-text('Delete everything')")  # of two answers one is seen
    page.wait_for_url("**/account/receipt/*")
    assert "1 answer about photos" in page.inner_text(".sb-steps")
    fits(page)
    assert not blob.exists()
    assert not list((server.home / "members").glob("??/??/*"))
    assert counted(server) == others
    assert [row for row in rows(server, "flags") if row["id"] == flag["id"]] == []
    page.goto(server.url + "account")
    page.wait_for_url("**/account/sign-in?next=/account")
    assert errors == []
    assert page.foreign == []
    assert email not in server.log()


def test_it_works_without_a_script(open_page: OpenPage, server: Server, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    before = len(re.findall("verify link", server.log()))
    page.goto(server.url + "account/sign-up")
    page.fill("#sb-email", "plain@example.org")
    page.fill("#sb-password", PASSWORD)
    page.click("button:has-text('Create an account')")
    page.wait_for_selector("text=Almost done")
    waiting = open_page()
    page.goto(heard(waiting, server, "verify", before))
    page.click("text=Confirm and sign in")
    page.wait_for_url("**/account")
    page.click("text=Sign out everywhere")
    page.wait_for_url("**/account/sign-in")
    context.close()


def test_a_double_click_sends_a_form_once(open_page: OpenPage, server: Server) -> None:
    page = open_page()
    twice = """form => {
      let sent = 0;
      addEventListener("submit", (event) => {
        if (!event.defaultPrevented) sent += 1;
        event.preventDefault();
      });
      form.requestSubmit();
      form.requestSubmit();
      return sent;
    }"""
    for path, fields in (
        ("contact", {"textarea": "Twice is too often."}),
        ("account/sign-in", {"#sb-email": "rosa@example.org", "#sb-password": PASSWORD}),
    ):
        page.goto(server.url + path)
        for field, text in fields.items():
            page.fill(field, text)
        assert page.eval_on_selector("main form[method=post]", twice) == 1, path
