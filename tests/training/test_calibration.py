"""Temperature, calibration error and thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.inference.classifier import softmax
from training.calibration.box_verification import pet_threshold
from training.calibration.temperature import (
    expected_calibration_error,
    fit_logistic,
    fit_temperature,
    negative_log_likelihood,
    precision_threshold,
)
from training.calibration.thresholds import verdict_thresholds


def sharpened(factor: float, count: int = 4000, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are true at temperature ``factor``."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, classes)) * 2
    labels = np.array([rng.choice(classes, p=row) for row in softmax(logits)])
    return logits * factor, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_temperature_undoes_over_and_underconfidence(factor: float) -> None:
    logits, labels = sharpened(factor)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(factor, rel=0.1)
    probabilities = softmax(logits / temperature)
    right = probabilities.argmax(1) == labels
    assert expected_calibration_error(probabilities.max(1), right) < 0.03
    assert negative_log_likelihood(logits, labels, temperature) <= negative_log_likelihood(
        logits, labels, 1.0
    )


def test_calibration_error_by_hand() -> None:
    # Two bins: says .9 and is right half the time; says .2 and is never right.
    confidence = np.array([0.9, 0.9, 0.2, 0.2])
    right = np.array([True, False, False, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(0.5 * 0.4 + 0.5 * 0.2)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.floats(0.1, 1.0),
)
def test_answers_above_the_threshold_are_precise_enough(
    answers: list[tuple[float, bool]], precision: float
) -> None:
    confidence = np.array([c for c, _ in answers])
    right = np.array([r for _, r in answers])
    # Ties at the threshold may be cut anywhere; make every confidence its own.
    confidence = confidence / 2 + np.arange(len(answers)) * 1e-6
    threshold = precision_threshold(confidence, right, precision)
    chosen = confidence >= threshold
    if chosen.any():
        assert right[chosen].mean() >= precision - 1e-9


def test_thresholds_keep_most_empty_pictures_from_being_called_a_breed() -> None:
    rng = np.random.default_rng(1)
    good, labels = softmax(rng.normal(size=(500, 6)) * 6), rng.integers(0, 6, 500)
    good[np.arange(500), labels] += 3
    good /= good.sum(1, keepdims=True)
    empty = softmax(rng.normal(size=(200, 6)) * 2)
    thresholds = verdict_thresholds(good, labels, np.array([0, 0, 1, 1, 2, 2]), empty)
    assert (empty.max(1) > thresholds["breed"]).mean() <= 0.05


def test_pet_threshold_lies_between_the_empty_and_the_pets() -> None:
    threshold = pet_threshold([0.9, 0.8, 0.95] * 50, [0.05, 0.1, 0.3] * 50)
    assert 0.3 < threshold < 0.8
    # Where they overlap, the pets win: a missed pet is worse than a box too many.
    assert pet_threshold([0.4] * 100, [0.6] * 100) <= 0.4


def test_logistic_regression_finds_the_weights_that_made_the_data() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(20000, 2)) * 2
    chance = 1 / (1 + np.exp(-(0.6 * features[:, 0] + 1.1 * features[:, 1] - 0.5)))
    weights, bias = fit_logistic(features, rng.random(20000) < chance)
    assert weights == pytest.approx([0.6, 1.1], abs=0.06)
    assert bias == pytest.approx(-0.5, abs=0.06)


def test_logistic_regression_stays_finite_on_separable_data() -> None:
    weights, bias = fit_logistic(np.array([[-1.0], [1.0]] * 20), np.array([False, True] * 20))
    assert np.isfinite([*weights, bias]).all()
    assert weights[0] > 0


def test_without_empty_pictures_or_families_the_thresholds_stay_sensible() -> None:
    chance = np.tile([0.8, 0.1, 0.1], (12, 1))
    nothing = np.zeros((0, 3))
    always_right = verdict_thresholds(chance, np.zeros(12, int), np.arange(3), nothing)
    assert always_right == {"breed": 0.8, "group": 0.8}
    never_right = verdict_thresholds(chance, np.ones(12, int), np.arange(3), nothing)
    assert never_right == {"breed": 0.95, "group": 0.95}


def test_a_few_pictures_do_not_ask_for_certainty() -> None:
    logits = np.eye(3)[np.arange(12) % 3] * 4.0
    labels = np.arange(12) % 3
    assert fit_temperature(logits, labels) < 0.25
    assert 0.4 < fit_temperature(logits, labels, prior=4.0) < 1.0
