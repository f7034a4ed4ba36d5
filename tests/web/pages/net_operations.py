"""What a person does with each control of each page; `net.Walk` says which control lacks one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

from net import Operation, Walk
from net_stage import PASSWORD

UPLOAD = '#photo-input input[type="file"]'
ITEM = "#review-words .sb-item"


def click(selector: str, then: str = "") -> Callable[[Walk], None]:
    """Click the first visible match; ``then`` must be visible afterwards."""

    def act(walk: Walk) -> None:
        walk.page.locator(f"{selector}:visible").first.click()
        if then:
            walk.page.locator(f"{then}:visible").first.wait_for()

    return act


def choose(page: Any, selector: str, text: str) -> None:
    """Choose from a dropdown as a person does: open it, type if that narrows it, press what is found."""
    field = open_list(page, selector)
    if field.get_attribute("readonly") is None:
        page.keyboard.press("Control+a")
        page.keyboard.type(text, delay=15)
    page.locator(f'ul[role="listbox"] li:has-text("{text}")').first.click()


def open_list(page: Any, selector: str) -> Any:
    """Open a dropdown that may have the focus, or be open, already; its field."""
    field = page.locator(f"{selector} input").first
    if field.get_attribute("aria-expanded") != "true":
        page.evaluate("document.activeElement?.blur()")
        field.click()
        page.locator('ul[role="listbox"] li').first.wait_for()
    return field


def every_option(selector: str) -> Callable[[Walk], None]:
    """Choose each option of a radio, and the first one again."""

    def act(walk: Walk) -> None:
        options = walk.page.locator(f"{selector} input[type=radio]")
        for place in [*range(options.count()), 0]:
            options.nth(place).check()
            walk.settle()
            walk.check(f"option {place} of {selector}")

    return act


def twice(selector: str) -> Callable[[Walk], None]:
    """Tick a checkbox and untick it."""

    def act(walk: Walk) -> None:
        box = walk.page.locator(f"{selector} input[type=checkbox]:visible").first
        for _ in range(2):
            before = box.is_checked()
            box.click()
            walk.settle()
            walk.check(f"changing {selector}", refused=True)
            assert box.is_checked() != before

    return act


def number(selector: str, typed: dict[str, str]) -> Callable[[Walk], None]:
    """Type numbers, digit by digit; each becomes one that is allowed."""

    def act(walk: Walk) -> None:
        field = walk.page.locator(f"{selector} input[type=number]")
        for value, becomes in typed.items():
            field.click()
            walk.page.keyboard.press("Control+a")
            walk.page.keyboard.type(value, delay=20)
            walk.page.keyboard.press("Tab")
            walk.settle()
            walk.check(f"typing {value} into {selector}", refused=True)
            assert field.input_value() == becomes

    return act


def slide(selector: str) -> Callable[[Walk], None]:
    def act(walk: Walk) -> None:
        walk.page.locator(f"{selector} input[type=range]").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            walk.page.keyboard.press(key)
            walk.settle()

    return act


def api_panel(walk: Walk) -> None:
    """Gradio's own panel about the API opens and closes; it asks for figures, which are switched off."""
    path = urlsplit(walk.page.url).path
    walk.page.locator("footer .show-api:visible").click()
    walk.page.locator(".api-docs:visible").wait_for()
    walk.settle()
    walk.check("opening the API panel", blocked=True)
    beside = walk.page.locator(".api-docs .backdrop:visible")
    if beside.count():
        beside.click(position={"x": 5, "y": 5})
    else:  # it fills a narrow window
        walk.page.locator(".api-docs button:visible").first.click()
    walk.page.locator(".api-docs").wait_for(state="hidden")
    assert urlsplit(walk.page.url).path == path, "the panel has left the page's address alone"


COMMON = {"page: button show-api": Operation(api_panel)}


# ---------------------------------------------------------------- the identify page


def upload(walk: Walk, *names: str) -> None:
    before = walk.page.inner_text("#status")
    walk.page.set_input_files(UPLOAD, [str(getattr(walk.stage.photos, name)) for name in names])
    walk.page.wait_for_function(
        "before => document.querySelector('#status')?.innerText !== before", arg=before
    )
    walk.settle()


def two_pets(walk: Walk) -> None:
    start_over(walk)
    upload(walk, "two")
    walk.page.wait_for_selector("#pet-2 h3")


def many_pets(walk: Walk) -> None:
    start_over(walk)
    upload(walk, "many")
    walk.page.locator("#pager:visible").wait_for()


def several_photos(walk: Walk) -> None:
    start_over(walk)
    upload(walk, "one", "two")
    walk.page.locator("#strip:visible").wait_for()


def no_pet(walk: Walk) -> None:
    start_over(walk)
    upload(walk, "nothing")
    walk.page.locator("#whole-now:visible").wait_for()


def start_over(walk: Walk) -> None:
    if walk.page.locator("#restart:visible").count():
        walk.page.click("#restart")
        walk.page.locator("#photo-result").wait_for(state="hidden")


def try_examples(walk: Walk) -> None:
    """The first and the last picture of the gallery, each of which shows a pet."""
    pictures = walk.page.locator("#examples-gallery .thumbnail-item:visible")
    assert pictures.count() >= 6, "the configured gallery has photographs"
    for place in (0, pictures.count() - 1):
        pictures.nth(place).click()
        walk.page.locator("#photo .base-image").wait_for()
        walk.settle()
        walk.check(f"example picture {place + 1}")
        walk.page.click("#restart")
        walk.page.locator("#examples-gallery:visible").wait_for()


def choose_file(walk: Walk) -> None:
    start_over(walk)
    with walk.page.expect_file_chooser() as chosen:
        walk.page.locator("#photo-input button[aria-label='Click to upload or drop files']").click()
    chosen.value.set_files(walk.stage.photos.one)
    walk.page.wait_for_selector("#pet-1 h3")


def open_camera(walk: Walk) -> None:
    """The browser's make-believe camera."""
    start_over(walk)
    walk.page.locator("#photo-input [title='grant webcam access'] button").click()
    walk.page.locator("#photo-input video:visible").wait_for()


def photograph(walk: Walk) -> None:
    """Take a picture with it; there is no pet in it."""
    walk.page.locator("#photo-input button[aria-label='capture photo']").click()
    walk.page.locator("#photo .base-image").wait_for()
    walk.settle()
    start_over(walk)


def paste(walk: Walk) -> None:
    """Paste a picture from the clipboard."""
    start_over(walk)
    page = walk.page
    page.evaluate(
        """async () => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
        canvas.getContext('2d').fillRect(40, 40, 200, 120);
        const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
        await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
    }"""
    )
    page.locator("#photo-input button[aria-label='Paste from clipboard']").click()
    page.locator("#photo .base-image").wait_for()
    walk.settle()
    start_over(walk)


