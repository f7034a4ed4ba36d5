"""Deeper explanations of the model that ships and of one retrained from it, by the real process."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.retraining import RetrainingWorld
from support.shards import settings_in

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import connect
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.deep_explanations import METHODS, DeepExplainer
from smartbreed.registry.releases import download
from training.continual.challenger import raw_config
from training.export.weights_check import check_pictures

SIZE = load_bundle(EMBEDDED_BUNDLE).config.classifier.input_size


def explain_by_every_method(folder: Path, label: int) -> None:
    """Ask the real process each method about one picture, as the page does."""
    cells = -(-SIZE // 32)
    explainer = DeepExplainer(folder, timeout=240)
    try:
        for method in METHODS:
            heat = explainer.explain(check_pictures(SIZE)[0], label, method)
            assert heat.shape == ((SIZE, SIZE) if method == "smoothgrad" else (cells, cells))
            assert heat.max() == pytest.approx(1, abs=1e-3), f"{method} shows nothing"
    finally:
        explainer.close()


@pytest.mark.slow
def test_the_model_that_ships() -> None:
    labels = load_bundle(EMBEDDED_BUNDLE).config.classifier.labels
    explain_by_every_method(EMBEDDED_BUNDLE, [label.id for label in labels].index("beagle"))


@pytest.mark.slow
def test_a_model_retrained_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL", "SMARTBREED_BASE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    world = RetrainingWorld(settings_in(tmp_path / "home"))
    world.introduce(range(12))
    found = world.retrain()
    assert found["passed"]
    bundle = download(connect(world.settings), world.settings, world.settings.model_repo, found["revision"])
    assert bundle.config.classifier.labels[-1].id == "mudi"
    explain_by_every_method(bundle.folder, len(bundle.config.classifier.labels) - 1)


@pytest.fixture
def with_other_weights(tmp_path: Path) -> Path:
    """The bundle that ships with one layer of its Keras weights changed, listed as its own."""
    folder = Path(shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle"))
    with h5py.File(folder / "classifier.weights.h5", "r+") as file:
        wide: list[h5py.Dataset] = []
        file.visititems(
            lambda _, item: wide.append(item)
            if isinstance(item, h5py.Dataset) and item.shape[-1:] == (1280,) and item.ndim == 4 else None
        )  # fmt: skip
        (kernel,) = wide
        kernel[...] = np.asarray(kernel)[..., ::-1]
    write_config(folder, raw_config(load_bundle(EMBEDDED_BUNDLE)))
    return folder


def test_weights_of_another_network_are_refused(with_other_weights: Path) -> None:
    explainer = DeepExplainer(with_other_weights, timeout=240)
    try:
        with pytest.raises(BundleError, match="not the network that answers here"):
            explainer.explain(check_pictures(SIZE)[0], 0, "gradcam++")
    finally:
        explainer.close()
