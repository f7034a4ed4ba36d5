"""Soft targets: who is asked about which crop, and what comes of it."""

from __future__ import annotations

import numpy as np
import pytest

from training.distillation.targets import mean_opinion, soft_targets

#: Four labels; the first teacher knows two of them, the second three, none the last.
LABELS = np.array([0, 1, 2, 3])
DOGS = ([0, 1], np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5], [0.9, 0.1]], np.float32))
MORE = ([0, 1, 2], np.full((4, 3), 1 / 3, np.float32))


def test_those_who_know_the_label_are_asked_and_only_those() -> None:
    opinion, asked = mean_opinion([DOGS, MORE], LABELS, 4)
    assert asked.tolist() == [True, True, True, False]
    np.testing.assert_allclose(opinion[0], [(0.8 + 1 / 3) / 2, (0.2 + 1 / 3) / 2, 1 / 6, 0], atol=1e-6)
    np.testing.assert_allclose(
        opinion[2], [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6
    )  # the first knows no such label
    assert not opinion[3].any()


def test_without_teachers_none_is_asked() -> None:
    opinion, asked = mean_opinion([], LABELS, 4)
    assert not asked.any()
    assert opinion.shape == (4, 4)


@pytest.mark.parametrize(("weight", "smoothing"), [(0.0, 0.0), (0.6, 0.08), (1.0, 1.0)])
def test_targets_are_probabilities(weight: float, smoothing: float) -> None:
    targets = soft_targets(LABELS, *mean_opinion([DOGS, MORE], LABELS, 4), weight=weight, smoothing=smoothing)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (targets >= 0).all()
    # The teacher's share where one was asked, smoothing where none was.
    assert targets[2, 2] == pytest.approx(1 - weight + weight / 3)
    assert targets[3, 3] == pytest.approx(1 - smoothing + smoothing / 4)