def back_to_upload(walk: Walk) -> None:
    walk.page.locator("#photo-input button[aria-label='Upload file']").click()
    walk.page.locator(UPLOAD).wait_for(state="attached")


def whole(walk: Walk) -> None:
    upload(walk, "two") if not walk.page.locator("#pet-1:visible").count() else None
    twice("#settings-whole")(walk)


def combine(walk: Walk) -> None:
    """Several photos of one pet get one answer together."""
    several_photos(walk)
    before = walk.page.inner_text("#status")
    walk.page.check("#settings-combine input")
    walk.page.wait_for_function("old => document.querySelector('#status').innerText !== old", arg=before)
    walk.settle()
    apart = walk.page.locator("#status .sb-warning").count()
    assert apart or walk.page.locator("#strip .thumbnail-item").count() == 3, "both photos, and both together"
    walk.page.uncheck("#settings-combine input")
    walk.settle()
    two_pets(walk)


def full_screen(walk: Walk) -> None:
    walk.page.locator("#photo button[aria-label='Fullscreen']").click()
    walk.page.wait_for_timeout(300)
    walk.page.keyboard.press("Escape")
    out = walk.page.locator("#photo button[aria-label='Exit fullscreen mode']:visible")
    if out.count():
        out.click()
    walk.page.locator("#photo button[aria-label='Fullscreen']").wait_for()


def press_wrong(form: str) -> Callable[[Walk], None]:
    """Open the form of a card or of the photo."""

    def act(walk: Walk) -> None:
        cancel_form(walk, form)
        walk.page.click(f"#{form}-{'missed' if form == 'photo' else 'wrong'}")
        walk.page.locator(f"#{form}-form:visible").wait_for()

    return act


def cancel_form(walk: Walk, form: str) -> None:
    for button in ("undo", "cancel"):
        if walk.page.locator(f"#{form}-{button}:visible").count():
            walk.page.click(f"#{form}-{button}")
            walk.page.locator(f"#{form}-verdicts:visible").wait_for()


def draw(selector: str) -> Callable[[Walk], None]:
    """Draw a box with the mouse, and move it by the keyboard."""

    def act(walk: Walk) -> None:
        surface = walk.page.locator(selector)
        surface.scroll_into_view_if_needed()
        place = surface.bounding_box()
        corners = [
            (place["x"] + share * place["width"], place["y"] + share * place["height"])
            for share in (0.2, 0.7)
        ]
        walk.page.mouse.move(*corners[0])
        walk.page.mouse.down()
        walk.page.mouse.move(*corners[1], steps=5)
        walk.page.mouse.up()
        walk.page.locator(f"{selector} .sb-draw-box:visible").wait_for()
        surface.focus()
        for key in ("ArrowLeft", "ArrowUp"):
            walk.page.keyboard.press(key)

    return act


def say_breed(form: str) -> Callable[[Walk], None]:
    """A breed by its name, by an alias, and one that is not listed, which asks for words."""

    def act(walk: Walk) -> None:
        for text in ("Pug", "Boston bull", "other, unknown, mixed"):
            choose(walk.page, f"#{form}-breed", text)
            walk.settle()
        walk.page.locator(f"#{form}-words:visible").wait_for()

    return act


def save_form(form: str) -> Callable[[Walk], None]:
    def act(walk: Walk) -> None:
        box = walk.page.locator(f"#{form}-consent input:visible")
        if box.count():
            box.check()
        walk.page.click(f"#{form}-save")
        walk.page.locator(f"#{form}-status .sb-thanks").wait_for()
        walk.page.locator(f"#{form}-undo:visible").wait_for()

    return act


def take_back(form: str) -> Callable[[Walk], None]:
    def act(walk: Walk) -> None:
        walk.page.click(f"#{form}-undo")
        walk.page.locator(f"#{form}-verdicts:visible").wait_for()

    return act


def cancel(form: str) -> Callable[[Walk], None]:
    """Close the form, and open it again."""

    def act(walk: Walk) -> None:
        walk.page.click(f"#{form}-cancel")
        walk.page.locator(f"#{form}-verdicts:visible").wait_for()
        press_wrong(form)(walk)

    return act


def verdict(form: str, name: str) -> Callable[[Walk], None]:
    """Say it, be thanked, and take it back."""

    def act(walk: Walk) -> None:
        cancel_form(walk, form)
        walk.page.click(f"#{form}-{name}")
        walk.page.locator(f"#{form}-form:visible, #{form}-undo:visible").first.wait_for()
        if walk.page.locator(f"#{form}-form:visible").count():
            save_form(form)(walk)
        walk.page.locator(f"#{form}-status .sb-thanks").wait_for()
        take_back(form)(walk)

    return act


def compare(walk: Walk) -> None:
    """Move the border between photo and heat map by the keyboard."""
    handle = walk.page.locator("#pet-1-look [role=slider]")
    handle.focus()
    for key in ("ArrowLeft", "ArrowRight", "Home", "End"):
        walk.page.keyboard.press(key)
    assert handle.get_attribute("aria-valuenow") == "100"


def explain(walk: Walk) -> None:
    """What speaks for another breed."""
    page = walk.page
    before = page.locator("#pet-1-look img").nth(1).get_attribute("src")
    breed = next(
        text for text in ("Pug", "Beagle") if text != page.locator("#pet-1-text .sb-name").first.inner_text()
    )
    choose(page, "#pet-1-explain", breed)
    page.wait_for_selector(f'#pet-1 .sb-caption b:text-is("{breed}")')
    page.wait_for_function("old => document.querySelectorAll('#pet-1-look img')[1]?.src !== old", arg=before)


def press_bars(walk: Walk) -> None:
    """Each bar explains its breed; the first one last, which is what the card begins with."""
    page = walk.page
    bars = page.locator("#pet-1-text .sb-guess")
    for place in reversed(range(bars.count())):
        breed = bars.nth(place).locator(".sb-name").inner_text()
        bars.nth(place).click()
        page.wait_for_selector(f'#pet-1 .sb-caption b:text-is("{breed}")')
        page.wait_for_selector(f'#pet-1-text .sb-guess[aria-pressed="true"]:has-text("{breed}")')


def save_picture(walk: Walk) -> None:
    with walk.page.expect_download() as saved:
        walk.page.click("#pet-1-text .sb-save")
    assert saved.value.suggested_filename.endswith(".png")


def another_photo(walk: Walk) -> None:
    """One line where the box was leads to the next photo."""
    with walk.page.expect_file_chooser() as chosen:
        walk.page.click("#ways .sb-choose")
    chosen.value.set_files(walk.stage.photos.two)
    walk.page.wait_for_selector("#pet-2 h3")


