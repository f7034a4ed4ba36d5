"""The identify page."""

from __future__ import annotations

from collections.abc import Callable

from net import Operation, Walk

from operations.common import COMMON, UPLOAD, choose, click, draw, every_option, number, slide, twice


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
