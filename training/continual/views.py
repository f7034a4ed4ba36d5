"""Crops of accepted samples, cut as the app cuts them, and embeddings of several views of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from smartbreed.core.errors import PhotoError
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.boxes import with_margin
from smartbreed.inference.classifier import Classifier
from smartbreed.inference.pixels import resample
from training.augment.crops import MILD
from training.data.accepted_samples import Sample

#: Views of each sample: the unchanged one, the mirrored one, and three with mild random changes.
VIEWS = 5


def crop(sample: Sample, margin: float, size: int) -> np.ndarray:
    """Return the picture that the app would show the classifier: uint8 ``(size, size, 3)``.

    Raises:
        PhotoError: the photo cannot be read, or the box is not in it.
    """
    photo = read_photo(sample.photo())
    x0, y0, x1, y1 = sample.box or (0.0, 0.0, float(photo.width), float(photo.height))
    x0, x1 = np.clip([x0, x1], 0, photo.width)
    y0, y1 = np.clip([y0, y1], 0, photo.height)
    if not (x1 - x0 >= 4 and y1 - y0 >= 4):  # also catches NaN
        raise PhotoError("damaged", "The box of the flag does not lie in its photo.")
    box = with_margin(np.array([x0, y0, x1, y1]), margin if sample.box else 0.0, photo.width, photo.height)
    return resample(photo.to_pil(), box, (size, size))


def views_of(pixels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return `VIEWS` pictures, the unchanged one first; the same seed gives the same pictures."""
    rng = np.random.default_rng(seed)
    changed = [MILD(pixels, rng) for _ in range(VIEWS - 2)]
    return [pixels, np.ascontiguousarray(pixels[:, ::-1]), *changed]


def embed_samples(
    classifier: Classifier,
    samples: Sequence[Sample],
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[np.ndarray, list[int]]:
    """Embed several views of every sample that can be read.

    Photos are read and decoded as they are needed, one row group of the dataset at a time.

    Args:
        classifier: the parent's classifier; it limits how many crops run at once.
        samples: any number of samples.
        progress: called with the number of samples done and their total.

    Returns:
        Embeddings ``(n, VIEWS, d)`` and the indices of the samples they belong to, ascending.
    """
    config = classifier.config

    def look(sample: Sample) -> np.ndarray | None:
        try:
            pixels = crop(sample, config.margin, config.input_size)
        except PhotoError:
            return None
        views = views_of(pixels, int(sample.key[:8], 16))
        return np.stack([classifier.run(view).embedding for view in views])

    rows: dict[int, np.ndarray] = {}
    order = sorted(range(len(samples)), key=lambda number: samples[number].place)
    with ThreadPoolExecutor(2) as pool:
        for done, (number, found) in enumerate(
            zip(order, pool.map(look, (samples[number] for number in order)), strict=True), 1
        ):
            progress(done, len(samples))
            if found is not None:
                rows[number] = found
    kept = sorted(rows)
    return np.stack([rows[n] for n in kept]) if kept else np.zeros((0, VIEWS, 0), np.float32), kept