def methods(walk: Walk) -> None:
    """Each method can be chosen; what runs on demand then offers itself on the card."""
    two_pets(walk)
    options = walk.page.locator("#settings-method input[type=radio]")
    assert options.count() == 4
    for place in (0, 2, 3, 1):
        options.nth(place).check()
        walk.settle()
        assert walk.page.locator("#pet-1-deeper").is_visible() == (place > 0)


def deeper(walk: Walk) -> None:
    """Grad-CAM++, Score-CAM and SmoothGrad of the pet shown, by the network that answered."""
    page = walk.page
    for place in (1, 2, 3):
        option = page.locator("#settings-method label").nth(place)
        option.locator("input").check()
        walk.settle()
        page.click("#pet-1-deeper")
        walk.settle(200)
        walk.check(f"the explanation {option.inner_text()}")
        assert option.inner_text().strip() in page.inner_text("#pet-1 .sb-caption")
    page.locator("#settings-method input").first.check()


def legend(walk: Walk) -> None:
    walk.page.locator("#photo .legend-item").last.click()


def strip(walk: Walk) -> None:
    """Turn to the second photo and back."""
    for place in (1, 0):
        walk.page.locator("#strip .thumbnail-item").nth(place).click()
        walk.settle()
        walk.check(f"photo {place + 1} of several")


def _form(shown: str, form: str) -> dict[str, Operation]:
    """The controls of one form.

    Args:
        shown: how `controls.js` calls it.
        form: its name on the page.
    """
    first = "missed" if form == "photo" else "wrong"
    again = form == "photo"  # the same code as in a card
    others = [] if form == "photo" else ["correct", "not-a-pet", "unsure"]
    return {
        f"{shown}-{first}: button": Operation(press_wrong(form)),
        f"{shown}-cancel: button": Operation(cancel(form)),
        **(
            {
                "photo-draw: application": Operation(draw("#photo-draw")),
                "photo-species: radio": Operation(every_option("#photo-species")),
            }
            if form == "photo"
            else {}
        ),
        **({} if again else {f"{shown}-guesses: radio": Operation(every_option(f"#{form}-guesses"))}),
        f"{shown}-breed: text": Operation(say_breed(form), slow=again),
        f"{shown}-words: textarea": Operation(
            lambda walk: walk.page.fill(f"#{form}-words textarea", "Mudi"), slow=again
        ),
        f"{shown}-consent: checkbox": Operation(twice(f"#{form}-consent"), slow=again),
        f"{shown}-form: summary sb-consent": Operation(
            click(f"#{form}-form summary", f"#{form}-form details p"), slow=again
        ),
        f"{shown}-save: button": Operation(save_form(form)),
        f"{shown}-status: summary sb-note": Operation(click(f"#{form}-status summary"), slow=again),
        f"{shown}-undo: button": Operation(take_back(form)),
        **{f"{shown}-{name}: button": Operation(verdict(form, name)) for name in others},
    }


def whole_tour(walk: Walk) -> None:
    """Shown to a new visitor, step by step; closed, and closed the next time too."""
    page = walk.page
    for place in range(4):
        assert page.locator(".sb-steps li:visible").count() == 1
        assert page.locator(".sb-steps li").nth(place).is_visible()
        if place < 3:
            page.click(".sb-next")
    assert not page.locator(".sb-next").is_visible()
    page.click(".sb-skip")
    walk.open("")
    page.locator("#status .sb-first-visit").wait_for()
    assert not page.locator(".sb-steps").is_visible()


IDENTIFY = {
    **COMMON,
    "first-visit: button sb-next": Operation(whole_tour),
    "status: button sb-first-visit": Operation(click("#status .sb-first-visit", ".sb-steps")),
    "first-visit: button sb-skip": Operation(click(".sb-skip", ".sb-first-visit")),
    "settings: button label-wrap": Operation(click("#settings button.label-wrap", "#settings-method")),
    "examples-gallery: button Thumbnail N of N": Operation(try_examples),
    "photo-input: button Capture from camera": Operation(
        click("#photo-input button[aria-label='Capture from camera']", "[title='grant webcam access']")
    ),
    "photo-input: button Click to Access Webcam": Operation(open_camera),
    "photo-input: button capture photo": Operation(photograph),
    "photo-input: button Paste from clipboard": Operation(paste),
    "photo-input: button Upload file": Operation(back_to_upload),
    "photo-input: button Click to upload or drop files": Operation(choose_file),
    "photo-input: file": Operation(two_pets),
    "settings-whole: checkbox": Operation(whole),
    "settings-top-k: number": Operation(number("#settings-top-k", {"99": "10", "0": "1", "3": "3"})),
    "settings-top-k: range": Operation(slide("#settings-top-k")),
    "settings-top-k: button Reset to default value": Operation(click("#settings-top-k button")),
    "settings-score: number": Operation(
        number("#settings-score", {"0.3": "0.3", "7": "0.9", "0.5": "0.5"}), refused=True, slow=True
    ),
    "settings-score: range": Operation(slide("#settings-score"), refused=True, slow=True),
    "settings-score: button Reset to default value": Operation(
        click("#settings-score button"), slow=True
    ),
    "settings-method: radio": Operation(methods),
    "pet-N-deeper: button": Operation(deeper, slow=True),
    "photo: button Fullscreen": Operation(full_screen),
    "photo: button legend-item": Operation(legend),
    "pet-N-look: slider": Operation(compare),
    "pet-N-explain: text": Operation(explain),
    "pet-N-text: button sb-guess": Operation(press_bars),
    "pet-N-text: button sb-save": Operation(save_picture),
    "ways: button sb-choose": Operation(another_photo),
    "history: summary sb-history": Operation(click("#history summary", "#history li")),
    "history: button sb-forget": Operation(click("#history .sb-forget")),
    "details: summary sb-footer": Operation(click("#details summary", "#details p")),
    **_form("pet-N", "pet-1"),
    **_form("photo", "photo"),
    "settings-combine: checkbox": Operation(combine),
    "strip: button Thumbnail N of N": Operation(strip),
    "whole-now: button": Operation(click("#whole-now", "#pet-1")),
    "later: button": Operation(click("#later", "#pet-1")),
    "earlier: button": Operation(click("#earlier", "#pet-1")),
    "restart: button": Operation(click("#restart", "#examples")),
}  # fmt: skip
IDENTIFY_SCENES = (two_pets, several_photos, no_pet, many_pets)


def walk_identify(walk: Walk) -> None:
    """Everything on the front page, as any visitor."""
    walk.open("")
    walk.operate(IDENTIFY, IDENTIFY_SCENES)
    if walk.slow:
        walk.follow_links()


# ---------------------------------------------------------------- signing in and out


def sign_in(walk: Walk, password: str) -> None:
    walk.page.fill("#sb-password", password)
    walk.page.locator(".sb-sign-in button").click()


def wrong_password(walk: Walk) -> None:
    sign_in(walk, "not the password")
    walk.page.locator(".sb-sign-in .sb-problem:visible").wait_for()


