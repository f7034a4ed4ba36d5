"""The real child, with tensorflow; started once, because that takes ten seconds and more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.processes import run

from smartbreed.core.errors import BundleError, SmartBreedError, UnavailableError
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.deep_explanations import METHODS, DeepExplainer
from smartbreed.inference.pipeline import Identifier

SIZE = 64
#: Prints to stdout from Python and from below, while the worker imports and works.
STRAY = """
import os, sys
def hook(event, args):
    if event == "import" and args[0].startswith(("tensorflow", "keras", "tf_keras_vis")):
        os.write(1, b"stray bytes")
        print("stray text")
sys.addaudithook(hook)
"""


@pytest.fixture(scope="module")
def explainer(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeepExplainer]:
    noisy = tmp_path_factory.mktemp("noisy")
    (noisy / "sitecustomize.py").write_text(STRAY)
    explainer = DeepExplainer(tiny_bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(noisy))
        yield explainer
    explainer.close()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x * 4, y * 4, (x * y) % 256], axis=2).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_every_method(
    explainer: DeepExplainer, picture: np.ndarray, identifier: Identifier, method: str
) -> None:
    loaded, maps = explainer.running, {}
    reported: dict[int, list[float]] = {0: [], 2: [], 4: []}
    for index, shares in reported.items():

        def progress(share: float, text: str, shares: list[float] = shares) -> None:
            shares.append(share)

        maps[index] = explainer.explain(picture, index, method, progress)
    shape = (SIZE, SIZE) if method == "smoothgrad" else (SIZE // 32, SIZE // 32)
    for heat in maps.values():
        assert heat.shape == shape
        assert heat.dtype == np.float32
        assert np.isfinite(heat).all()
        assert heat.min() >= 0
        assert heat.max() in (0, pytest.approx(1))
    assert any(heat.any() for heat in maps.values())
    for shares in reported.values():
        assert shares == sorted(shares)
        assert 0 <= shares[0] <= shares[-1] <= 1
    if not loaded:  # loading shows
        assert len([share for share in reported[0] if share < 0.8]) > 4
        assert reported[0][-1] > 0.8
    if method == "gradcam":
        now = identifier.classifier.run(picture).class_maps
        bias = identifier.bundle.config.classifier.bias
        for index, heat in maps.items():
            expected = np.maximum(now[:, :, index] - bias[index], 0)
            np.testing.assert_allclose(heat * expected.max(), expected, atol=0.02)


def test_the_same_question_gets_the_same_answer(explainer: DeepExplainer, picture: np.ndarray) -> None:
    first = explainer.explain(picture, 2, "smoothgrad")
    explainer._known.clear()
    np.testing.assert_allclose(explainer.explain(picture, 2, "smoothgrad"), first, atol=1e-4)


def test_the_prints_did_happen(explainer: DeepExplainer, picture: np.ndarray) -> None:
    explainer.explain(picture, 0, "gradcam")
    assert explainer._child is not None
    explainer._child._stderr.seek(0)
    assert explainer._child._stderr.read().count(b"stray bytes") > 100


def test_it_steps_back_behind_the_server(explainer: DeepExplainer, picture: np.ndarray) -> None:
    explainer.explain(picture, 0, "gradcam")
    assert explainer._child is not None
    assert os.getpriority(os.PRIO_PROCESS, explainer._child.pid) > os.getpriority(os.PRIO_PROCESS, 0)


def test_it_ends_without_its_parent(tiny_bundle: Path) -> None:
    """Without a request it does not even load tensorflow."""
    done = run("-m", "training.explain.worker", tiny_bundle, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_bundle_it_refuses_is_refused_in_words(bundle_copy: Path) -> None:
    """From the real child and without tensorflow: files are checked before it is loaded."""
    explainer = DeepExplainer(bundle_copy)
    explainer._check(np.zeros((SIZE, SIZE, 3), np.uint8), 0, "gradcam")  # the parent has seen a good bundle
    (bundle_copy / "classifier.weights.h5").write_bytes(b"changed since")
    with pytest.raises(BundleError, match=r"classifier\.weights\.h5"):
        explainer.explain(np.zeros((SIZE, SIZE, 3), np.uint8), 0, "gradcam")
    explainer.close()


@pytest.mark.slow
def test_the_real_child_recovers_from_a_kill(tiny_bundle: Path, picture: np.ndarray) -> None:
    explainer = DeepExplainer(tiny_bundle)

    def kill(share: float, text: str) -> None:
        if text.startswith("SmoothGrad") and explainer._child is not None:
            os.kill(explainer._child.pid, signal.SIGKILL)

    with pytest.raises(UnavailableError):
        explainer.explain(picture, 0, "smoothgrad", kill)
    assert explainer.explain(picture, 0, "smoothgrad").shape == (SIZE, SIZE)
    explainer.close()


def weights_of_another(folder: Path) -> None:
    """The same architecture, properly listed, with a head that learnt something else."""

    def change(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape[-1:] == (5,):
            item[...] = item[...] * 2

    with h5py.File(folder / "classifier.weights.h5", "r+") as file:
        file.visititems(change)


@pytest.mark.parametrize(
    ("change", "prepare", "code", "word"),
    [
        ({"weights": ""}, None, "no_weights", "weights"),
        ({"architecture": "resnet"}, None, "bad_bundle", "resnet"),
        ({"weights": "classifier.keras"}, None, "bad_bundle", "classifier.keras"),
        ({"weights": "classifier.tflite"}, None, "bad_bundle", "classifier.tflite"),
        ({"weights": "detector.weights.h5"}, None, "bad_bundle", "detector.weights.h5"),
        ({"alpha": 0.5}, None, "bad_bundle", "classifier.weights.h5"),
        (
            {},
            lambda f: (f / "classifier.weights.h5").write_bytes(b"no HDF5"),
            "bad_bundle",
            "classifier.weights",
        ),
        ({}, weights_of_another, "bad_bundle", "not the network"),
    ],
)
def test_unfit_weights(
    bundle_copy: Path, change: dict[str, Any], prepare: Callable[[Path], Any] | None, code: str, word: str
) -> None:
    from training.explain.worker import load

    config = json.loads((bundle_copy / "config.json").read_text())
    config["classifier"].update(change)
    if prepare:
        prepare(bundle_copy)
    write_config(bundle_copy, config)
    with pytest.raises(SmartBreedError) as caught:
        load(bundle_copy, lambda share, text: None)
    assert caught.value.code == code
    assert word in caught.value.message


def test_the_rebuilt_network_is_the_exported_one(tiny_bundle: Path, tiny_classifier: Any) -> None:
    from training.models.from_bundle import rebuild_classifier

    rebuilt = rebuild_classifier(load_bundle(tiny_bundle))
    for ours, theirs in zip(rebuilt.get_weights(), tiny_classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_cannot_be_imported_is_named() -> None:
    from training.explain.worker import failure

    reported = failure(ImportError("no", name="tf_keras_vis"))
    assert reported["code"] == "not_installed"
    assert "tf_keras_vis" in reported["message"]
    secret = failure(ValueError("/home/someone/photo.jpg"))
    assert secret["code"] == "explanation_failed"
    assert "photo.jpg" not in secret["message"]
