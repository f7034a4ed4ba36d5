"""Figures of merit against examples worked out by hand, scipy, and what must hold for any answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_curve

from training.calibration.temperature import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
)
from training.evaluation.classification import (
    confusion_matrix,
    label_scores,
    mean_roc,
    most_confused,
    one_vs_rest_auc,
    risk_coverage,
    roc_auc,
    top_k,
)
from training.evaluation.intervals import bootstrap_interval, wilson_interval

#: 3 labels; row the truth: 2 of 3 zeros right, 1 of 2 ones right, the only two right.
MATRIX = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 1]])

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)
scored = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40)


def test_confusion_counts_truth_in_rows() -> None:
    truth, said = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(confusion_matrix(truth, said, 3), MATRIX)


def test_precision_recall_f1_by_hand() -> None:
    scores = label_scores(MATRIX)
    assert scores.support.tolist() == [3, 2, 1]
    assert scores.precision == pytest.approx([1, 1 / 2, 1 / 2])
    assert scores.recall == pytest.approx([2 / 3, 1 / 2, 1])
    assert scores.f1 == pytest.approx([4 / 5, 1 / 2, 2 / 3])
    assert scores.average(scores.f1) == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)
    assert scores.average(scores.f1, weighted=True) == pytest.approx((3 * 4 / 5 + 2 / 2 + 2 / 3) / 6)


def test_a_label_without_pictures_is_left_out_of_the_averages() -> None:
    scores = label_scores(np.array([[2, 1], [0, 0]]))
    assert scores.average(scores.recall) == pytest.approx(2 / 3)
    assert scores.precision.tolist() == [1, 0]


@given(pairs)
def test_weighted_recall_is_accuracy_and_f1_lies_between_precision_and_recall(
    answers: list[tuple[int, int]],
) -> None:
    truth, said = (np.array(column) for column in zip(*answers, strict=True))
    scores = label_scores(confusion_matrix(truth, said, 5))
    assert scores.average(scores.recall, weighted=True) == pytest.approx((truth == said).mean())
    low, high = np.minimum(scores.precision, scores.recall), np.maximum(scores.precision, scores.recall)
    assert (scores.f1 >= low - 1e-12).all()
    assert (scores.f1 <= high + 1e-12).all()


def test_top_k_and_its_ties() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    labels = np.array([1, 1, 0])
    assert [top_k(probabilities, labels, k) for k in (1, 2, 3)] == [0, pytest.approx(2 / 3), 1]


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=20))
def test_top_k_only_grows_and_top_1_is_argmax(rows: list[list[float]]) -> None:
    probabilities = np.array(rows)
    labels = np.arange(len(rows)) % 4
    shares = [top_k(probabilities, labels, k) for k in range(1, 5)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert shares[0] == pytest.approx((probabilities.argmax(1) == labels).mean())


def test_most_confused_pairs_say_which_way() -> None:
    matrix = np.array([[9, 1, 0], [3, 9, 0], [2, 0, 9]])
    assert most_confused(matrix, 5) == [(1, 0, 4), (2, 0, 2)]
    assert most_confused(np.eye(3, dtype=int), 5) == []


@given(scored)
def test_auc_is_the_mann_whitney_statistic(answers: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in answers])
    positive = np.array([p for _, p in answers])
    auc = roc_auc(scores, positive)
    if positive.all() or not positive.any():
        assert np.isnan(auc)
        return
    u = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic
    assert auc == pytest.approx(u / (positive.sum() * (~positive).sum()))
    false, true, _ = roc_curve(positive, scores)
    assert np.trapezoid(true, false) == pytest.approx(auc)
    assert roc_auc(-scores, positive) == pytest.approx(1 - auc)


def test_one_vs_rest_and_its_mean_curve() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.7, 0.3, 0.0]])
    aucs = one_vs_rest_auc(probabilities, np.array([0, 1, 1]))
    assert aucs[:2] == pytest.approx([1, 1])
    assert np.isnan(aucs[2])
    false, true = mean_roc(probabilities, np.array([0, 1, 1]))
    assert false[-1] == pytest.approx(1)
    assert true[-1] == pytest.approx(1)
    assert (np.diff(true) >= -1e-12).all()


def test_risk_coverage_by_hand() -> None:
    curve = risk_coverage(np.array([0.2, 0.9, 0.6]), np.array([False, True, False]))
    assert curve.coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert curve.risk == pytest.approx([0, 1 / 2, 2 / 3])
    assert curve.threshold.tolist() == [0.9, 0.6, 0.2]
    assert curve.area == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)


def test_brier_by_hand() -> None:
    probabilities = np.array([[0.7, 0.3], [0.2, 0.8]])
    assert brier_score(probabilities, np.array([0, 0])) == pytest.approx((2 * 0.3**2 + 2 * 0.8**2) / 2)
    assert brier_score(np.eye(3), np.arange(3)) == 0
    assert brier_score(np.eye(3)[[1]], np.array([0])) == 2


def test_adaptive_bins_hold_equally_many() -> None:
    # Two bins: (.9, .8) right and wrong, (.3, .1) both wrong; gaps .35 and .2.
    confidence, right = np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, False, False])
    assert adaptive_calibration_error(confidence, right, 2) == pytest.approx((0.35 + 0.2) / 2)
    assert adaptive_calibration_error(confidence, right, 15) == pytest.approx((0.1 + 0.8 + 0.3 + 0.1) / 4)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_calibration_errors_are_shares_and_bound_the_mean_gap(answers: list[tuple[float, bool]]) -> None:
    confidence, right = np.array([c for c, _ in answers]), np.array([r for _, r in answers])
    gap = abs(confidence.mean() - right.mean())
    for error in (expected_calibration_error, adaptive_calibration_error):
        assert gap - 1e-9 <= error(confidence, right) <= 1 + 1e-9


def test_wilson_against_scipy() -> None:
    for right, count in ((0, 5), (3, 10), (10, 10), (87, 100)):
        wanted = stats.binomtest(right, count).proportion_ci(method="wilson")
        assert wilson_interval(right / count, count) == pytest.approx((wanted.low, wanted.high), abs=1e-4)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


def test_bootstrap_agrees_with_theory_and_with_itself() -> None:
    values = np.random.default_rng(3).random(400) < 0.8
    interval = bootstrap_interval(lambda some: float(values[some].mean()), len(values))
    assert interval == bootstrap_interval(lambda some: float(values[some].mean()), len(values))
    assert interval == pytest.approx(wilson_interval(float(values.mean()), len(values)), abs=0.02)