def right_password(walk: Walk) -> None:
    walk.page.wait_for_timeout(1200)  # a wrong one makes the next try wait
    sign_in(walk, PASSWORD)
    walk.page.locator(".sb-sign-in").wait_for(state="hidden")


VISITOR = {
    **COMMON,
    "sb-password: password": Operation(wrong_password, refused=True, blocked=True),
}


# ---------------------------------------------------------------- the review page


def shown_flag(walk: Walk) -> str:
    return str(walk.page.locator(ITEM).get_attribute("data-flag"))


def until_another(walk: Walk, act: Callable[[], Any]) -> None:
    """Wait until another flag is shown."""
    before = shown_flag(walk)
    act()
    walk.page.wait_for_function(
        f"before => document.querySelector('{ITEM}')?.dataset.flag !== before", arg=before
    )
    walk.settle()


def press(key: str) -> Callable[[Walk], None]:
    """Press a key that shows another flag."""
    return lambda walk: until_another(walk, lambda: walk.page.keyboard.press(key))


def decide(*how: Callable[[Walk], None]) -> Callable[[Walk], None]:
    """Decide about a flag that can be decided about, see the next, and take it back."""

    def act(walk: Walk) -> None:
        close_forms(walk)
        first(walk)
        # A missed pet is accepted only with a box, and words of one's own not at all.
        while (
            walk.page.locator("#review-accept").is_disabled()
            or walk.page.locator("#review-draw:visible").count()
        ):
            press("j")(walk)
        until_another(walk, lambda: [one(walk) for one in how])
        walk.check("deciding")
        until_another(walk, lambda: walk.page.keyboard.press("u"))

    return act


def first(walk: Walk) -> None:
    """Turn to the first flag."""
    while walk.page.locator("#review-previous").is_enabled():
        press("k")(walk)


def with_alike(walk: Walk) -> None:
    """Turn to a flag of which there are others like it."""
    first(walk)
    while not walk.page.locator("#review-together:visible").count():
        assert walk.page.locator("#review-next").is_enabled(), "no two flags are found alike"
        press("j")(walk)


def option(selector: str, *places: int) -> Callable[[Walk], None]:
    """Choose options of a dropdown by their places."""

    def act(walk: Walk) -> None:
        for place in places:
            open_list(walk.page, selector)
            walk.page.locator('ul[role="listbox"] li').nth(place).click()
            walk.settle()
            walk.check(f"option {place} of {selector}")

    return act


def choose_breed(walk: Walk) -> None:
    walk.page.keyboard.type("Whippet", delay=20)  # it has the focus already
    walk.page.keyboard.press("Enter")


def form_opens(button: str, form: str) -> Callable[[Walk], None]:
    def act(walk: Walk) -> None:
        close_forms(walk)
        walk.page.click(f"#{button}")
        walk.page.wait_for_function(
            "form => document.getElementById(form)?.contains(document.activeElement)", arg=form
        )
        walk.settle()

    return act


def close_forms(walk: Walk) -> None:
    for form in ("review-relabel-form", "review-new-form"):
        if walk.page.locator(f"#{form}:visible").count():
            walk.page.keyboard.press("Escape")
            walk.page.keyboard.press("Escape")  # the first one closes the list of breeds
            walk.page.locator(f"#{form}").wait_for(state="hidden")


def form_by_key(key: str, form: str) -> Callable[[Walk], None]:
    """A key opens a form, Escape closes it."""

    def act(walk: Walk) -> None:
        walk.page.keyboard.press(key)
        walk.page.locator(f"#{form}:visible").wait_for()
        walk.page.wait_for_function(
            "form => document.getElementById(form)?.contains(document.activeElement)", arg=form
        )
        close_forms(walk)

    return act


def cancel_relabelling(walk: Walk) -> None:
    walk.page.click("#review-relabel-cancel")
    walk.page.locator("#review-relabel-form").wait_for(state="hidden")
    walk.page.click("#review-relabel")
    walk.page.locator("#review-relabel-form:visible").wait_for()


def cancel_new(walk: Walk) -> None:
    walk.page.click("#review-cancel")
    walk.page.locator("#review-new-form").wait_for(state="hidden")
    walk.page.click("#review-new")
    walk.page.locator("#review-new-form:visible").wait_for()


def fill(selector: str, text: str) -> Callable[[Walk], None]:
    return lambda walk: walk.page.locator(f"{selector} input, {selector} textarea").first.fill(text)


def introduce(walk: Walk) -> None:
    """Save the new breed, and take it back."""
    until_another(walk, lambda: walk.page.click("#review-introduce"))
    walk.check("a new breed")
    until_another(walk, lambda: walk.page.keyboard.press("u"))


def with_missed(walk: Walk) -> None:
    """Turn to a flag that says that a pet was missed."""
    first(walk)
    while not walk.page.locator("#review-draw:visible").count():
        assert walk.page.locator("#review-next").is_enabled(), "no flag says that a pet was missed"
        press("j")(walk)


def nothing_left(walk: Walk) -> None:
    """Decide about the only flag of a filtered list."""
    decided_ones(walk)
    option("#review-state", 0)(walk)
    option("#review-verdict", 5)(walk)
    walk.page.locator(ITEM).wait_for()
    while walk.page.locator("#review-acts:visible").count():
        walk.page.locator("#review-reject:visible").click()
        walk.settle()
    walk.page.locator("#review-empty-undo:visible").wait_for()


def as_list(walk: Walk) -> None:
    """The list of those that name another breed, which can be accepted as they are."""
    first(walk)
    option("#review-verdict", 1)(walk)
    walk.page.locator("#review-view input[type=radio]").nth(1).check()
    walk.page.locator("#review-list .sb-review-list").wait_for()


def decided_ones(walk: Walk) -> None:
    walk.page.locator("#review-view input[type=radio]").nth(0).check()
    walk.settle()
    option("#review-state", 5)(walk)
    walk.page.locator(ITEM).wait_for()


def boxes(walk: Walk) -> Any:
    return walk.page.locator("#review-list input[type=checkbox]")


def in_bulk(button: str, most: int) -> Callable[[Walk], None]:
    """Tick some flags, decide about them, and see that just they are gone and no box is ticked."""

    def act(walk: Walk) -> None:
        before = boxes(walk).count()
        for place in range(before):
            boxes(walk).nth(place).set_checked(place < most)
        if button == "review-bulk-relabel":
            choose(walk.page, "#review-bulk-breed", "Whippet")
        walk.page.click(f"#{button}")
        walk.page.wait_for_function(
            "count => document.querySelectorAll('#review-list input').length === count", arg=before - most
        )
        assert walk.page.locator("#review-list input:checked").count() == 0

    return act


