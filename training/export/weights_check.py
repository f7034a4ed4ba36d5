"""Check that the Keras weights of a bundle are the same network as its LiteRT file.

With an int8 body the two never compute the same numbers, so they are compared in two parts:

* The head is float in both files, so its kernel and bias must be equal.
* The body is compared by its embedding of fixed pictures. It must be close to the embedding that the bundle
  stores for its Keras weights (``self_test.weights.embedding``). If none is stored, it must be close to the
  embedding that the LiteRT file computes. Embeddings do not depend on the head, so they stay valid when only
  the head is retrained.

Measured values of `distance` for the LiteRT file of bundle 1.2.0 (int8 body): 0.10 from its own Keras
weights, 0.37 from those of 1.1.0 (half of 1.2.0, which is a weight average), and 1.2 from those of 1.0.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from smartbreed.core.errors import BundleError
from smartbreed.inference.bundle import Bundle
from smartbreed.inference.classifier import Classifier
from smartbreed.inference.head import UnknownLayout, read_head
from smartbreed.inference.pipeline import self_test_picture
from smartbreed.inference.pixels import to_input
from training.export.litert import form_of

#: Largest `distance` between two float forms of a network, whose kernels differ only by rounding to float16.
EXACT = 0.02
#: Largest `distance` between a float body and its int8 form.
ROUNDED = 0.28
#: Largest difference between two numbers rounded to float16, for values up to 4.
_HALF = 2e-3


def check_weights(bundle: Bundle, model: Any) -> None:
    """Compare a rebuilt Keras classifier with the LiteRT file of its bundle.

    Args:
        bundle: a verified bundle.
        model: the bundle's classifier from `training.models.from_bundle.rebuild_classifier`.

    Raises:
        BundleError: the weights belong to another network.
    """
    served = Classifier(bundle, 1)
    pictures = check_pictures(bundle.config.classifier.input_size)
    theirs = [served.run(picture) for picture in pictures]
    ours = [_outputs(bundle, model, picture) for picture in pictures]
    stored = stored_embedding(bundle)
    if stored is not None:
        body = distance(ours[0]["embedding"], stored) <= EXACT
    else:
        form = form_of(bundle.path(bundle.config.classifier.file))
        limit = ROUNDED if form == "int8" else EXACT
        body = distance([o["embedding"] for o in ours], [outputs.embedding for outputs in theirs]) <= limit
    if not body or not _same_head(bundle, model, ours, [outputs.logits for outputs in theirs]):
        raise BundleError(
            f"{bundle.config.classifier.weights} of the model bundle is not the network that answers here."
        )


def check_pictures(size: int) -> list[np.ndarray]:
    """Return the self-test's picture and flipped, transposed and inverted ones, uint8 ``(size, size, 3)``."""
    first = self_test_picture(size)
    others = (first[::-1], first[:, ::-1], first.transpose(1, 0, 2), 255 - first)
    return [first, *(np.ascontiguousarray(other) for other in others)]


def embedding_of_weights(bundle: Bundle, model: Any) -> list[float]:
    """Compute the embedding that a bundle stores as ``self_test.weights.embedding``."""
    picture = self_test_picture(bundle.config.classifier.input_size)
    return [round(float(value), 4) for value in _outputs(bundle, model, picture)["embedding"]]


def stored_embedding(bundle: Bundle) -> np.ndarray | None:
    """Return the bundle's ``self_test.weights.embedding``; None if it is absent or invalid."""
    section = bundle.config.self_test.get("weights")
    try:
        values = np.asarray(section["embedding"], np.float32) if isinstance(section, dict) else None
    except (KeyError, ValueError, TypeError):
        return None
    return values if values is not None and values.ndim == 1 and np.isfinite(values).all() else None


def distance(a: Any, b: Any) -> float:
    """Return the Euclidean distance of ``a`` from ``b``, relative to the variation within the rows of ``b``.

    The distance is infinite if the shapes differ or ``a`` is not finite.
    """
    first, second = np.atleast_2d(np.asarray(a, np.float64)), np.atleast_2d(np.asarray(b, np.float64))
    if first.shape != second.shape or not np.isfinite(first).all():
        return float("inf")
    varies = ((second - second.mean(1, keepdims=True)) ** 2).sum()
    return float(np.sqrt(((first - second) ** 2).sum() / max(varies, 1e-12)))


def _same_head(
    bundle: Bundle, model: Any, ours: list[dict[str, np.ndarray]], theirs: list[np.ndarray]
) -> bool:
    try:
        head = read_head(bundle.path(bundle.config.classifier.file).read_bytes())
    except UnknownLayout:  # an int8 head: only its answers can be compared
        return distance([outputs["logits"] for outputs in ours], theirs) <= 2 * ROUNDED
    kernel, bias = model.get_layer("class_maps").get_weights()
    return (
        kernel[0, 0].shape == head.kernel.shape
        and np.allclose(kernel[0, 0], head.kernel, atol=_HALF)
        and np.allclose(bias, head.bias, atol=_HALF)
    )


def _outputs(bundle: Bundle, model: Any, picture: np.ndarray) -> dict[str, np.ndarray]:
    config = bundle.config.classifier
    outputs = model.predict_on_batch(to_input(picture, config.scale, config.offset))
    return {name: np.asarray(value)[0] for name, value in outputs.items()}
