"""What became of a flag, in a sentence: from the wait to the version that learned from it."""

from __future__ import annotations

import pytest

from smartbreed.accounts.member_data import OwnFlag
from smartbreed.dataset.accepted import sample_key
from smartbreed.feedback.tables import Flag
from smartbreed.i18n import speaking
from smartbreed.review.tables import Decision
from smartbreed.web.pages.account.dashboard import _said_of, became, browser_words
from smartbreed.web.pages.tour.versions import Known

SAMPLE, BOX = "ab" * 32, (1.5, 2.0, 300.25, 301.0)
KEY = sample_key(SAMPLE, BOX)


def own(decision: str = "", state: str = "published", label: str | None = None) -> OwnFlag:
    x0, y0, x1, y1 = BOX
    flag = Flag(id="F", sample_id=SAMPLE, x0=x0, y0=y0, x1=x1, y1=y1, state=state)
    flag.verdict, flag.label, flag.predicted = "wrong", "pug", "beagle"
    made = Decision(flag_id="F", decision=decision, label=label) if decision else None
    return OwnFlag(flag, made)


@pytest.mark.parametrize(
    ("flag", "known", "sentence"),
    [
        (own(), Known(), "It waits for review."),
        (own("undo"), Known(), "It waits for review."),
        (own("accept", state="withdrawn"), Known(), "You took it back."),
        (own("reject"), Known(), "It was reviewed, and no version learns from it."),
        (own("accept"), Known(), "It was accepted; the next version learns from it."),
        (own("accept"), Known(records=(("1.3.0", {KEY: "pug"}, {}),)), "Version 1.3.0 learned from it."),
        (own("accept"), Known(records=(("1.3.0", {}, {KEY: "pug"}),)), "Version 1.3.0 was tested on it."),
        (
            own("accept"),
            Known(records=(("1.3.0", {KEY: "beagle"}, {}),)),
            "It was accepted; the next version learns from it.",
        ),
        (
            own("relabel", label="boxer"),
            Known(records=(("1.3.0", {KEY: "pug"}, {}), ("1.4.0", {KEY: "boxer"}, {}))),
            "Version 1.4.0 learned from it.",
        ),
    ],
)
def test_what_became_of_a_flag(flag: OwnFlag, known: Known, sentence: str) -> None:
    assert became(flag, known) == sentence


def test_an_answer_in_a_line() -> None:
    guess = {"name": "Pug", "probability": 0.971}
    pets = [
        {"verdict": "breed", "species": "dog", "breeds": [guess], "group": {}},
        {"verdict": "unknown", "species": "cat", "breeds": [guess], "group": {}},
        {"verdict": "group", "species": "dog", "breeds": [guess],
         "group": {"name": "Schnauzers", "probability": 0.9}},
    ]  # fmt: skip
    assert _said_of({"pets": pets}) == "Pug, 97 %; a cat; Schnauzers, 90 %"
    with speaking("de"):
        assert _said_of({"pets": pets}) == "Pug, 97 %; eine Katze; Schnauzer, 90 %"
    assert _said_of({"pets": []}) == "No cat or dog found"


def test_a_browser_in_the_language_of_the_page() -> None:
    assert browser_words("Firefox on Windows") == "Firefox on Windows"
    assert browser_words("A browser") == "A browser"
    with speaking("de"):
        assert browser_words("Firefox on Windows") == "Firefox auf Windows"
        assert browser_words("A browser") == "Ein Browser"
        assert browser_words("A browser on Linux") == "Ein Browser auf Linux"
