"""Faults of a crop are seen, raise the temperature, and are said when no breed is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from support.bundles import edit_config

from smartbreed.core.errors import BundleError
from smartbreed.imaging.photo import Photo
from smartbreed.inference.picture_quality import COLOUR, LIGHT, NOISE, SHARPNESS, Faults, faults_of
from smartbreed.inference.pipeline import Identifier

#: Any probability is enough for a breed; none is enough.
ALWAYS, NEVER = {"breed": 0.0, "group": 0.0}, {"breed": 1.0, "group": 1.0}


def test_each_fault_is_distinguished_from_the_others(pet_crops: list[np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    for crop in pet_crops:
        picture, before = Image.fromarray(crop), faults_of(crop)
        blurred = faults_of(np.asarray(picture.filter(ImageFilter.GaussianBlur(crop.shape[0] / 50))))
        dark = faults_of((crop * 0.1).astype(np.uint8))
        noisy = faults_of(np.clip(crop + rng.normal(0, 50, crop.shape), 0, 255).astype(np.uint8))
        assert blurred.blurred > before.blurred + 0.5
        assert blurred.noisy <= before.noisy
        assert dark.dark > before.dark + 1.5
        assert noisy.noisy > before.noisy + 0.5


@pytest.mark.parametrize("pixels", [np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)])
def test_flat_pictures_have_finite_faults(pixels: np.ndarray) -> None:
    faults = faults_of(pixels)
    assert np.isfinite(faults).all()
    assert min(faults) >= 0


@pytest.mark.parametrize("size", [8, 33, 260])
def test_faults_are_what_their_masks_say(size: int) -> None:
    rng = np.random.default_rng(size)
    extreme = np.where(rng.random((size, size, 1)) < 0.5, 255, 0).astype(np.uint8).repeat(3, axis=2)
    for pixels in (rng.integers(0, 256, (size, size, 3), np.uint8), extreme, extreme // 40 + 1):
        gray = np.asarray(Image.fromarray(pixels).convert("L"), float)
        contrast = gray.std() + 1
        even = gray[: size // 2 * 2, : size // 2 * 2].reshape(size // 2, 2, size // 2, 2).mean(axis=(1, 3))
        noise = masked(gray, [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) * 0.209 / contrast
        detail = masked(even, [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]) / contrast
        spread = float((pixels[::4, ::4].max(axis=2) - pixels[::4, ::4].min(axis=2)).mean())
        assert faults_of(pixels) == pytest.approx(
            (
                max(0.0, np.log2(LIGHT * 255 / (gray.mean() + 1))),
                max(0.0, np.log2(SHARPNESS / (detail + 1e-4))),
                max(0.0, np.log2(noise / NOISE + 1e-4)),
                max(0.0, 1 - spread / COLOUR),
            ),
            abs=1e-5,
        )


def masked(values: np.ndarray, mask: list[list[int]]) -> float:
    """Mean absolute value of what a mask of 3 x 3 answers."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3))
    return float(np.abs((windows * np.array(mask)).sum(axis=(2, 3))).mean())


def test_a_dark_pet_gets_no_sure_answer_and_the_reason_is_said(
    bundle_copy: Path, photos: list[Photo]
) -> None:
    edit_config(bundle_copy, lambda c: c["classifier"].update(thresholds=NEVER))
    photo = photos[0]
    night = Photo((photo.pixels * 0.02).astype(np.uint8), photo.sha256, photo.name)
    before = Identifier.load(bundle_copy).identify(night, whole=True).pets[0]
    edit_config(bundle_copy, lambda c: c["classifier"].update(faults={"dark": 0.5}))
    identifier = Identifier.load(bundle_copy)
    after = identifier.identify(night, whole=True).pets[0]
    assert (before.reason, after.reason) == ("", "dark")
    assert after.as_dict()["reason"] == "dark"
    assert "reason" not in before.as_dict()
    assert after.breeds[0].probability < before.breeds[0].probability
    again = identifier.combine([identifier.identify(night, whole=True)] * 2)
    assert again.breeds[0].probability == pytest.approx(after.breeds[0].probability)


def test_temperature_rises_to_its_limit(bundle_copy: Path, identifier: Identifier) -> None:
    edit_config(bundle_copy, lambda c: c["classifier"].update(faults={"noisy": 2.0, "most": 3.0}))
    logits = np.linspace(-2, 2, 5)
    hot = Identifier.load(bundle_copy).classifier.probabilities(logits, Faults(noisy=9.0))
    assert hot == pytest.approx(identifier.classifier.probabilities(logits / 3))


def test_another_animal_is_said_as_such(bundle_copy: Path, photos: list[Photo]) -> None:
    size = len(Identifier.load(bundle_copy).identify(photos[0], whole=True).pets[0].embedding)

    def asked(bias: float) -> str:
        other = {"weights": [0.0] * size, "bias": bias, "threshold": 0.5}
        edit_config(bundle_copy, lambda c: c["classifier"].update(thresholds=ALWAYS, other=other))
        pet = Identifier.load(bundle_copy).identify(photos[0], whole=True).pets[0]
        return f"{pet.verdict} {pet.reason}"

    assert [asked(-1.0), asked(1.0)] == ["breed ", "unknown other"]


def test_weights_of_another_size_are_refused(bundle_copy: Path) -> None:
    other = {"weights": [0.0, 1.0], "bias": 0.0, "threshold": 0.5}
    edit_config(bundle_copy, lambda c: c["classifier"].update(other=other))
    with pytest.raises(BundleError, match="has 2 weights against other animals"):
        Identifier.load(bundle_copy)
