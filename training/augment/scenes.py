"""Compose scenes to train a detector: cut-outs, zoom-outs, mosaics, and pets pasted on pet-less photographs.

Nearly every photograph of the dataset shows a single pet, so pictures of several, small or overlapping pets
have to be composed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageEnhance

from smartbreed.inference.boxes import area

#: A box is labelled in a cut-out if at least this share of its area is visible there, 0…1.
MIN_VISIBLE = 0.35


@dataclass(frozen=True)
class Sample:
    """A training picture, uint8 ``(height, width, 3)``, with boxes ``(n, 4)`` in 0…1 and a species each."""

    pixels: np.ndarray
    boxes: np.ndarray
    species: np.ndarray


def cut(
    image: np.ndarray,
    boxes: np.ndarray,
    species: np.ndarray,
    window: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Sample | None:
    """Resample a window of a photograph to ``size`` (width, height).

    Args:
        image: uint8 ``(height, width, 3)``.
        boxes: x0, y0, x1, y1 in pixels, ``(n, 4)``.
        species: species of each box, ``(n,)``.
        window: x0, y0, x1, y1 in pixels; what lies outside the photograph becomes grey.
        size: width and height of the result in pixels.

    Returns:
        The sample; None if between 5% and `MIN_VISIBLE` of a pet is visible, which makes neither a fair
        positive nor a fair negative.
    """
    x0, y0, x1, y1 = window
    moved = boxes.copy()
    moved[:, [0, 2]] = np.clip((boxes[:, [0, 2]] - x0) / (x1 - x0), 0, 1)
    moved[:, [1, 3]] = np.clip((boxes[:, [1, 3]] - y0) / (y1 - y0), 0, 1)
    share = area(moved) * ((x1 - x0) * (y1 - y0)) / np.maximum(area(boxes), 1e-6)
    if ((share > 0.05) & (share < MIN_VISIBLE)).any():
        return None
    seen = share >= MIN_VISIBLE
    matrix = ((x1 - x0) / size[0], 0, x0, 0, (y1 - y0) / size[1], y0)
    picture = Image.fromarray(image).transform(
        size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=(124, 117, 104)
    )
    return Sample(np.asarray(picture), moved[seen], species[seen])


def _drawn(count: int, weights: np.ndarray | None, rng: np.random.Generator) -> int:
    return int(rng.integers(count) if weights is None else rng.choice(count, p=weights / weights.sum()))


@dataclass
class SceneComposer:
    """Draws random training samples with a side of ``size`` pixels.

    Args:
        pets: (image, boxes, species) of photographs with pets.
        empties: images without any pet.
        crops: pictures filled by one pet, with their species, for pasting and for close-ups.
        empty_weights: relative frequency of each of ``empties``; None: all equal.
        pet_weights: relative frequency of each of ``pets``; None: all equal.
        size: side of a sample in pixels.
        mosaic, paste, empty, close: probabilities of mosaics, pasted pets, pet-less samples and samples that
            one of ``crops`` fills; the rest are single photographs.
    """

    pets: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    empties: list[np.ndarray]
    crops: list[tuple[np.ndarray, int]] = field(default_factory=list)
    empty_weights: np.ndarray | None = None
    pet_weights: np.ndarray | None = None
    size: int = 300
    mosaic: float = 0.3
    paste: float = 0.12
    empty: float = 0.18
    close: float = 0.12

    def _window(
        self, width: int, height: int, zoom: tuple[float, float], rng: np.random.Generator
    ) -> tuple[float, float, float, float]:
        side = rng.uniform(*zoom)
        stretch = np.exp(rng.uniform(-0.25, 0.25) / 2)
        w, h = width * side * stretch, height * side / stretch
        x0 = rng.uniform(min(0.0, width - w), max(0.0, width - w))
        y0 = rng.uniform(min(0.0, height - h), max(0.0, height - h))
        return x0, y0, x0 + w, y0 + h

    def _photo(self, size: tuple[int, int], zoom: tuple[float, float], rng: np.random.Generator) -> Sample:
        image, boxes, species = self.pets[_drawn(len(self.pets), self.pet_weights, rng)]
        height, width = image.shape[:2]
        for _ in range(6):
            sample = cut(image, boxes, species, self._window(width, height, zoom, rng), size)
            if sample is not None and len(sample.boxes):
                return sample
        whole = cut(image, boxes, species, (0, 0, width, height), size)
        assert whole is not None
        return whole

    def _empty(self, size: tuple[int, int], rng: np.random.Generator) -> Sample:
        image = self.empties[_drawn(len(self.empties), self.empty_weights, rng)]
        height, width = image.shape[:2]
        window = self._window(width, height, (0.4, 1.0), rng)
        sample = cut(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), window, size)
        assert sample is not None
        return sample

    def _mosaic(self, rng: np.random.Generator) -> Sample:
        size = self.size
        split_x, split_y = (int(size * v) for v in rng.uniform(0.3, 0.7, 2))
        layouts = [
            [
                (0, 0, split_x, split_y),
                (split_x, 0, size, split_y),
                (0, split_y, split_x, size),
                (split_x, split_y, size, size),
            ],
            [(0, 0, split_x, size), (split_x, 0, size, size)],
            [(0, 0, size, split_y), (0, split_y, size, size)],
        ]
        pixels = np.empty((size, size, 3), np.uint8)
        boxes, species = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.int64)]
        for x0, y0, x1, y1 in layouts[rng.choice(3, p=[0.5, 0.25, 0.25])]:
            tile = (x1 - x0, y1 - y0)
            part = self._empty(tile, rng) if rng.random() < 0.2 else self._photo(tile, (0.7, 1.1), rng)
            pixels[y0:y1, x0:x1] = part.pixels
            scale = np.array([*tile, *tile], np.float32) / size
            boxes.append((part.boxes * scale + np.array([x0, y0, x0, y0]) / size).astype(np.float32))
            species.append(part.species)
        return Sample(pixels, np.concatenate(boxes), np.concatenate(species))

    def _paste(self, rng: np.random.Generator) -> Sample:
        size = self.size
        base = self._empty((size, size), rng)
        pixels = base.pixels.copy()
        boxes, species = [], []
        cells = rng.permutation(4)[: rng.integers(1, 4)]
        for cell in cells:
            picture, kind = self.crops[rng.integers(len(self.crops))]
            w, h = (int(v) for v in rng.uniform(0.2, 0.5, 2) * size)
            x0 = int((cell % 2) * size / 2 + rng.uniform(0, size / 2 - w))
            y0 = int((cell // 2) * size / 2 + rng.uniform(0, size / 2 - h))
            pixels[y0 : y0 + h, x0 : x0 + w] = np.asarray(
                Image.fromarray(picture).resize((w, h), Image.Resampling.BILINEAR)
            )
            boxes.append([x0 / size, y0 / size, (x0 + w) / size, (y0 + h) / size])
            species.append(kind)
        return Sample(pixels, np.array(boxes, np.float32), np.array(species, np.int64))

    def _close(self, rng: np.random.Generator) -> Sample:
        picture, kind = self.crops[rng.integers(len(self.crops))]
        height, width = picture.shape[:2]
        box = np.array([[0, 0, width, height]], np.float32)
        window = self._window(width, height, (0.8, 1.2), rng)  # at least half of the pet stays visible
        sample = cut(picture, box, np.array([kind]), window, (self.size, self.size))
        assert sample is not None
        return sample

    def draw(self, rng: np.random.Generator) -> Sample:
        kind = rng.random()
        if kind < self.mosaic:
            sample = self._mosaic(rng)
        elif kind < self.mosaic + self.paste and self.crops:
            sample = self._paste(rng)
        elif kind < self.mosaic + self.paste + self.empty:
            sample = self._empty((self.size, self.size), rng)
        elif kind < self.mosaic + self.paste + self.empty + self.close and self.crops:
            sample = self._close(rng)
        else:
            sample = self._photo(
                (self.size, self.size), (0.45, 1.6) if rng.random() < 0.6 else (0.85, 1.05), rng
            )
        pixels, boxes = sample.pixels, sample.boxes
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
            boxes = np.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], axis=1)
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhancer(picture).enhance(1 + rng.uniform(-0.3, 0.3))
        return Sample(np.asarray(picture), boxes, sample.species)
