"""Teachers asked about the very views that the student is shown."""

from __future__ import annotations

import numpy as np
import pytest

from training.augment.crops import CropAugmentation, Mixing, view
from training.distillation.targets import targets_of_views
from training.fitting.batches import CropBatches
from training.models.embeddings import scale

SIZE, CLASSES = 32, 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)


def by_brightness(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A teacher whose answer is a function of the pixels it is given."""
    light = images.reshape(len(images), -1).mean(1) / 255
    return np.stack([light, 1 - light, np.zeros_like(light)], 1).astype(np.float32)


def test_a_view_is_the_same_whenever_it_is_asked_for_and_no_other(images: np.ndarray) -> None:
    augment = CropAugmentation()
    np.testing.assert_array_equal(view(images, 2, 1, augment, 7), view(images, 2, 1, augment, 7))
    for other in ((2, 0, 7), (2, 1, 8)):
        number, which, seed = other
        assert (view(images, number, which, augment, seed) != view(images, 2, 1, augment, 7)).any()


def test_the_student_is_shown_what_the_teacher_was_asked_about(images: np.ndarray) -> None:
    augment, labels = CropAugmentation(colour=0.6), np.array([0, 1, 2, 0, 1])
    targets = targets_of_views(by_brightness, images, labels, 4, augment, 7)
    assert targets.shape == (4, 5, CLASSES)
    batches = CropBatches(images, targets, 5, 7, augment=augment)
    for epoch in range(3):
        batches.start_epoch(epoch)
        shown, asked = batches[0]
        light = (shown + 1).reshape(5, -1).mean(1) / 2
        # float16 keeps three digits; a view of another picture or another light is far off.
        np.testing.assert_allclose(asked[:, 0], light, atol=2e-3)
        assert asked.dtype == np.float32


def test_every_view_is_shown_in_time_and_epochs_repeat(images: np.ndarray) -> None:
    targets = np.zeros((3, 5, CLASSES), np.float16)
    targets[np.arange(3), :, np.arange(3)] = 1  # the target says which view it is
    batches = CropBatches(images, targets, 5, 1, augment=CropAugmentation())
    seen = set()
    for epoch in range(12):
        batches.start_epoch(epoch)
        seen |= set(batches[0][1].argmax(1).tolist())
    assert seen == {0, 1, 2}
    batches.start_epoch(4)
    first = batches[0]
    batches.start_epoch(4)
    for one, two in zip(first, batches[0], strict=True):
        np.testing.assert_array_equal(one, two)


def test_views_are_mixed_like_any_pictures(images: np.ndarray) -> None:
    targets = targets_of_views(by_brightness, images, np.zeros(5, int), 2, None, 0)
    pictures, mixed = CropBatches(images, targets, 5, 0, mixing=Mixing(mixup=1.0))[0]
    np.testing.assert_allclose(mixed.sum(1), 1, atol=2e-3)
    assert not any(np.array_equal(pictures[0], scale(image)) for image in images)


def test_progress_is_reported_to_the_end(images: np.ndarray) -> None:
    progress: list[tuple[int, int]] = []
    targets_of_views(
        by_brightness, images, np.zeros(5, int), 2, None, 0, progress=lambda *at: progress.append(at)
    )
    assert progress[-1] == (10, 10)
