"""Grad-CAM, Grad-CAM++, Score-CAM and SmoothGrad by tf-keras-vis, tuned to take seconds on two cores.

Measured at 224 pixels on two cores shared with a training run: Grad-CAM and Grad-CAM++ take 0.2–0.6 s,
Score-CAM 2–3.3 s and SmoothGrad 2–4 s, each about 2 s more on the first call. All gradients are taken of
logits, because softmax scores underflow, and their gradients with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.ndimage import gaussian_filter
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.saliency import Saliency
from tf_keras_vis.scorecam import Scorecam

from smartbreed.inference.pixels import to_input

Report = Callable[[float, str], None]

#: Number of channels that Score-CAM uses as masks (those that vary most over the picture), and per batch.
CHANNELS, BATCH = 64, 16
#: Number of noisy copies that SmoothGrad averages over, and the noise as a share of the picture's range.
SAMPLES, NOISE = 20, 0.2


class CountedModel(keras.Model):  # type: ignore[misc]
    """A model whose `predict` reports its progress after each batch."""

    report: Callable[[float], None] = staticmethod(lambda done: None)

    def predict(self, x: Any, batch_size: int = BATCH, **_: Any) -> np.ndarray:
        (pictures,) = x if isinstance(x, list) else [x]
        rows = []
        for start in range(0, len(pictures), batch_size):
            rows.append(np.asarray(self.predict_on_batch(pictures[start : start + batch_size])))
            self.report(min(1.0, (start + batch_size) / len(pictures)))
        return np.concatenate(rows)


class CompiledModel:
    """The part of a model that `Saliency` needs, compiled as a graph, as eager calls take twice as long."""

    def __init__(self, model: keras.Model) -> None:
        self.inputs, self.outputs = model.inputs, model.outputs
        self._run = tf.function(lambda image: model(image, training=False))

    def __call__(self, images: list[Any], training: bool = False) -> Any:
        return self._run(images[0])


def features_layer(model: keras.Model) -> str:
    """Return the name of the backbone's last layer, whose maps the CAMs weigh and the class maps use."""
    features = model.get_layer("class_maps").input
    return str(next(layer.name for layer in model.layers if layer.output is features))


class Explanations:
    """Computes heat maps for one network.

    Args:
        model: a classifier with the class-map head and an output ``logits``.
        scale, offset: preprocessing of its input, ``x * scale + offset``.
    """

    def __init__(self, model: keras.Model, scale: float, offset: float) -> None:
        self._features = features_layer(model)
        self._model = CountedModel(inputs=model.input, outputs=model.output["logits"])
        self._scale, self._offset = scale, offset
        self._compiled = CompiledModel(self._model)
        self._methods: dict[str, Callable[[np.ndarray, int, Report], np.ndarray]] = {
            "gradcam": self._gradcam,
            "gradcam++": self._gradcam_plus_plus,
            "scorecam": self._scorecam,
            "smoothgrad": self._smoothgrad,
        }

    def heat(self, pixels: np.ndarray, index: int, method: str, report: Report) -> np.ndarray:
        """Compute a heat map, float32 ``(h, w)`` in 0…1.

        Args:
            pixels: uint8 ``(size, size, 3)``.
            index: number of the label to explain.
            method: a key of `smartbreed.inference.deep_explanations.METHODS`.
            report: called with the share done, 0…1, and what is being done.
        """
        return self._methods[method](to_input(pixels, self._scale, self._offset), index, report)

    def _gradcam(self, image: np.ndarray, index: int, report: Report) -> np.ndarray:
        report(0.1, "Computing Grad-CAM")
        return to_peak(
            Gradcam(self._model)(
                lambda logits: logits[:, index],
                image,
                penultimate_layer=self._features,
                expand_cam=False,
                normalize_cam=False,
            )
        )

    def _gradcam_plus_plus(self, image: np.ndarray, index: int, report: Report) -> np.ndarray:
        """Compute Grad-CAM++ (Chattopadhay et al. 2018, https://arxiv.org/abs/1710.11063)."""
        report(0.1, "Computing Grad-CAM++")
        return to_peak(
            GradcamPlusPlus(self._model)(
                # The method multiplies by exp(score), which cancels out; a score of 0 avoids an overflow.
                lambda logits: logits[:, index] - tf.stop_gradient(logits[:, index]),
                image,
                penultimate_layer=self._features,
                expand_cam=False,
                normalize_cam=False,
            )
        )

    def _scorecam(self, image: np.ndarray, index: int, report: Report) -> np.ndarray:
        """Compute Faster Score-CAM (Wang et al. 2020, https://arxiv.org/abs/1910.01279) on some channels.

        With `CHANNELS` = 64 of 1280 channels the result correlates at .985 to .995 with that of 512, in an
        eighth of the time; with 16 channels at .81 to .97.
        """
        self._model.report = lambda done: report(
            done, f"Score-CAM: {round(done * CHANNELS)} of {CHANNELS} masks"
        )
        report(0.0, "Score-CAM: preparing the masks")
        return to_peak(
            Scorecam(self._model)(
                lambda probabilities: probabilities[:, index],
                image,
                penultimate_layer=self._features,
                expand_cam=False,
                normalize_cam=False,
                max_N=CHANNELS,
                batch_size=BATCH,
            )
        )

    def _smoothgrad(self, image: np.ndarray, index: int, report: Report) -> np.ndarray:
        """Compute SmoothGrad (Smilkov et al. 2017, https://arxiv.org/abs/1706.03825)."""
        done = 0

        def count(gradients: Any) -> Any:
            nonlocal done
            done += 1
            report(done / SAMPLES, f"SmoothGrad: {done} of {SAMPLES} samples")
            return abs(gradients)

        report(0.0, "SmoothGrad: preparing")
        # tf-keras-vis draws from numpy's global generator; a seed makes the map reproducible.
        np.random.seed(index)
        saliency = Saliency(self._compiled)(
            lambda logits: logits[:, index],
            image,
            smooth_samples=SAMPLES,
            smooth_noise=NOISE,
            gradient_modifier=count,
            normalize_map=False,
        )
        return from_gradients(np.asarray(saliency)[0])


def to_peak(cam: Any) -> np.ndarray:
    """Scale a CAM ``(1, h, w)`` to float32 ``(h, w)`` with maximum 1; all 0 if nothing is positive."""
    heat = np.maximum(np.nan_to_num(np.asarray(cam, np.float32)[0], posinf=0.0), 0)
    peak = heat.max()
    return np.asarray(heat / peak if peak > 0 else heat, np.float32)


def from_gradients(saliency: np.ndarray) -> np.ndarray:
    """Turn absolute gradients ``(h, w)`` into a readable map in 0…1: blur it, and clip noise and outliers."""
    blurred = gaussian_filter(np.nan_to_num(saliency, posinf=0.0), sigma=saliency.shape[0] / 64)
    low, high = np.percentile(blurred, (50, 99.5))
    if high <= low:
        return np.zeros_like(blurred, np.float32)
    return np.asarray(np.clip((blurred - low) / (high - low), 0, 1), np.float32)
