"""How accuracy falls as pictures get worse, and whether the app abstains: ten faults at several strengths."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from smartbreed.inference.pipeline import Identifier
from training.data import Crops
from training.evaluation.answers import answers_of, run, true_labels

#: Side of the crop, in pixels, that strengths in pixels refer to; they scale with the actual crop.
SIDE = 224
#: (picture, strength, rng) → degraded picture of the same size.
Fault = Callable[[Image.Image, float, np.random.Generator], Image.Image]


@dataclass(frozen=True)
class Corruption:
    """A fault and its strengths.

    Attributes:
        name: key of the results.
        unit: what a strength measures; the axis label of the plot.
        strengths: strengths from weak to strong.
        apply: function that applies the fault.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    apply: Fault


def blur(picture: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(sigma * picture.width / SIDE))


def noise(picture: Image.Image, sigma: float, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(picture, np.float32) + rng.normal(0, sigma, (picture.height, picture.width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, quality: float, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(quality))
    with Image.open(buffer) as again:
        return again.convert("RGB")


def darkness(picture: Image.Image, brightness: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(brightness)


def rotation(picture: Image.Image, degrees: float, rng: np.random.Generator) -> Image.Image:
    """Rotate by ``degrees`` in a random direction; reflection fills what comes into view."""
    angle = degrees if rng.random() < 0.5 else -degrees
    side = picture.width
    wide = _reflected(picture).rotate(angle, Image.Resampling.BILINEAR)
    return wide.crop((side // 2, side // 2, side // 2 + side, side // 2 + side))


def small_box(picture: Image.Image, side: float, rng: np.random.Generator) -> Image.Image:
    """Shrink to ``side`` pixels of `SIDE`, at most the original size, and enlarge again: a distant pet."""
    pixels = min(max(1, int(side * picture.width / SIDE)), picture.width)
    small = picture.resize((pixels, pixels), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BILINEAR)


def box_jitter(picture: Image.Image, share: float, rng: np.random.Generator) -> Image.Image:
    """Move every side of the box by up to ``share`` of its width or height; reflection fills the outside."""
    width, height = picture.size
    moves = [float(move) for move in rng.uniform(-share, share, 4) * (width, height, width, height)]
    x, y = width // 2, height // 2
    box = (x + moves[0], y + moves[1], x + width + moves[2], y + height + moves[3])
    return _reflected(picture).resize(picture.size, Image.Resampling.BILINEAR, box=box)


def _reflected(picture: Image.Image) -> Image.Image:
    x, y = picture.width // 2, picture.height // 2
    return Image.fromarray(np.pad(np.asarray(picture), ((y, y), (x, x), (0, 0)), mode="reflect"))


def gray(picture: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return Image.blend(picture, picture.convert("L").convert("RGB"), strength)


def dark_noise(picture: Image.Image, brightness: float, rng: np.random.Generator) -> Image.Image:
    return noise(darkness(picture, brightness, rng), 12.0, rng)


def night_camera(picture: Image.Image, brightness: float, rng: np.random.Generator) -> Image.Image:
    """Make gray, blurred, dark and noisy, then brighten as a camera's gain does."""
    dim = dark_noise(blur(gray(picture, 1.0, rng), 1.0, rng), brightness, rng)
    return ImageEnhance.Brightness(dim).enhance(min(0.6 / brightness, 4.0))


CORRUPTIONS = (
    Corruption("blur", "Gaussian blur, σ in pixels of 224", (1, 2, 3, 4, 6), blur),
    Corruption("noise", "Gaussian noise, σ of 255", (8, 16, 32, 48, 64), noise),
    Corruption("jpeg", "JPEG quality", (50, 30, 20, 10, 5), jpeg),
    Corruption("darkness", "brightness, share of the original", (0.7, 0.5, 0.3, 0.2, 0.1), darkness),
    Corruption("rotation", "rotation, degrees to either side", (10, 20, 30, 45, 90), rotation),
    Corruption("small_box", "side of the pet, pixels of 224", (112, 75, 56, 37, 28), small_box),
    Corruption("gray", "colour taken away, share", (0.5, 1.0), gray),
    Corruption("dark_noise", "brightness, with noise of σ 12", (0.5, 0.3, 0.2, 0.15, 0.1), dark_noise),
    Corruption("night_camera", "brightness before the gain", (0.5, 0.3, 0.2, 0.15, 0.1), night_camera),
    Corruption("box_jitter", "move of each box side, share of it", (0.05, 0.1, 0.15, 0.2, 0.25), box_jitter),
)


def robustness(identifier: Identifier, crops: Crops, count: int, seed: int = 0) -> dict[str, Any]:
    """Measure top-1 on a fixed random sample of the crops, clean and with every fault.

    Args:
        identifier: the model.
        crops: test crops.
        count: largest number of pictures used.
        seed: seed of the sample and of every random fault.

    Returns:
        ``pictures``: number of pictures. ``clean``, ``clean_named``, ``clean_named_wrong``: figures without
        faults. ``curves``: for each fault ``unit`` and ``points``, each a ``strength`` with its ``top1``, the
        share ``named`` of answers that name a breed, and the share ``named_wrong`` of these that are wrong
        (None if none names one).
    """
    truth = true_labels(identifier, crops)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(crops))[:count])
    images, truth = crops.images[chosen], truth[chosen]
    curves: dict[str, Any] = {}
    for number, corruption in enumerate(CORRUPTIONS):
        points = []
        for strength in corruption.strengths:
            rng = np.random.default_rng((seed, number))  # the same draws at every strength
            worse = [np.asarray(corruption.apply(Image.fromarray(image), strength, rng)) for image in images]
            points.append({"strength": strength, **_measured(identifier, np.stack(worse), truth)})
        curves[corruption.name] = {"unit": corruption.unit, "points": points}
    clean = _measured(identifier, images, truth)
    return {
        "pictures": len(chosen),
        "clean": clean.pop("top1"),
        **{f"clean_{key}": value for key, value in clean.items()},
        "curves": curves,
    }


def _measured(identifier: Identifier, images: np.ndarray, truth: np.ndarray) -> dict[str, float | None]:
    answers = answers_of(identifier, run(identifier, images), truth)
    named = (answers.confidence >= identifier.decision_rule.thresholds.breed) & ~answers.other
    return {
        "top1": float(answers.right.mean()),
        "named": float(named.mean()),
        "named_wrong": float(1 - answers.right[named].mean()) if named.any() else None,
    }