def bulk_undo(walk: Walk) -> None:
    """Take back what was rejected, relabelled and accepted in bulk."""
    for state in (3, 2, 1):
        option("#review-state", state)(walk)
        if boxes(walk).count():
            walk.page.click("#review-all")
            walk.page.click("#review-bulk-undo")
            walk.page.wait_for_function("document.querySelectorAll('#review-list input').length === 0")
            walk.settle()
            walk.check(f"taking back state {state}")
    option("#review-state", 0)(walk)


def choose_all(walk: Walk) -> None:
    ticked = walk.page.locator("#review-list input:checked")
    walk.page.click("#review-all")
    assert ticked.count() == boxes(walk).count()
    walk.page.click("#review-all")
    assert ticked.count() == 0


def gold(how: Callable[[Walk], None]) -> Callable[[Walk], None]:
    """Make a decided flag one whose answer is known, and take that back."""

    def act(walk: Walk) -> None:
        for _ in range(2):
            before = walk.page.inner_text("#review-gold")
            how(walk)
            walk.page.wait_for_function(
                "old => document.querySelector('#review-gold').innerText !== old", arg=before
            )
            walk.settle()

    return act


def leave(walk: Walk) -> None:
    walk.page.locator(".sb-sign-out:visible").click()
    walk.page.locator(".sb-sign-in").wait_for()
    right_password(walk)
    walk.page.locator(ITEM).wait_for()


REVIEW = {
    **COMMON,
    "key j": Operation(press("j")),
    "key k": Operation(press("k")),
    "review-next: button": Operation(
        lambda walk: until_another(walk, lambda: walk.page.click("#review-next"))
    ),
    "review-previous: button": Operation(
        lambda walk: until_another(walk, lambda: walk.page.click("#review-previous"))
    ),
    "review-reason: textarea": Operation(fill("#review-reason", "because of its ears")),
    "review-together: checkbox": Operation(twice("#review-together")),
    "review-draw: application": Operation(draw("#review-draw")),
    "review-species: radio": Operation(every_option("#review-species")),
    "review-accept: button": Operation(decide(lambda walk: walk.page.click("#review-accept"))),
    "review-reject: button": Operation(decide(lambda walk: walk.page.click("#review-reject"))),
    "key a": Operation(decide(lambda walk: walk.page.keyboard.press("a"))),
    "key x": Operation(decide(lambda walk: walk.page.keyboard.press("x"))),
    "key r": Operation(form_by_key("r", "review-relabel-form")),
    "key n": Operation(form_by_key("n", "review-new-form")),
    "review-relabel: button": Operation(form_opens("review-relabel", "review-relabel-form")),
    "review-relabel-cancel: button": Operation(cancel_relabelling),
    "review-breed: text": Operation(
        decide(form_opens("review-relabel", "review-relabel-form"), choose_breed)
    ),
    "review-new: button": Operation(form_opens("review-new", "review-new-form")),
    "review-cancel: button": Operation(cancel_new),
    "review-new-name: textarea": Operation(fill("#review-new-name", "Kai Ken")),
    "review-new-id: textarea": Operation(fill("#review-new-id", "kai_ken")),
    "review-new-species: radio": Operation(every_option("#review-new-species")),
    "review-new-group: text": Operation(option("#review-new-group", 1, 0)),
    "review-introduce: button": Operation(introduce),
    "review-undo: button": Operation(decide(lambda walk: walk.page.click("#review-reject"))),
    "key u": Operation(decide(lambda walk: walk.page.click("#review-reject"))),
    "review-gold: button": Operation(gold(lambda walk: walk.page.click("#review-gold"))),
    "key g": Operation(gold(lambda walk: walk.page.keyboard.press("g"))),
    "review-empty-undo: button": Operation(click("#review-empty-undo", ITEM)),
    "review-all: button": Operation(choose_all),
    "review-list: checkbox": Operation(twice("#review-list")),
    "review-bulk-breed: text": Operation(lambda walk: choose(walk.page, "#review-bulk-breed", "Whippet")),
    "review-bulk-relabel: button": Operation(in_bulk("review-bulk-relabel", 1)),
    "review-bulk-reject: button": Operation(in_bulk("review-bulk-reject", 2)),
    "review-bulk-accept: button": Operation(in_bulk("review-bulk-accept", 1)),
    "review-bulk-undo: button": Operation(bulk_undo),
    "review-state: text": Operation(option("#review-state", 1, 2, 3, 4, 5, 6, 0)),
    "review-verdict: text": Operation(option("#review-verdict", 1, 2, 3, 4, 5, 0)),
    "review-breed-filter: text": Operation(option("#review-breed-filter", 1, 0)),
    "review-flagger: text": Operation(option("#review-flagger", 1, 0)),
    "review-view: radio": Operation(every_option("#review-view")),
    "review: button sb-sign-out": Operation(leave, last=True),
}
REVIEW_SCENES = (with_alike, with_missed, as_list, decided_ones, nothing_left)


# ---------------------------------------------------------------- the retrain page


def stop_it(walk: Walk) -> None:
    """Stop the retraining that runs."""
    walk.page.click("#cancel")
    walk.page.locator("#outcome .sb-outcome:visible").wait_for(timeout=120_000)
    walk.page.locator("#retrain:visible").wait_for()


def retrain(walk: Walk) -> None:
    """Start one; what else there is can then be stopped."""
    walk.page.locator("#retrain:visible:enabled").wait_for()
    walk.page.click("#retrain")
    walk.page.locator("#cancel:visible").wait_for()


def released(walk: Walk) -> None:
    """A retraining that ends with a new version, which then answers; the front page names it."""
    before = walk.page.inner_text("#serving .sb-big")
    retrain(walk)
    walk.page.locator("#outcome .sb-good").wait_for(timeout=400_000)
    walk.page.wait_for_function(
        "old => document.querySelector('#serving .sb-big').innerText !== old", arg=before, timeout=60_000
    )
    walk.page.locator("#retrain:visible").wait_for()
    front = walk.page.context.new_page()
    front.goto(walk.stage.url)
    version = walk.page.inner_text("#serving .sb-big").split()[-1]
    front.locator(f'.sb-footer:has-text("{version}")').wait_for()
    front.close()


def go_back(walk: Walk) -> None:
    """The version before answers again, and the page says so."""
    before = walk.page.inner_text("#serving .sb-big")
    walk.page.click("#back")
    walk.page.wait_for_function(
        "old => document.querySelector('#serving .sb-big').innerText !== old", arg=before, timeout=60_000
    )


def pin(walk: Walk) -> None:
    """Each version in turn, and at last the newest, now and later."""
    open_list(walk.page, "#choice")
    versions = walk.page.locator('ul[role="listbox"] li').count()
    for place in [*range(1, versions), 0]:
        option("#choice", place)(walk)
        walk.page.click("#use")
        walk.settle()
        walk.page.wait_for_timeout(1500)  # it takes over beside the page
        walk.check(f"answering with version {place}")


