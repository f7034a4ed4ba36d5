"""Geometry: rules that hold for any boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.inference.boxes import (
    area,
    decode,
    encode,
    iou,
    non_maximum_suppression,
    ssd_anchors,
    with_margin,
)

unit = st.floats(0, 1, width=32)
#: Boxes inside the picture with sides of at least a thousandth.
boxes = st.tuples(unit, unit, unit, unit).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1e-3, max(v[1], v[3]) + 1e-3)
)


def array(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def test_anchors_are_those_of_the_coco_detector() -> None:
    anchors = ssd_anchors()
    assert anchors.shape == (1917, 4)
    assert not anchors.flags.writeable
    assert anchors[:3, :2] == pytest.approx(0.5 / 19)  # the three of the first cell
    assert sorted(anchors[:3, 2] * anchors[:3, 3]) == pytest.approx([0.01, 0.04, 0.04])
    assert anchors[-1] == pytest.approx([0.5, 0.5, np.sqrt(0.95), np.sqrt(0.95)])


@given(st.lists(boxes, min_size=1, max_size=8), st.integers(0, 1916))
def test_decode_undoes_encode(rows: list[tuple[float, ...]], anchor: int) -> None:
    anchors = np.repeat(ssd_anchors()[[anchor]], len(rows), 0).astype(np.float64)
    np.testing.assert_allclose(decode(encode(array(rows), anchors), anchors), array(rows), atol=1e-6)


def test_no_code_means_the_anchor_itself() -> None:
    anchors = np.array([[0.4, 0.6, 0.2, 0.1]])
    np.testing.assert_allclose(decode(np.zeros((1, 4)), anchors), [[0.55, 0.3, 0.65, 0.5]])


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=4, max_size=4))
def test_a_wild_network_does_not_overflow(code: list[float]) -> None:
    assert np.isfinite(decode(np.array([code]), ssd_anchors()[:1].astype(np.float64))).all()


@given(st.lists(boxes, min_size=1, max_size=6), st.lists(boxes, min_size=1, max_size=6))
def test_overlap_is_symmetric_and_bounded(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> None:
    first, second = array(a), array(b)
    overlap = iou(first, second)
    assert overlap.shape == (len(a), len(b))
    assert (overlap >= 0).all()
    assert (overlap <= 1 + 1e-9).all()
    np.testing.assert_allclose(overlap, iou(second, first).T)
    np.testing.assert_allclose(np.diag(iou(first, first)), 1)


def test_overlap_by_hand() -> None:
    first = array([(0, 0, 2, 2)])
    second = array([(1, 1, 3, 3), (0, 0, 2, 1), (2, 0, 4, 2), (1, 1, 1, 1), (2, 2, 0, 0)])
    np.testing.assert_allclose(iou(first, second), [[1 / 7, 1 / 2, 0, 0, 0]])
    np.testing.assert_allclose(area(second), [4, 2, 4, 0, 0])
    assert iou(second[3:], second[3:])[0, 0] == 0  # nothing over nothing


@given(
    st.lists(st.tuples(boxes, unit), max_size=25),
    st.floats(0, 1, width=32),
    st.integers(1, 30),
)
def test_suppression(found: list[tuple[tuple[float, ...], float]], threshold: float, limit: int) -> None:
    rows, scores = array([box for box, _ in found]), np.array([score for _, score in found])
    kept = non_maximum_suppression(rows, scores, threshold, limit)
    assert len(set(kept)) == len(kept) <= limit
    assert (np.diff(scores[kept]) <= 0).all()  # best first
    overlap = iou(rows, rows)
    for place, index in enumerate(kept):
        assert (overlap[index, kept[:place]] <= threshold).all()
    if len(kept) < limit:
        for index in set(range(len(rows))) - set(kept):
            better = [k for k in kept if scores[k] >= scores[index] and overlap[k, index] > threshold]
            assert better, "dropped without a better box over it"


sides = st.integers(1, 4000)


@given(boxes, st.floats(0, 1), sides, sides)
def test_a_margin_stays_inside_and_never_shrinks(
    box: tuple[float, ...], margin: float, width: int, height: int
) -> None:
    pixels = np.minimum(box, 1.0) * np.array([width, height, width, height])
    x0, y0, x1, y1 = with_margin(pixels, margin, width, height)
    assert 0 <= x0 <= pixels[0]
    assert 0 <= y0 <= pixels[1]
    assert pixels[2] <= x1 <= width
    assert pixels[3] <= y1 <= height


def test_a_margin_by_hand() -> None:
    assert with_margin(np.array([10, 20, 30, 60]), 0.1, 100, 62) == (8, 16, 32, 62)
