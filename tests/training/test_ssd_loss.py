"""The detector's objective: every pet has an anchor, and going towards the targets pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.inference.boxes import decode, iou, ssd_anchors
from training.fitting.ssd_loss import SSDLoss, match

ANCHORS = ssd_anchors()
CORNERS = decode(np.zeros_like(ANCHORS), ANCHORS)
PETS = np.array([[0.1, 0.1, 0.5, 0.6], [0.6, 0.2, 0.95, 0.9]], np.float32)
SPECIES = np.array([1, 0])

place, side = st.floats(0, 0.96), st.floats(0.01, 0.6)
pets = st.lists(st.tuples(place, place, side, side), min_size=1, max_size=4).map(
    lambda rows: np.array([(x, y, min(1, x + w), min(1, y + h)) for x, y, w, h in rows], np.float32)
)


def targets(boxes: np.ndarray = PETS, species: np.ndarray = SPECIES) -> np.ndarray:
    return match(boxes, species, ANCHORS, CORNERS, 2)


@given(pets)
def test_targets_say_where_the_pets_are(boxes: np.ndarray) -> None:
    species = np.arange(len(boxes)) % 2
    answer = match(boxes, species, ANCHORS, CORNERS, 2)
    positive = answer[:, 4:6].sum(1) > 0
    assert set(answer[:, 4:6].sum(1)) <= {0, 1}
    assert (answer[positive, -1] == 1).all()
    decoded = decode(answer[positive, :4], ANCHORS[positive])
    overlap = iou(decoded, boxes)
    assert (overlap.max(1) > 0.99).all()  # every code decodes to one of the boxes
    assert (overlap.max(0) > 0.99).all()  # and every box has a code
    if len(boxes) == 1:
        assert not answer[:, 5].any()


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 0.02, 0.02), (0.4, 0.0, 0.42, 1.0), (0.0, 0.5, 1.0, 0.53), (0.0, 0.0, 1.0, 1.0)]
)
def test_every_box_has_an_anchor_however_odd(box: tuple[float, ...]) -> None:
    answer = targets(np.array([box], np.float32), np.array([1]))
    assert answer[:, 5].sum() >= 1
    assert answer[:, 4].sum() == 0


def test_two_boxes_with_one_best_anchor_both_keep_one() -> None:
    """Pets so small and close that the same anchor fits them all best, and none of them well."""
    boxes = np.array([[0.49, 0.49, 0.50, 0.50], [0.5, 0.5, 0.51, 0.51], [0.49, 0.5, 0.50, 0.51]], np.float32)
    assert len(set(iou(CORNERS, boxes).argmax(0))) < 3
    answer = targets(boxes, np.array([0, 1, 1]))
    positive = answer[:, 4:6].sum(1) > 0
    decoded = decode(answer[positive, :4], ANCHORS[positive])
    assert (iou(decoded, boxes).max(0) > 0.99).all()


def test_a_near_miss_counts_neither_way() -> None:
    answer = targets()
    overlap = iou(CORNERS, PETS).max(1)
    positive = answer[:, 4:6].sum(1) > 0
    ignored = answer[:, -1] == 0
    assert (ignored == ((overlap >= 0.4) & ~positive)).all()
    assert ignored.any()
    assert positive[overlap >= 0.5].all()


def test_a_picture_without_pets_is_all_negative() -> None:
    answer = targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert not answer[:, :-1].any()
    assert (answer[:, -1] == 1).all()


def prediction(share: float, answer: np.ndarray) -> np.ndarray:
    """From knowing nothing (0) to the targets (1)."""
    logits = np.where(answer[:, 4:-1] > 0, 8.0, -8.0)
    return np.concatenate([answer[:, :4] * share, logits * share], axis=1)[None].astype(np.float32)


def loss(answer: np.ndarray, predicted: np.ndarray) -> float:
    return float(SSDLoss()(answer[None], predicted))


def test_the_loss_falls_on_the_way_to_the_targets() -> None:
    answer = targets()
    values = [loss(answer, prediction(share, answer)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert np.isfinite(values).all()
    assert (np.diff(values) < 0).all()
    assert values[-1] < 0.01 * values[0]


def test_boxes_alone_and_scores_alone_count() -> None:
    answer = targets()
    right = prediction(1.0, answer)
    moved, unsure = right.copy(), right.copy()
    moved[0, answer[:, 4:-1].sum(1) > 0, :4] += 2
    unsure[..., 4:] = 0
    assert loss(answer, moved) > loss(answer, right) + 1
    assert loss(answer, unsure) > loss(answer, right) + 1
    elsewhere = right.copy()
    elsewhere[0, answer[:, 4:-1].sum(1) == 0, :4] += 100  # codes where there is no pet do not matter
    assert loss(answer, elsewhere) == pytest.approx(loss(answer, right))


def test_what_overlaps_a_little_is_not_punished() -> None:
    answer = targets()
    right = prediction(1.0, answer)
    keen = right.copy()
    keen[0, answer[:, -1] == 0, 4:] = 8
    assert loss(answer, keen) == pytest.approx(loss(answer, right), abs=1e-4)


def test_a_false_alarm_is_punished_even_without_a_pet() -> None:
    answer = targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    quiet = prediction(1.0, answer)
    alarm = quiet.copy()
    alarm[0, 1000, 5] = 8
    assert loss(answer, alarm) > loss(answer, quiet) + 5


def test_only_the_hardest_negatives_count() -> None:
    """With no pet, `fewest` of them: one more easy negative changes nothing."""
    answer = targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    predicted = np.full((1, len(ANCHORS), 6), -20, np.float32)
    predicted[0, :40, 4] = 5
    more = predicted.copy()
    more[0, 40:300, 4] = 2
    assert loss(answer, more) == pytest.approx(loss(answer, predicted), rel=1e-4)