TRAIN = {
    **COMMON,
    "mode: radio": Operation(every_option("#mode")),
    "choice: text": Operation(option("#choice", 0)),
    "use: button": Operation(pin),
    "retrain: button": Operation(retrain, slow=True),
    "cancel: button": Operation(stop_it, slow=True),
    "back: button": Operation(go_back, slow=True),
    "progress: summary sb-run": Operation(click("#progress summary"), slow=True),
    "plots: summary sb-outcome-plots": Operation(click("#plots summary"), slow=True),
}
TRAIN_SCENES = (released,)


#: The story has more to tell once a version has learnt from a photo.
def ask_with_photo(walk: Walk) -> None:
    walk.page.set_input_files("#ask-question input[type=file]", str(walk.stage.photos.one))
    walk.settle()
    walk.page.fill("#ask-question textarea", "How much exercise does a whippet need?")
    walk.page.click("#ask-question .submit-button")
    walk.page.locator('#ask-chat:has-text("pet found"):has-text("Whippet: exercise")').wait_for()


def ask_what_is_not_there(walk: Walk) -> None:
    walk.page.fill("#ask-question textarea", "What is the capital of France?")
    walk.page.keyboard.press("Enter")
    walk.page.locator('#ask-chat:has-text("I do not know.")').wait_for()


def choose_a_file(walk: Walk) -> None:
    with walk.page.expect_file_chooser():
        walk.page.get_by_label("Upload a file").click()


ASK = {
    **COMMON,
    **{
        f"ask-example-{number}: button": Operation(
            click(f"#ask-example-{number}", f'#ask-chat :text("{said}")')
        )
        for number, said in ((1, "Norwich"), (2, "flat-out sprints"), (3, "sheds"))
    },
    "ask-question: file": Operation(ask_with_photo),
    "ask-question: textarea": Operation(ask_what_is_not_there),
    "ask-question: button Upload a file": Operation(choose_a_file),
    "ask-question: button Submit": Operation(click("#ask-question .submit-button")),  # with nothing to ask
    "ask-chat: button ": Operation(click("#ask-chat .image-container button")),  # gradio's, around a photo
    "ask-clear: button": Operation(click("#ask-clear", ".sb-ask-empty"), last=True),
}

TOUR = {
    **COMMON,
    "story: summary sb-story": Operation(click("#story summary", "#story details ul"), slow=True),
}


# ---------------------------------------------------------------- whole walks


def walk_review(walk: Walk) -> None:
    """Everything on the review page, as a maintainer."""
    walk.open("review")
    right_password(walk)
    walk.page.locator(ITEM).wait_for()
    walk.settle()
    walk.operate(REVIEW, REVIEW_SCENES)
    walk.follow_links()


def walk_train(walk: Walk) -> None:
    """Everything on the retrain page, as a maintainer."""
    walk.open("train")
    right_password(walk)
    walk.page.locator("#retrain, #cancel").first.wait_for()
    walk.settle()
    walk.operate(TRAIN, TRAIN_SCENES if walk.slow else ())
    walk.follow_links()


def cards(walk: Walk, count: int | None = None) -> int:
    """How many breeds the list shows, once it says as many; ``count``: once it shows so many."""
    page = walk.page
    if count is not None:
        page.wait_for_function("n => document.querySelectorAll('.sb-breed-card').length === n", arg=count)
    page.wait_for_function("() => !document.querySelector('#breed-results[aria-busy]')")
    shown = int(page.locator(".sb-breed-card").count())
    assert page.locator(".sb-count b").inner_text() == str(shown)
    return shown


def type_a_breed(walk: Walk) -> None:
    """The list follows what is typed; a misspelling finds something, nonsense says so and can be cleared."""
    page = walk.page
    field = page.locator("#breed-filter input")
    everything = cards(walk)
    field.press_sequentially("westie", delay=20)
    page.locator(".sb-breed-card:has-text('West Highland')").wait_for()
    cards(walk, 1)
    assert page.url.endswith("/breeds?q=westie")
    field.fill("zzzzqqqq")
    page.locator(".sb-nothing").wait_for()
    assert page.url.endswith("?q=zzzzqqqq")
    page.locator(".sb-nothing a").click()
    cards(walk, everything)
    assert (field.input_value(), page.url.endswith("/breeds")) == ("", True)


def choose_what_fits(walk: Walk) -> None:
    """Each filter narrows the list; Back widens it again, and the fields follow."""
    page = walk.page
    fields, steps = page.locator("#breed-filter select"), [cards(walk)]
    for name, value in (
        ("species", "dog"),
        ("coat", "long"),
        ("size", "toy"),
        ("group", "long_haired_toy_dog"),
    ):
        page.select_option(f"#breed-filter select[name={name}]", value)
        page.wait_for_url(f"**{name}={value}**")
        page.wait_for_function("n => document.querySelectorAll('.sb-breed-card').length < n", arg=steps[-1])
        steps.append(cards(walk))
    assert steps[-1] > 0
    for shown in reversed(steps[:-1]):
        page.go_back()
        cards(walk, shown)
    assert [fields.nth(n).input_value() for n in range(fields.count())] == [""] * 4


def submit_the_search(walk: Walk) -> None:
    page = walk.page
    page.locator("#breed-filter input").fill("collie")
    page.locator("#breed-filter button").click()
    page.wait_for_url("**/breeds?q=collie")
    page.locator(".sb-clear").click()
    cards(walk, 133)


def compare_with(selector: str, *ids: str) -> Callable[[Walk], None]:
    """Choose breeds in the selects of a form and press its button; two tables stand beside each other."""

    def act(walk: Walk) -> None:
        here = walk.page.url
        fields = walk.page.locator(f"{selector} select")
        for number, breed_id in enumerate(ids):
            fields.nth(number).select_option(breed_id)
        walk.page.locator(f"{selector} button").click()
        walk.page.wait_for_url(f"**/breeds/compare?a=*&b={ids[-1]}")
        assert walk.page.locator(".sb-both thead th").count() == 2
        walk.check("comparing")
        walk.page.goto(here)

    return act


NOTHING = Operation(lambda walk: None)  # done with the button beside it
BREED_LIST = {
    "breed-filter: search": Operation(type_a_breed),
    "breed-filter: select": Operation(choose_what_fits),
    "breed-filter: button sb-button": Operation(submit_the_search),
}
BREED = {
    "breed-compare: select": NOTHING,
    "breed-compare: button sb-button": Operation(compare_with("#breed-compare", "boxer")),
}
COMPARISON = {
    "breed-chooser: select": NOTHING,
    "breed-chooser: button sb-button": Operation(compare_with("#breed-chooser", "siamese", "ragdoll")),
}


