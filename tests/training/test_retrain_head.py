"""The head as arrays: fitting rows of it, and putting it into LiteRT and Keras files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.processes import run

from smartbreed.core.errors import BundleError
from smartbreed.core.lbfgs import minimise
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import Bundle, load_bundle
from smartbreed.inference.head import Head, UnknownLayout, replace_head
from smartbreed.inference.pipeline import self_test_picture
from smartbreed.inference.pixels import to_input
from smartbreed.inference.runtime import Network
from training.continual.challenger import halved, head_of
from training.export.replace_head import replace_weights
from training.models.linear_head import Examples, fit_rows


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(EMBEDDED_BUNDLE)


@given(st.integers(1, 12), st.integers(0, 1000))
@settings(max_examples=30)
def test_a_quadratic_is_solved(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)).astype(np.float32)
    matrix, target = root @ root.T + np.eye(size, dtype=np.float32), rng.normal(size=size).astype(np.float32)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        away = x - target
        return float(away @ matrix @ away) / 2, matrix @ away

    found = minimise(objective, np.zeros(size, np.float32), iterations=200, tolerance=0.0)
    assert np.allclose(found, target, atol=0.02)


def examples(seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(4), 30)
    centres = rng.normal(size=(4, 16))
    return Examples.of(centres[labels] + 0.4 * rng.normal(size=(120, 16)), labels)


def test_rows_that_are_not_named_stay_as_they_are() -> None:
    rng, data = np.random.default_rng(1), examples()
    start = Head(rng.normal(0, 0.1, (16, 4)).astype(np.float32), np.zeros(4, np.float32))
    fitted = fit_rows(start, np.array([1, 3]), data, pull=1e-4)
    assert np.array_equal(fitted.kernel[:, [0, 2]], start.kernel[:, [0, 2]])
    assert np.array_equal(fitted.bias[[0, 2]], start.bias[[0, 2]])
    before, after = (head.logits(data.embeddings).argmax(1) == data.labels for head in (start, fitted))
    mine = np.isin(data.labels, [1, 3])
    assert after[mine].mean() > max(0.9, before[mine].mean())


def test_a_strong_pull_and_opinions_that_are_kept_change_little() -> None:
    data = examples()
    start = fit_rows(
        Head(np.zeros((16, 4), np.float32), np.zeros(4, np.float32)), np.arange(4), data, pull=1e-3
    )
    wrong = Examples.of(data.embeddings, (data.labels + 1) % 4)
    moved = {pull: np.abs(fit_rows(start, np.arange(4), wrong, pull=pull).kernel - start.kernel).max()
             for pull in (1e-3, 10.0)}  # fmt: skip
    assert moved[10.0] < 0.1 * moved[1e-3]
    kept = Examples(wrong.embeddings, wrong.labels, wrong.weights, np.ones(len(wrong), np.float32))
    same = fit_rows(start, np.arange(4), kept, pull=1e-3)
    assert np.allclose(same.kernel, start.kernel, atol=1e-2)


def test_the_pull_means_the_same_whatever_the_embeddings_norm() -> None:
    data = examples()
    wrong = Examples.of(data.embeddings, (data.labels + 1) % 4)
    moved = []
    for norm in (0.2, 1.0, 5.0):
        scaled = Examples(wrong.embeddings * norm, wrong.labels, wrong.weights, wrong.keep)
        start = Head(np.eye(16, 4, dtype=np.float32) / norm, np.zeros(4, np.float32))
        fitted = fit_rows(start, np.arange(4), scaled, pull=1e-2)
        moved.append(fitted.logits(scaled.embeddings) - start.logits(scaled.embeddings))
    assert np.abs(moved[1]).max() > 1
    for one in moved:
        assert np.abs(one - moved[1]).max() < 0.2 * np.abs(moved[1]).max()


def test_a_litert_file_computes_the_new_head(bundle: Bundle, tmp_path: Path) -> None:
    rng, old = np.random.default_rng(0), head_of(bundle)
    row = rng.normal(0, 0.03, old.kernel.shape[0]).astype(np.float32)
    new = halved(old.with_row(row, 0.25).replaced(np.array([3]), old.kernel[:, [3]] * 1.5, old.bias[[3]] - 1))
    file = tmp_path / "new.tflite"
    file.write_bytes(replace_head(bundle.path(bundle.config.classifier.file).read_bytes(), new))
    config = bundle.config.classifier
    picture = to_input(self_test_picture(config.input_size), config.scale, config.offset)
    then, now = Network(bundle.path(config.file), 1)(picture), Network(file, 1)(picture)
    assert now["logits"].shape == (1, len(old) + 1)
    assert now["class_maps"].shape[-1] == len(old) + 1
    assert np.array_equal(then["embedding"], now["embedding"])
    assert np.allclose(now["logits"], new.logits(now["embedding"]), atol=2e-3)
    assert np.allclose(now["class_maps"].mean((1, 2)), now["logits"], atol=1e-4)


def test_an_unknown_file_is_refused(bundle: Bundle) -> None:
    detector = bundle.path("detector.tflite").read_bytes()
    with pytest.raises(UnknownLayout):
        replace_head(detector, head_of(bundle))


def test_keras_weights_get_the_new_head_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    old = head_of(bundle)
    new = halved(old.with_row(np.full(old.kernel.shape[0], 0.5, np.float32), -2.0))
    source, target = bundle.path(bundle.config.classifier.weights), tmp_path / "new.weights.h5"
    replace_weights(source, target, old, new)
    changed = []
    with h5py.File(source) as before, h5py.File(target) as after:

        def compare(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and (
                item.shape != after[name].shape or not np.array_equal(item[()], after[name][()])
            ):
                changed.append((name, after[name].shape, after[name].dtype == item.dtype))

        before.visititems(compare)
    assert sorted(shape for _, shape, _ in changed) == [(1, 1, old.kernel.shape[0], len(new)), (len(new),)]
    assert all(same for *_, same in changed)
    with pytest.raises(BundleError, match="0 layers"):
        replace_weights(source, tmp_path / "x.h5", Head(old.kernel + 1, old.bias), new)


@pytest.mark.slow
def test_keras_reads_the_weights_and_computes_the_same(bundle: Bundle, tmp_path: Path) -> None:
    config = bundle.config.classifier
    code = f"""
