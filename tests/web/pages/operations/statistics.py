"""The page of statistics."""

from __future__ import annotations

from net import Operation, Walk

from operations.common import NOTHING


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