def walk_breeds(walk: Walk) -> None:
    """The list of breeds, a breed and two of them; of their many links those of one breed are followed."""
    walk.open("breeds")
    walk.operate(BREED_LIST)
    walk.open("breeds/border_terrier")
    walk.operate(BREED)
    walk.follow_links()
    walk.open("breeds/compare")
    walk.operate(COMPARISON)
    walk.page.goto(f"{walk.stage.url}breeds/bordr_terier")
    walk.check("an unknown breed", blocked=True)
    walk.page.locator("main a:has-text('Border Terrier')").click()
    walk.page.wait_for_url("**/breeds/border_terrier")
    walk.check("the breed that was meant")


def find_a_measured_breed(walk: Walk) -> None:
    """The table keeps its order when a breed is looked for; all breeds come back."""
    page = walk.page
    rows = page.locator("#breeds tbody tr")
    page.locator("#breeds th a:has-text('Found')").click()
    page.wait_for_url("**sort=recall**")
    page.fill("#breeds input", "terrier")
    page.click("#breeds button")
    page.wait_for_url("**q=terrier**")
    assert page.locator("#breeds [aria-sort=ascending]").inner_text().startswith("Found")
    assert 0 < rows.count() <= 15
    page.click("#breeds .sb-clear")
    page.click("#breeds .sb-more")
    page.wait_for_url("**all=1**")
    assert rows.count() == 133


def click_into_the_matrix(walk: Walk) -> None:
    """A number of the matrix says which breeds it is about, and leads to them."""
    page = walk.page
    page.locator("#mix-ups td a[aria-label*='Scent hounds taken for Scent']").click()
    page.wait_for_url("**said=Scent+hounds**")
    assert page.locator("#mix-ups td a[aria-current]").count() == 1
    walk.check("clicking into the matrix")
    page.locator("#mix-ups .sb-pairs a:text-is('Compare')").first.click()
    page.wait_for_url("**/breeds/compare?**")
    page.go_back()
    page.click("#mix-ups .sb-more")
    page.wait_for_url("**/statistics?*")


STATISTICS = {"breeds: search": NOTHING, "breeds: button sb-button": Operation(find_a_measured_breed)}


def walk_statistics(walk: Walk) -> None:
    """The page of statistics; of its many links those in the tables of breeds are followed on their pages."""
    walk.open("statistics")
    walk.operate(STATISTICS)
    click_into_the_matrix(walk)
    walk.check("going back to all families")


def walk_visitor(walk: Walk) -> None:
    """The tour, the description of the API, and the maintainers' pages seen by a visitor."""
    for path, operations in (("ask", ASK), ("tour", TOUR), ("api/docs", {})):
        walk.open(path)
        walk.operate(operations)
        walk.follow_links()
    for path, holder in (("review", "review-gate"), ("train", "closed")):
        walk.open(path)
        walk.operate(
            {**VISITOR, f"{holder}: button sb-gate": Operation(wrong_password, refused=True, blocked=True)}
        )
        assert not walk.page.locator("#review:visible, #train:visible").count()


def walk_info(walk: Walk) -> None:
    """The pages at the foot of every page, and a message to the people who run the site."""
    for path in ("privacy", "terms"):
        walk.open(path)
        walk.operate({})
    walk.open("about")
    walk.follow_links()
    walk.open("contact?topic=privacy")
    fill_in = {
        f"sb-{name}: {kind}": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "x y"))
        for name, kind in {"text": "textarea", "email": "email"}.items()
    }
    wrong = filled(submit("Send the message", ".sb-problem"), text="Hello", email="a@b")
    send = filled(submit("Send the message", ".sb-sent"), text="Hello", email="a@b.example")
    walk.operate({
        "sb-topic: select": Operation(lambda walk: walk.page.select_option("#sb-topic", "idea")), **fill_in,
        "page: button sb-button": Operation(
            lambda walk: (wrong(walk), send(walk)), refused=True, blocked=True, last=True
        ),
    })  # fmt: skip


def press_all(*steps: tuple[str, str]) -> Callable[[Walk], None]:
    """Press one button after the other, each time until something of the page that comes is shown."""

    def act(walk: Walk) -> None:
        for button, then in steps:
            walk.page.locator(button).first.click()
            walk.page.locator(then).first.wait_for()
            walk.check(f"pressing {button}", refused=True, blocked=True)

    return act


_SWITCHES = ("Switch off", "Switch on", "As the setting says")


def walk_admin(walk: Walk) -> None:
    """The pages for admins: closed to a visitor and to a member, open to an admin."""
    people = {}
    for role in ("admin", "member"):
        people[role] = f"{role}-{walk.width}@example.org"
        options = ("--admin",) if role == "admin" else ()
        link = walk.stage.command("accounts", "create", *options, people[role]).strip()
        walk.open(link[link.index("account/") :])
        filled(submit("Use this password", "#sessions"), password=ACCOUNT_PASSWORD)(walk)
        if role == "member":
            walk.page.goto(urljoin(walk.stage.url, "admin"))
            walk.page.locator(".sb-problem:has-text('for admins only')").wait_for()
            walk.check("a member at the pages for admins", refused=True, blocked=True)
            walk.open("account")
        submit("Sign out", "#photo-input")(walk)
        walk.settle()
    walk.open("admin")
    assert "/account/sign-in" in walk.page.url
    filled(submit("Sign in", ".sb-page-admin"), email=people["admin"], password=ACCOUNT_PASSWORD)(walk)
    walk.operate({})
    walk.open("contact")
    filled(submit("Send the message", ".sb-sent"), text="A <b>question</b>")(walk)
    walk.open("admin/messages")
    walk.operate({"page: button sb-button": Operation(press_all(
        ("text=Mark as read", "text=Mark as new"), ("text=Mark as new", "text=Mark as read"),
        ("text=Mark as answered", "text=Mark as new"), ("button:text-is('Delete')", ".sb-thanks"),
    ), last=True)})  # fmt: skip

    walk.open("admin/switches")
    off, on, usual = (f"[aria-label='{words}: Quiz']" for words in _SWITCHES)
    caps = {
        "client_flags": "Flags a day from one person or network",
        "total_flags": "Flags a day from all together",
        "quota": "Bytes of all photos of flags",
    }
    toggle = {
        f"switch-{name}: button Switch off: {words}": Operation(
            press_all(*[(f"#switch-{name} button >> nth=0", ".sb-thanks")] * 2,
                      (f"#switch-{name} button >> nth=1", ".sb-thanks"))
        )
        for name, words in (("flags", "Collecting flags"), ("sign_up", "New accounts"), ("ask", "Ask"),
                            ("teach", "Teach"), ("contact", "Contact form"))
    }  # fmt: skip

    def quiz_is_gone(walk: Walk) -> None:
        press_all((off, on))(walk)
        for path in ("quiz", "tour"):
            walk.page.goto(urljoin(walk.stage.url, path))
            walk.page.locator("text=How it learns").first.wait_for()
            walk.settle()
            assert not walk.page.locator("nav a[data-page=quiz]:visible").count()
            walk.check("a page while the quiz is off", refused=True, blocked=True)
        walk.open("admin/switches")
        press_all((usual, off))(walk)

    walk.operate({
        **toggle, "switch-quiz: button Switch off: Quiz": Operation(quiz_is_gone),
        **{f"sb-{name}: text": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "900"))
           for name in caps},
        **{f"switch-{name}: button Save: {words}": Operation(
            filled(press_all((f"#switch-{name} button", ".sb-thanks")), **{name: "900000"})
        ) for name, words in caps.items()},
    })  # fmt: skip
    walk.open("admin/audit")
    show = press_all(("button:text-is('Show')", ".sb-page-admin table"))
    walk.operate({
        "sb-action: select": Operation(lambda walk: walk.page.select_option("#sb-action", "switch")),
        "sb-actor: select": Operation(lambda walk: walk.page.select_option("#sb-actor", "member")),
        "page: button sb-button": Operation(show),
    })  # fmt: skip
    walk_members(walk, people)


