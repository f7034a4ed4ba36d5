"""The review page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from net import Operation, Walk

from operations.common import COMMON, ITEM, choose, click, draw, every_option, fill, option, twice
from operations.maintainers import leave, right_password


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


def walk_review(walk: Walk) -> None:
    """Everything on the review page, as a maintainer."""
    walk.open("review")
    right_password(walk)
    walk.page.locator(ITEM).wait_for()
    walk.settle()
    walk.operate(REVIEW, REVIEW_SCENES)
    walk.follow_links()
