"""Whether the Keras weights of a bundle are the network that its LiteRT file serves.

The two never compute the same numbers where the served body is int8, so they are compared in two parts:

* the head, which is float in both files: its kernel and bias must be equal;
* the body, by its embedding of fixed pictures: close to the one that the bundle stores for its Keras
  weights (``self_test.weights.embedding``), or, in a bundle that stores none, close to the embedding that
  the served file computes. The embedding does not depend on the head, so it stays valid when only the
  head is retrained.

Measured as `distance`, embeddings of the bundle 1.2.0 (int8 body): 0.10 to its own Keras weights, 0.37 to
those of 1.1.0, from which 1.2.0 is half averaged, and 1.2 to those of 1.0.0.
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

#: Largest `distance` of two float networks: kernels between them are rounded to float16, no more.
EXACT = 0.02
#: Largest `distance` of a float body from its int8 form.
ROUNDED = 0.28
#: Largest difference of two numbers that were rounded to float16, for values up to 4.
_HALF = 2e-3


def check_weights(bundle: Bundle, model: Any) -> None:
    """Compare a rebuilt Keras classifier with the bundle's served one.

    Args:
        bundle: a verified bundle.
        model: from `training.models.from_bundle.rebuild_classifier` of it.

    Raises:
        BundleError: the weights are those of another network.
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
    """uint8 ``(size, size, 3)``: the self-test's picture, mirrored, turned and inverted."""
    first = self_test_picture(size)
    others = (first[::-1], first[:, ::-1], first.transpose(1, 0, 2), 255 - first)
    return [first, *(np.ascontiguousarray(other) for other in others)]


def embedding_of_weights(bundle: Bundle, model: Any) -> list[float]:
    """What a bundle stores as ``self_test.weights.embedding``."""
    picture = self_test_picture(bundle.config.classifier.input_size)
    return [round(float(value), 4) for value in _outputs(bundle, model, picture)["embedding"]]


def stored_embedding(bundle: Bundle) -> np.ndarray | None:
    """``self_test.weights.embedding``; None where the bundle stores none that can be read."""
    section = bundle.config.self_test.get("weights")
    try:
        values = np.asarray(section["embedding"], np.float32) if isinstance(section, dict) else None
    except (KeyError, ValueError, TypeError):
        return None
    return values if values is not None and values.ndim == 1 and np.isfinite(values).all() else None


def distance(a: Any, b: Any) -> float:
    """How far ``a`` is from ``b``, as a share of how much each row of ``b`` varies.

    Infinite where the shapes differ or ``a`` is not finite.
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
    except UnknownLayout:  # a head of 8 bits: only its answers can be compared
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
