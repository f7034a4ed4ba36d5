"""What the pages say a retraining needs is what the trainer's plan finds."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.dataset.accepted import read_model
from smartbreed.dataset.needs import (
    HELD_OUT,
    LEAST_PICTURES,
    LEAST_SAMPLES,
    Model,
    Need,
    Pet,
    capped,
    need,
)
from smartbreed.inference.bundle import load_bundle
from smartbreed.web.pages.train import cards
from training.continual.gate import MARGINS
from training.continual.plan import Record, make_plan
from training.data.accepted_samples import Sample

KNOWN = ("beagle", "pug", "learnt")
#: Of these the base dataset has pictures; "learnt" was learnt from accepted ones.
BASE = KNOWN[:2]


def pet(number: int, label: str, who: str = "") -> Pet:
    key = hashlib.sha256(str(number).encode()).hexdigest()[:16]
    return Pet(key, label, flagger=who or f"person {number}")


def model(learnt: dict[str, str] | None = None, trained: frozenset[str] = frozenset()) -> Model:
    return Model(frozenset(KNOWN), frozenset(BASE), learnt or {}, trained)


accepted = st.lists(
    st.tuples(
        st.integers(0, 300), st.sampled_from([*KNOWN, "new", "newer"]), st.sampled_from(["", "ann", "bob"])
    ),
    max_size=90,
    unique_by=lambda one: one[0],
)


@given(accepted, st.sets(st.integers(0, 300)), st.booleans())
def test_it_is_what_the_trainers_plan_finds(
    found: list[tuple[int, str, str]], known: set[int], judged: bool
) -> None:
    pets = [pet(*one) for one in found]
    learnt = {pet(number, "").key: "pug" for number in known}
    trained = {} if judged else learnt
    samples = [Sample(one.key, b"", None, one.label, flagger=one.flagger, species="dog") for one in pets]
    record = Record(trained, {} if trained else learnt)
    labels: list[dict[str, Any]] = [{"id": label} for label in KNOWN]
    for mode, share in HELD_OUT.items():
        plan = make_plan(labels, len(BASE), capped(samples), record, share)
        said = need(mode, pets, model(learnt, frozenset(trained)))
        counts = plan.fresh & plan.held_out if mode == "full" else plan.fresh
        assert said.have == int(counts.sum())
        assert said.ready == (said.have >= MARGINS.least)
        assert len(said.new_breeds) == len(plan.remarks)
        for (_, count), remark in zip(said.new_breeds, plan.remarks, strict=True):
            assert f"{count} accepted pictures of the {LEAST_PICTURES}" in remark


def test_two_photos_are_not_enough_and_the_page_says_what_is() -> None:
    said = need("head", [pet(1, "pug"), pet(2, "beagle")], model())
    assert (said.have, said.wanted, said.more, said.ready) == (2, LEAST_SAMPLES, 3, False)
    text = cards.need(said)
    assert "needs 5 newly accepted photos" in text
    assert "There are 2; 3 more are needed." in text


def test_a_new_breed_with_too_few_pictures_counts_for_nothing_and_is_named() -> None:
    pets = [*(pet(number, "pug") for number in range(5)), pet(9, "shiba_inu")]
    said = need("head", pets, model())
    assert said.ready
    assert said.new_breeds == (("shiba_inu", 1),)
    assert "Shiba Inu is not learnt yet: 1 of the 5 photos" in cards.need(
        Need("head", 5, new_breeds=(("Shiba Inu", 1),))
    )
    assert need("head", pets[1:], model()).have == 4


def test_full_mode_judges_on_a_fifth() -> None:
    pets = [pet(number, "pug") for number in range(12)]
    assert need("head", pets, model()).ready
    said = need("full", pets, model())
    assert not said.ready
    assert said.more == 5 * (said.wanted - said.have)
    assert "About" in cards.need_text(said)
    assert need("full", [pet(number, "pug") for number in range(200)], model()).ready


def test_enough_for_everything_says_nothing() -> None:
    assert cards.need(Need("head", 5)) == ""
    assert cards.need(None) == ""


@pytest.mark.skipif(not (EMBEDDED_BUNDLE / "config.json").is_file(), reason="no model in smartbreed/assets")
def test_the_model_that_ships_is_read() -> None:
    found = read_model(load_bundle(EMBEDDED_BUNDLE))
    assert found.known == found.base
    assert len(found.known) == 133
    assert found.learnt == {}