import sys
import numpy as np
from training.models.backbones import build_backbone
from training.models.embeddings import scale
from smartbreed.inference.pipeline import self_test_picture
size = {config.input_size}
model = build_backbone("{config.architecture}", {len(config.labels) + 1}, input_size=size, alpha=1.0)
model.load_weights(sys.argv[1])
outputs = model.predict_on_batch(scale(self_test_picture(size)[None]))
np.savez(sys.argv[2], **{{name: np.asarray(value) for name, value in outputs.items()}})
"""

    old = head_of(bundle)
    new = halved(old.with_row(np.full(old.kernel.shape[0], 0.01, np.float32), 0.5))
    weights, file = tmp_path / "new.weights.h5", tmp_path / "new.tflite"
    replace_weights(bundle.path(bundle.config.classifier.weights), weights, old, new)
    file.write_bytes(replace_head(bundle.path(bundle.config.classifier.file).read_bytes(), new))
    run("-c", code, weights, tmp_path / "k.npz", check=True)
    keras = np.load(tmp_path / "k.npz")
    lite = Network(file, 1)(to_input(self_test_picture(config.input_size), 1 / 127.5, -1.0))
    for outputs in (keras, lite):  # the very head, in both files
        assert np.allclose(outputs["logits"], outputs["embedding"] @ new.kernel + new.bias, atol=0.02)
    # Before it, eight bits against thirty-two.
    assert np.corrcoef(keras["logits"][0], lite["logits"][0])[0, 1] > 0.98
