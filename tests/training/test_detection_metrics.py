"""Detection metrics on examples small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.detection_metrics import assign, average_precision, false_alarm_rate, recall

A, B, FAR = (0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 0.9, 0.9), (0.0, 0.6, 0.1, 0.7)
NEAR_A = (0.0, 0.0, 0.2, 0.1)  # half of A: IoU 0.5


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def found(*rows: tuple[tuple[float, ...], float]) -> tuple[np.ndarray, np.ndarray]:
    return boxes(*(box for box, _ in rows)), np.array([score for _, score in rows])


def test_each_true_box_is_found_once_by_the_best_score() -> None:
    right = assign(boxes(A), *found((NEAR_A, 0.9), (A, 0.8)), 0.5)
    assert right.tolist() == [True, False]  # the surer one takes it, the other is a duplicate
    assert assign(boxes(A), *found((NEAR_A, 0.9), (A, 0.8)), 0.6).tolist() == [False, True]
    assert assign(boxes(A, B), *found((B, 0.1), (A, 0.2), (FAR, 0.3)), 0.5).tolist() == [True, True, False]
    assert assign(boxes(), *found((A, 0.9)), 0.5).tolist() == [False]
    assert assign(boxes(A), *found(), 0.5).tolist() == []


def test_a_detection_takes_the_true_box_it_fits_best() -> None:
    right = assign(boxes(NEAR_A, A), *found((A, 0.9), (NEAR_A, 0.8)), 0.5)
    assert right.tolist() == [True, True]


@pytest.mark.parametrize(
    ("truths", "detections", "expected"),
    [
        # Everything right.
        ([boxes(A), boxes(B)], [found((A, 0.9)), found((B, 0.8))], 1.0),
        # A false alarm below the right ones costs nothing.
        ([boxes(A)], [found((A, 0.9), (FAR, 0.1))], 1.0),
        # A false alarm above the only right one: precision 1/2 at every recall.
        ([boxes(A)], [found((A, 0.5), (FAR, 0.9))], 0.5),
        # One of two found: precision 1 up to recall 0.5, which is 51 of the 101 points.
        ([boxes(A, B)], [found((A, 0.9))], 51 / 101),
        # Right, wrong, right: 1 up to recall 0.5, then 2/3 on the other 50 points.
        ([boxes(A, B)], [found((A, 0.9), (FAR, 0.8), (B, 0.7))], (51 + 50 * 2 / 3) / 101),
        # The false alarm is on another picture, between the two.
        ([boxes(A), boxes(), boxes(B)], [found((A, 0.9)), found((FAR, 0.8)), found((B, 0.7))],
         (51 + 50 * 2 / 3) / 101),
        ([boxes(A)], [found()], 0.0),
        ([boxes(A)], [found((FAR, 0.9))], 0.0),
    ],
)  # fmt: skip
def test_average_precision(
    truths: list[np.ndarray], detections: list[tuple[np.ndarray, np.ndarray]], expected: float
) -> None:
    assert average_precision(truths, detections, 0.5) == pytest.approx(expected)


def test_the_threshold_counts() -> None:
    assert average_precision([boxes(A)], [found((NEAR_A, 0.9))], 0.5) == 1
    assert average_precision([boxes(A)], [found((NEAR_A, 0.9))], 0.75) == 0


def test_recall_at_a_score() -> None:
    truths = [boxes(A, B), boxes(A)]
    detections = [found((A, 0.9), (B, 0.4)), found((FAR, 0.9))]
    assert recall(truths, detections, 0.5, 0.3) == pytest.approx(2 / 3)
    assert recall(truths, detections, 0.5, 0.5) == pytest.approx(1 / 3)
    assert recall(truths, detections, 0.5, 0.9) == pytest.approx(1 / 3)  # the bound is included


def test_false_alarms_count_pictures_not_boxes() -> None:
    detections = [found((A, 0.9), (B, 0.8)), found((A, 0.2)), found(), found((B, 0.5))]
    assert false_alarm_rate(detections, 0.5) == 0.5
    assert false_alarm_rate(detections, 0.95) == 0


def test_nothing_to_judge_is_no_number() -> None:
    assert math.isnan(average_precision([boxes()], [found((A, 0.9))], 0.5))
    assert math.isnan(recall([boxes()], [found()], 0.5, 0.5))
    assert math.isnan(false_alarm_rate([], 0.5))