def walk_members(walk: Walk, people: dict[str, str]) -> None:
    """Search a member, change role and state, and delete them; the last admin stays."""

    def change(walk: Walk) -> None:
        filled(submit("Search", "text=1 found"), q=people["member"])(walk)
        walk.page.select_option(".sb-people select", "maintainer")
        press_all(
            ("text=Change role", ".sb-thanks"), ("text=Close account >> nth=-1", ".sb-thanks"),
            ("text=Open again", ".sb-thanks"),
        )(walk)  # fmt: skip

    walk.open("admin/members")
    walk.operate({
        "sb-q: search": Operation(lambda walk: walk.page.fill("#sb-q", "a")),
        "sb-role: select": Operation(lambda walk: walk.page.select_option("#sb-role", "member")),
        "page: select": Operation(lambda walk: walk.page.select_option(".sb-people select", "admin")),
        "page: button sb-button": Operation(change),
    })  # fmt: skip
    walk.open(f"admin/members?q={people['member']}")
    walk.page.click("text=Delete …")
    delete = press_all(("text=Delete the account", ".sb-problem"))
    walk.operate({
        "page: button sb-button": Operation(delete, refused=True, blocked=True),
        "sb-sure: checkbox": Operation(lambda walk: walk.page.check("#sb-sure"), refused=True),
    })  # fmt: skip
    press_all(("text=Delete the account", ".sb-thanks"))(walk)
    assert people["member"] not in walk.page.inner_text(".sb-people")


def walk_train_again(walk: Walk) -> None:
    """The retrain page once more, without another retraining."""
    walk.open("train")
    right_password(walk)
    walk.page.locator("#retrain").wait_for()
    walk.settle()
    walk.operate(TRAIN, spared=("retrain: button", "cancel: button"))


def submit(button: str, then: str) -> Callable[[Walk], None]:
    """Press a button of a form that is answered with a page, and wait for something of that page."""

    def act(walk: Walk) -> None:
        walk.page.locator(f"button:visible:text-is('{button}')").first.click()
        walk.page.locator(then).first.wait_for()

    return act


def filled(then: Callable[[Walk], None], **fields: str) -> Callable[[Walk], None]:
    """Fill in fields of the pages of accounts, and go on."""

    def act(walk: Walk) -> None:
        for name, text in fields.items():
            walk.page.fill(f"#sb-{name}", text)
        then(walk)

    return act


def sign_out_and_in(button: str, then: str, email: str) -> Callable[[Walk], None]:
    """Sign out of an account in one of two ways, and in again."""

    def act(walk: Walk) -> None:
        submit(button, then)(walk)
        walk.open("account/sign-in")
        filled(submit("Sign in", "#sessions"), email=email, password=ACCOUNT_PASSWORD)(walk)

    return act


def keep_and_stop(walk: Walk) -> None:
    """Have one's photos kept, and no longer."""
    keep, stop = "Keep them from now on", "Stop keeping them"
    submit(keep, f"button:text-is('{stop}')")(walk)
    submit(stop, f"button:text-is('{keep}')")(walk)


ACCOUNT_PASSWORD = "my two cats sing"


def account_form(
    button: str, then: str, *fields: str, refused: bool = True, **values: str
) -> dict[str, Operation]:
    """Every field of a form with one button, and the button with these values."""
    kinds = {"email": "email", "password": "password", "name": "text"}
    found = {
        f"sb-{name}: {kinds[name]}": Operation(lambda walk, name=name: walk.page.fill(f"#sb-{name}", "x y"))
        for name in fields
    }
    act = filled(submit(button, then), **values)
    return {
        **found,
        "page: button sb-gate": Operation(act, refused=refused, blocked=refused, last=not refused),
    }


def walk_account(walk: Walk) -> None:
    """The pages of accounts, from signing up to the receipt."""
    email = f"rosa-{walk.width}@example.org"
    wrong = {"email": email, "password": "not a password of mine"}
    walk.open("account/sign-in")
    walk.operate(account_form("Sign in", ".sb-problem", "email", "password", refused=True, **wrong))
    walk.follow_links()
    walk.open("account/forgot")
    walk.operate(account_form("Send the link", "text=Look for the link", "email", refused=False, email=email))
    walk.open("account/sign-up")
    mine = {"name": "Rosa", "email": email, "password": ACCOUNT_PASSWORD}
    walk.operate(account_form("Make an account", "text=Almost done", *mine, refused=False, **mine))
    links: list[str] = []
    while not links:
        walk.page.wait_for_timeout(50)
        links = re.findall(r"verify link for member \S+: (\S+)", walk.stage.server.log())
    walk.open(links[-1])
    submit("Confirm and sign in", "#sessions")(walk)
    walk.settle()
    walk.check("confirming the address")

    fields = {"old": "not the old password", "new": "a dog under the table"}
    ways = {
        "sb-old: password": Operation(lambda walk: walk.page.fill("#sb-old", "x")),
        "sb-new: password": Operation(lambda walk: walk.page.fill("#sb-new", "x")),
        "password: button Use this password": Operation(
            filled(submit("Use this password", ".sb-problem"), **fields), refused=True, blocked=True
        ),
        "photos: button sb-quiet": Operation(keep_and_stop),
        "sessions: button sb-buttons": Operation(sign_out_and_in("Sign out", "#photo-input", email)),
        "sessions: button sb-quiet": Operation(sign_out_and_in("Sign out everywhere", "#sb-email", email)),
    }
    walk.operate(ways)
    walk.open("account/delete")
    gone = {"password": ACCOUNT_PASSWORD}
    walk.operate(account_form("Delete everything", ".sb-steps", "password", refused=False, **gone))
    walk.follow_links()
