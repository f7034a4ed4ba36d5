"""A bundle's detector becomes a Keras network again, whatever its width."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.tiny_bundle import crops, random_network, write_bundle

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from training.evaluation.forms import Calibration, exported_forms
from training.export.litert import save_half_weights
from training.models.from_bundle import rebuild_detector, width_of
from training.models.ssd_mobilenet_v1 import build_detector


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its detector has a width of 0.25."""
    return write_bundle(tmp_path_factory.mktemp("narrow") / "bundle", detector=True)


@pytest.mark.parametrize("alpha", [0.3, 0.35])
def test_the_width_is_read_from_the_weights(alpha: float, tmp_path: Path) -> None:
    model = build_detector(alpha=alpha)
    save_half_weights(model, tmp_path / "x.weights.h5")
    again = build_detector(alpha=width_of(tmp_path / "x.weights.h5"))
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


@pytest.mark.slow
def test_a_narrow_detector_is_rebuilt(bundle: Path) -> None:
    model = rebuild_detector(load_bundle(bundle))
    same = build_detector(alpha=0.25)
    random_network(same, 4)
    for ours, theirs in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3, rtol=2e-3)
    assert rebuild_detector(load_bundle(EMBEDDED_BUNDLE)).count_params() > model.count_params()


@pytest.mark.slow
def test_the_forms_of_a_narrow_detector_are_exported(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def export(model: keras.Model, folder: Path, images: np.ndarray, *, name: str = "classifier") -> Any:
        asked[name] = (model.count_params(), images.shape)
        return {}

    monkeypatch.setattr("training.export.litert.export_forms", export)
    scenes = np.zeros((2, 40, 60, 3), np.uint8)
    with exported_forms(bundle, Calibration(crops(1).images, scenes)) as paths:
        assert set(paths) == {"classifier", "detector"}
    assert asked["detector"] == (build_detector(alpha=0.25).count_params(), (2, 300, 300, 3))


def test_weights_of_something_else_are_one_sentence(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    shutil.copyfile(folder / "classifier.weights.h5", folder / "detector.weights.h5")
    write_config(folder, json.loads((folder / "config.json").read_text()))
    with pytest.raises(
        BundleError, match=r"detector.weights.h5 of the model bundle does not fit ssd_mobilenet"
    ):
        rebuild_detector(load_bundle(folder))
    config = json.loads((folder / "config.json").read_text())
    write_config(folder, {**config, "detector": None})
    with pytest.raises(BundleError, match="no detector with Keras weights"):
        rebuild_detector(load_bundle(folder))
