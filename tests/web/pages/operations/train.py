"""The retrain page."""

from __future__ import annotations

from net import Operation, Walk

from operations.common import COMMON, click, every_option, open_list, option
from operations.maintainers import right_password


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
    outcome = walk.page.locator("#outcome .sb-outcome:visible")
    outcome.wait_for(timeout=400_000)
    assert walk.page.locator("#outcome .sb-good").count(), outcome.inner_text()
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


def walk_train(walk: Walk) -> None:
    """Everything on the retrain page, as a maintainer."""
    walk.open("train")
    right_password(walk)
    walk.page.locator("#retrain, #cancel").first.wait_for()
    walk.settle()
    walk.operate(TRAIN, TRAIN_SCENES if walk.slow else ())
    walk.follow_links()


def walk_train_again(walk: Walk) -> None:
    """The retrain page once more, without another retraining."""
    walk.open("train")
    right_password(walk)
    walk.page.locator("#retrain").wait_for()
    walk.settle()
    walk.operate(TRAIN, spared=("retrain: button", "cancel: button"))
