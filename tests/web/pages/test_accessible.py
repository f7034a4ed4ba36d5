"""Every page as visitors, maintainers and admins see it: what axe finds, and what a finger misses.

For those who use a keyboard, a screen reader, their own colors or a telephone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from net_stage import PASSWORD, Stage
from operations.account import ACCOUNT_PASSWORD
from operations.common import UPLOAD
from PIL import Image
from support.browser import CRAMPED, FAINT, SCHEMES, too_small
from support.clock import until
from support.gallery import photographs
from support.pages import FOR_VISITORS, PAGES
from support.processes import Server, smartbreed

from smartbreed.accounts.members import COOKIE
from smartbreed.core.settings import load_settings
from smartbreed.services import Services

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(3000)]

WIDTHS: dict[int, dict[str, Any]] = {
    1280: {"viewport": {"width": 1280, "height": 900}},
    390: {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}
#: One page of each kind; what stands under these paths differs in its text alone.
ONE_OF = ("breeds/", "m/", "quiz/", "teach/model/", "admin/members/")
#: Addresses that no link leads to: what is mistyped, out of date or asked with a query.
UNLINKED = (
    "nowhere", "breeds/no-such-breed", "breeds/shiba_inu", "breeds?q=zzzz", "breeds/compare?a=zzzz&b=pug",
    "statistics?q=westie&sort=recall&all=1", "contact?topic=privacy", "account/verify?token=old",
    "account/reset?token=old", "account/with/none", "teach/model/none", "quiz/play/none",
)  # fmt: skip
#: Pages that another test looks at in the same way, with what it takes to make them.
ELSEWHERE = {"/m/{address}": "test_teach_browser.py"}
#: How far from the front page a visitor goes.
STEPS = 2
IS_DARK = (
    "getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).every((one) => one < 90)"
)
CHANGING = "document.getAnimations().some((one) => one instanceof CSSTransition)"
#: Rules of axe whose answer can change with the colours; the others are asked once.
OF_COLORS = ("color-contrast", "link-in-text-block")
#: Gradio's pages fill themselves, and their connection is never idle.
SETTLES_MS = 1500


class Eyes:
    """One person's look at many pages.

    Attributes:
        faults: what is wrong, a line each.
        seen: paths of the pages that were looked at, without the slash they begin with.
    """

    def __init__(self, page: Any, stage: Stage, width: int) -> None:
        self.page, self.stage, self.width = page, stage, width
        self.faults: list[str] = []
        self.seen: set[str] = set()

    def go(self, path: str) -> bool:
        """Open an address; whether it is a page."""
        answer = self.page.goto(urljoin(self.stage.url, path))
        if self.page.evaluate("'gradio_config' in window"):
            self.page.wait_for_timeout(SETTLES_MS)
        return bool(answer.headers.get("content-type", "").startswith("text/html"))

    def look(self, name: str) -> None:
        """Look at the page as it stands."""
        self.seen.add(urlsplit(self.page.url).path.strip("/"))
        self.faults += [f"{name}, {fault}" for fault in in_both_schemes(self.page)]
        self.faults += [f"{name}, cramped: {fault}" for fault in self.page.evaluate(CRAMPED)]
        if self.width == 390:
            self.faults += [f"{name}, for a finger: {fault}" for fault in too_small(self.page)]

    def everywhere(self, *starts: str) -> None:
        """Look at all pages that links lead to from these in a few steps."""
        waiting = [(path, 0) for path in dict.fromkeys(starts)]
        asked = set(starts)
        while waiting:
            path, steps = waiting.pop(0)
            if not self.go(path):
                continue
            self.look(path or "front page")
            if steps == STEPS:
                continue
            for href in self.page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)"):
                target = self._page_of(href, asked)
                if target is not None:
                    asked.add(target)
                    waiting.append((target, steps + 1))

    def _page_of(self, href: str, asked: set[str]) -> str | None:
        """The path of a page that was not seen; of those that differ in their text alone, the first."""
        address = urldefrag(href).url
        path = urlsplit(address).path.lstrip("/")
        if (
            not address.startswith(self.stage.url)
            or "." in path.rpartition("/")[2]
            or path in asked | self.seen
        ):
            return None
        alike = [start for start in ONE_OF if path.startswith(start)]
        known = any(other.startswith(start) for start in alike for other in asked | self.seen)
        return None if known or path.endswith("/download") else path


def in_both_schemes(page: Any) -> list[str]:
    """What is serious or faint in light and in dark colours, a line each."""
    faults = []
    for scheme, rules in zip(SCHEMES, (None, OF_COLORS), strict=True):
        page.emulate_media(color_scheme=scheme)
        # Colours change over with the next frame that is drawn. Asked from here: a page that runs nothing
        # lets no condition be evaluated in it later.
        until(lambda dark=scheme == "dark": page.evaluate(IS_DARK) is dark and not page.evaluate(CHANGING))
        page.wait_for_timeout(100)
        faults += [f"{scheme}: {fault}" for fault in serious(page, rules)]
        faults += [f"{scheme}: faint: {one}" for one in page.evaluate(FAINT)]
    return faults


def serious(page: Any, rules: Sequence[str] | None = None) -> list[str]:
    """What axe finds serious, by all of its rules or by some, a line each."""
    only = {} if rules is None else {"runOnly": {"type": "rule", "values": [*rules]}}
    found = Axe().run(page, options={"resultTypes": ["violations"], **only}).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    smartbreed(folder, "gallery", "build", photographs(folder / "pictures", 5))
    running = Stage(folder)
    yield running
    running.stop()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_serious_is_found_and_a_finger_finds_everything(
    chromium: Any, stage: Stage, width: int
) -> None:
    seen: set[str] = set()
    faults: list[str] = []
    for visit in (as_visitor, as_maintainer, as_admin):
        # Without motion: colours that are changing over would be measured half way.
        context = chromium.new_context(**WIDTHS[width], reduced_motion="reduce")
        context.set_default_timeout(60_000)
        eyes = Eyes(context.new_page(), stage, width)
        visit(eyes)
        context.close()
        seen |= eyes.seen
        faults += eyes.faults
    assert not faults, "\n".join(faults)
    unseen = [one.path for one in PAGES if not any(re.fullmatch(one.pattern, f"/{path}") for path in seen)]
    assert [path for path in unseen if path not in ELSEWHERE] == [], "pages that were not looked at"


def as_visitor(eyes: Eyes) -> None:
    eyes.everywhere(*FOR_VISITORS, *UNLINKED)
    page, photos = eyes.page, eyes.stage.photos
    eyes.go("")
    page.click("#settings button.label-wrap")
    page.locator("#settings-method").wait_for()
    eyes.look("the settings")
    page.set_input_files(UPLOAD, photos.two)
    page.locator("#pet-2-text .sb-name").first.wait_for()
    page.wait_for_timeout(SETTLES_MS)
    eyes.look("an answer")
    for button, form in (("pet-1-wrong", "pet-1-form"), ("photo-missed", "photo-form")):
        page.click(f"#{button}")
        page.locator(f"#{form}:visible").wait_for()
        page.wait_for_timeout(SETTLES_MS)
    eyes.look("the forms of an answer")
    for files, then in (
        ([photos.one, photos.two], "#strip:visible"),
        ([photos.many], "#pager:visible"),
        ([photos.nothing], "#whole-now:visible"),
        ([eyes.stage.folder / "no.jpg"], "#status .sb-failed"),
    ):
        (eyes.stage.folder / "no.jpg").write_bytes(b"no photo")
        page.set_input_files(UPLOAD, files)
        page.locator(then).first.wait_for()
        page.wait_for_timeout(SETTLES_MS)
        eyes.look(f"an answer with {then}")
    eyes.go("ask")
    page.click("#ask-example-1")
    page.locator("#ask-chat .message, #ask-chat [data-testid=bot]").first.wait_for()
    page.wait_for_timeout(SETTLES_MS)
    eyes.look("a question answered")
    play(eyes)
    eyes.go("contact")
    page.fill("#sb-text", "Hello")
    submit(eyes, "Send the message", "a message sent")
    for path, button, fields in (
        ("account/sign-in", "Sign in", {"email": "no@example.org", "password": "no password"}),
        (
            "account/sign-up",
            "Create an account",
            {"name": "No", "email": "no@example.org", "password": "short pass"},
        ),
        ("account/forgot", "Send the link", {"email": "no@example.org"}),
    ):
        eyes.go(path)
        for name, text in fields.items():
            page.fill(f"#sb-{name}", text)
        submit(eyes, button, f"{path} answered")


def play(eyes: Eyes) -> None:
    """A game of the quiz, from the first round to its end."""
    page = eyes.page
    eyes.go("quiz")
    page.locator("section:has(h3:text-is('Photos')) button:has-text('5 rounds')").click()
    page.locator(".sb-option").first.wait_for()
    eyes.look("a round of the quiz")
    for number in range(5):
        page.wait_for_timeout(800)
        page.locator(".sb-option").last.click()
        page.locator(".sb-result").wait_for()
        if not number:
            eyes.look("an answer in the quiz")
        page.locator("#quiz-next button").click()
        page.locator(".sb-option, .sb-over").first.wait_for()
    eyes.look("the end of a game")


def submit(eyes: Eyes, button: str, name: str) -> None:
    """Press the button of a form, and look at the page that comes."""
    with eyes.page.expect_navigation(wait_until="load"):
        eyes.page.locator(f"button:visible:text-is('{button}')").first.click()
    eyes.look(name)


def as_maintainer(eyes: Eyes) -> None:
    page = eyes.page
    eyes.go("review")
    page.fill("#sb-password", PASSWORD)
    page.locator(".sb-sign-in button").click()
    page.locator("#review-words .sb-item").wait_for()
    page.wait_for_timeout(SETTLES_MS)
    eyes.look("the review of a photo")
    for button, form in (("relabel", "relabel-form"), ("new", "new-form")):
        page.click(f"#review-{button}")
        page.locator(f"#review-{form}:visible").wait_for()
        page.wait_for_timeout(SETTLES_MS)
        eyes.look(f"the review's {form}")
    for path in ("train", "statistics", "tour"):
        eyes.go(path)
        eyes.look(f"{path}, signed in")


def as_admin(eyes: Eyes) -> None:
    page, stage = eyes.page, eyes.stage
    email = f"admin-{eyes.width}@example.org"
    link = stage.command("accounts", "create", "--admin", email).strip()
    eyes.go(link[link.index("account/") :])
    eyes.look("a password to choose")
    page.fill("#sb-password", ACCOUNT_PASSWORD)
    submit(eyes, "Save the password", "an account")
    eyes.go("teach")
    page.fill("#name", "My pets")
    page.check("input[value=whole]")
    page.click("button:has-text('Begin')")
    page.wait_for_url("**/teach/model/*")
    page.fill("[name=add]", "Rex")
    page.click("button:has-text('Add class')")
    page.locator(".sb-class h4").first.wait_for()
    page.set_input_files(".sb-class input[type=file]", [stage.photos.one, stage.photos.two])
    page.locator(".sb-class .sb-thumbs li").first.wait_for()
    for summary in page.locator("main summary:visible").all():
        summary.click()
    eyes.look("a model of one's own")
    eyes.everywhere("admin", "account", "teach", "account/delete")
    eyes.go("admin/members")
    page.click("text=Delete …")
    page.wait_for_load_state()
    eyes.look("an account to delete")


#: Pages that a visitor does not get, and what shows that they have filled themselves.
SIGNED_IN = {
    "account": "#sessions", "account/delete": "form", "teach": "main form", "admin": ".sb-tiles",
    "admin/members": ".sb-people", "admin/messages": ".sb-message", "admin/switches": ".sb-rows",
    "admin/audit": ".sb-stack", "review": "#review-words .sb-item", "train": "#versions table",
    "statistics": "main table",
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_serious_is_found_by_an_admin(
    chromium: Any, tmp_path: Path, photos: list[Image.Image], width: int
) -> None:
    photo = tmp_path / "pet.jpg"
    photos[0].save(photo)
    with Server(tmp_path / "site", SMARTBREED_MAINTAINER_PASSWORD="a long enough password") as site:
        site.wait_until_ready()
        services = Services(load_settings(home=site.home, hub="embedded"))
        member, link = services.roster.create("boss@example.org", "admin")
        cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
        services.messages.send("Hello", "idea", "", member.id)
        services.stop()
        fields = {"pet": "1", "verdict": "wrong", "label": "pug", "consent": "true"}
        flag = httpx.post(
            f"{site.url}api/flag", files={"photo": photo.read_bytes()}, data=fields, timeout=120
        )
        assert flag.status_code in (200, 201), flag.text
        context = chromium.new_context(viewport={"width": width, "height": 844}, reduced_motion="reduce")
        context.add_cookies([{"name": COOKIE, "value": cookie, "url": site.url}])
        page = context.new_page()
        faults: list[str] = []
        for path, shown in SIGNED_IN.items():
            page.goto(urljoin(site.url, path))
            page.locator(shown).first.wait_for(timeout=120_000)
            page.wait_for_timeout(SETTLES_MS)
            faults += [f"{path}, {fault}" for fault in in_both_schemes(page)]
            if (wide := page.evaluate("document.documentElement.scrollWidth")) != width:
                faults.append(f"{path}: {wide} pixels wide")
        context.close()
    assert not faults, "\n".join(faults)
