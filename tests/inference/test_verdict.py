"""Breed, group or unknown: what is said at which probability."""

from __future__ import annotations

import numpy as np
import pytest

from smartbreed.inference.bundle import ClassifierConfig
from smartbreed.inference.decision_rule import DecisionRule

LABELS = [
    {"id": "birman", "species": "cat", "group": "pointed_cat"},
    {"id": "giant_schnauzer", "species": "dog", "group": "schnauzer"},
    {"id": "standard_schnauzer", "species": "dog", "group": "schnauzer"},
    {"id": "pug", "species": "dog", "group": "flat_faced_dog"},
    {"id": "moon_hound", "species": "dog"},  # of no group, and in no catalogue
]


@pytest.fixture
def rule() -> DecisionRule:
    return DecisionRule(
        ClassifierConfig.model_validate(
            {"input_size": 64, "labels": LABELS, "thresholds": {"breed": 0.5, "group": 0.8}}
        )
    )


@pytest.mark.parametrize(
    ("probabilities", "verdict", "breed", "group"),
    [
        ([0.0, 0.5, 0.2, 0.3, 0.0], "breed", "giant_schnauzer", "schnauzer"),  # exactly at the threshold
        ([0.0, 0.49, 0.2, 0.31, 0.0], "unknown", "giant_schnauzer", "schnauzer"),
        ([0.0, 0.42, 0.4, 0.18, 0.0], "group", "giant_schnauzer", "schnauzer"),
        ([0.0, 0.42, 0.37, 0.21, 0.0], "unknown", "giant_schnauzer", "schnauzer"),
        ([0.45, 0.28, 0.27, 0.0, 0.0], "unknown", "birman", "schnauzer"),  # the likeliest group is another
        ([0.0, 0.0, 0.0, 0.0, 1.0], "breed", "moon_hound", "moon_hound"),
        ([0.2, 0.2, 0.2, 0.2, 0.2], "unknown", "birman", "schnauzer"),
    ],
)
def test_verdicts(
    rule: DecisionRule, probabilities: list[float], verdict: str, breed: str, group: str
) -> None:
    _, said, breeds, family = rule.decide(np.array(probabilities), 3)
    assert (said, breeds[0].id, family.id) == (verdict, breed, group)
    assert len(breeds) == 3
    assert [guess.probability for guess in breeds] == sorted(probabilities, reverse=True)[:3]


def test_species_is_decided_by_all_breeds_together(rule: DecisionRule) -> None:
    species, _, breeds, _ = rule.decide(np.array([0.4, 0.2, 0.2, 0.2, 0.0]), 1)
    assert (species, breeds[0].id) == ("dog", "birman")


def test_names_are_those_people_use(rule: DecisionRule) -> None:
    _, _, breeds, group = rule.decide(np.array([0.0, 0.1, 0.8, 0.1, 0.0]), 1)
    assert (breeds[0].name, group.name) == ("Standard Schnauzer", "Schnauzers")
    _, _, breeds, group = rule.decide(np.array([0.0, 0.0, 0.0, 0.0, 1.0]), 1)
    assert (breeds[0].name, group.name) == ("Moon Hound", "Moon Hound")


@pytest.mark.parametrize(("top_k", "listed"), [(0, 1), (1, 1), (5, 5), (99, 5)])
def test_any_number_of_guesses_can_be_asked_for(rule: DecisionRule, top_k: int, listed: int) -> None:
    assert len(rule.decide(np.full(5, 0.2), top_k)[2]) == listed
