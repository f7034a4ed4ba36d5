"""Retraining in a real browser, with the bundle that ships and the real trainer: foxes become a new breed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from support.photos import rows
from support.processes import Server

from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.dataset.needs import LEAST_SAMPLES
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.results import Identification
from smartbreed.review import decisions
from smartbreed.services import Services

pytestmark = pytest.mark.browser

FEW, ENOUGH = 2, 12


@pytest.fixture(scope="module")
def foxes() -> list[bytes]:
    """Photographs of foxes, a breed that the model and the catalogue lack."""
    return [row["image"]["bytes"] for row in islice(rows("others", "train", **{"class": "fox"}), ENOUGH)]


def accept(home: Path, photos: list[bytes], first: int = 0) -> None:
    """Flag photos as a breed the catalogue lacks, each by another person, and accept them."""
    services = Services(load_settings(home=home, hub="embedded"))
    for number, photo in enumerate(photos):
        answer = services.identify(photo, whole=True)
        assert isinstance(answer, Identification)
        services.flag(
            services.read(photo), answer, number=1, verdict="wrong", label_text="Shiba Inu", consent=True,
            flagger=f"visitor {first + number}",
        )  # fmt: skip
    found = [item.id for item in services.review.queue()]
    new_decision = decisions.new_breed("Shiba Inu", "dog", "", services.review.new_breeds(), "")
    services.review.decide(found, new_decision, "0" * 64)
    services.flags.close()


@pytest.fixture
def server(tmp_path: Path, foxes: list[bytes]) -> Iterator[Server]:
    """A server whose maintainer has accepted two photos."""
    accept(tmp_path / "home", foxes[:FEW])
    with Server(tmp_path, SMARTBREED_HUB="embedded", SMARTBREED_MAX_BYTES="30000000") as running:
        yield running
        assert "Traceback" not in running.log()


def serves(page: Any, version: str) -> None:
    page.wait_for_selector(f'#serving .sb-big:text-is("Version {version}")')


def released(page: Any) -> list[str]:
    """When each version came out, as the table says."""
    return [str(text) for text in page.locator('#versions td[data-name="Released"]').all_inner_texts()]


@pytest.mark.timeout(600)
def test_too_few_then_enough_then_back_and_forth(
    server: Server, foxes: list[bytes], chromium: Any, tmp_path: Path
) -> None:
    ships = load_bundle(EMBEDDED_BUNDLE).config.version
    major, minor, _ = ships.split(".")
    learnt = f"{major}.{int(minor) + 1}.0"
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(180_000)
    page = context.new_page()
    page.goto(server.url + "train")

    # Two are too few, and the page says how many are not, and of what.
    page.wait_for_selector("#need:visible")
    assert page.is_disabled("#retrain")
    assert f"needs {LEAST_SAMPLES} newly accepted photos" in page.inner_text("#need")
    assert f"Shiba Inu is not learnt yet: {FEW} of the 5 photos" in page.inner_text("#need")
    page.get_by_label("Full").check()
    page.wait_for_selector('#need:has-text("to evaluate on")')
    assert page.is_disabled("#retrain")
    page.get_by_label("Quick").check()
    page.wait_for_selector('#need:has-text("newly accepted photos")')
    assert page.is_disabled("#back")
    assert page.inner_text("#back") == "No earlier version"
    assert released(page) == ["with the program"]

    # Enough: the page notices, retrains for real, and the app answers with the new version.
    accept(tmp_path / "home", foxes[FEW:], FEW)
    page.wait_for_selector("#retrain:not([disabled])")
    assert not page.is_visible("#need")
    page.get_by_label("Full").check()  # of these few it can judge on still fewer
    page.wait_for_selector('#need:has-text("to evaluate on")')
    assert page.is_disabled("#retrain")
    page.get_by_label("Quick").check()
    page.wait_for_selector("#retrain:not([disabled])")
    page.click("#retrain")
    page.wait_for_selector("#outcome .sb-outcome")
    serves(page, learnt)
    page.wait_for_selector('#outcome:has-text("in use now")')
    assert "Learnt: Shiba Inu" in page.inner_text("#outcome")
    assert "shiba_inu" not in page.inner_text("#train")
    assert page.input_value("#choice input") == "Always the newest"
    # What the gate says of the groups is what its picture is drawn from.
    assert "breed group" in page.inner_text(".sb-checks")
    before = released(page)
    assert before[1] == "with the program"

    # Back: the choice, the button and the message about the release follow.
    assert page.inner_text("#back") == f"Go back to version {ships}"
    page.click("#back")
    serves(page, ships)
    page.wait_for_selector(f'#outcome:has-text("version {ships} was chosen to be used")')
    page.wait_for_selector(f'#chosen:has-text("Version {ships} stays in use until you choose another.")')
    assert page.input_value("#choice input") == f"{ships} (in use)"
    assert page.is_disabled("#back")
    assert released(page) == before, "dates are what they were"

    # What a person picks stays picked while the page looks at the server, and is what is used.
    page.click("#choice input")
    page.get_by_role("option", name=learnt).click()
    time.sleep(6)  # longer than between two looks
    assert page.input_value("#choice input") == learnt
    page.click("#use")
    serves(page, learnt)
    page.wait_for_selector(f'#chosen:has-text("Version {learnt} stays in use until you choose another.")')
    page.wait_for_selector('#outcome:has-text("in use now")')
    page.click("#choice input")
    page.get_by_role("option", name="Always the newest").click()
    page.click("#use")
    page.wait_for_selector('#serving:has-text("the newest release")')
    assert page.inner_text("#chosen").strip() == ""
    context.close()
