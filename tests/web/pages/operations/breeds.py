"""The pages about breeds."""

from __future__ import annotations

from collections.abc import Callable

from net import Operation, Walk

from operations.common import NOTHING


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
