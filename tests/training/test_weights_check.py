"""Keras weights against the network that a bundle serves, for every form a bundle can have."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import SIZE, random_network, tiny_classifier

from smartbreed.core.errors import BundleError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import FORMAT, Bundle, load_bundle, write_config
from smartbreed.inference.evaluation import FILE, Evaluation, evaluation_of
from training.continual.challenger import finish as finish_retrained
from training.continual.challenger import halved, head_of, raw_config, write_networks
from training.export.bundle import finish
from training.export.litert import FORMS, export_forms, round_to_half, save_half_weights
from training.export.weights_check import check_weights, stored_embedding
from training.models.from_bundle import load_every_layer, rebuild_classifier


@pytest.fixture(scope="module")
def network() -> Any:
    return tiny_classifier()


@pytest.fixture(scope="module")
def files(network: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The LiteRT file of each form."""
    from smartbreed.inference.pipeline import self_test_picture

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    pictures = np.concatenate([noise, np.repeat(self_test_picture(SIZE)[None], 4, 0)])
    return export_forms(network, tmp_path_factory.mktemp("forms"), pictures)


def bundle_of(folder: Path, network: Any, file: Path, *, final: bool) -> Path:
    """A bundle that serves ``file`` and holds the weights of ``network``."""
    folder.mkdir()
    shutil.copyfile(file, folder / "classifier.tflite")
    save_half_weights(network, folder / "classifier.weights.h5")
    section = {
        "weights": "classifier.weights.h5", "alpha": 0.35, "input_size": SIZE,
        "labels": [{"id": f"thing_{n}", "name": f"Thing {n}"} for n in range(5)],
        "bias": [float(value) for value in network.get_layer("class_maps").get_weights()[1]],
        "thresholds": {"breed": 0.6, "group": 0.7},
    }  # fmt: skip
    about = {"format": FORMAT, "name": "tiny", "version": "0.0.1"}
    finish(folder, {**about, "classifier": section}, final=final)
    return folder


@pytest.fixture(scope="module")
def bundles(
    network: Any, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, bool], Bundle]:
    """``bundles(form, final)``: made once; copy one to change it."""
    folder = tmp_path_factory.mktemp("bundles")

    @cache
    def make(form: str, final: bool) -> Bundle:
        return load_bundle(bundle_of(folder / f"{form}-{final}", network, files[form], final=final))

    return make


def check(folder: Path) -> None:
    bundle = load_bundle(folder)
    check_weights(bundle, rebuild_classifier(bundle))


def another_body(network: Any) -> Any:
    other = tiny_classifier(seed=8)
    other.get_layer("class_maps").set_weights(network.get_layer("class_maps").get_weights())
    return other


def one_layer_changed(network: Any) -> Any:
    other = tiny_classifier()
    kernel, bias = other.get_layer("Conv_1").get_weights()
    other.get_layer("Conv_1").set_weights([kernel[..., ::-1], bias])
    return other


def head_doubled(network: Any) -> Any:
    """Its answers correlate perfectly with the right ones and name the same breed first."""
    other = tiny_classifier()
    kernel, bias = other.get_layer("class_maps").get_weights()
    other.get_layer("class_maps").set_weights([kernel * 2, bias * 2])
    return other


def all_random(network: Any) -> Any:
    other = tiny_classifier()
    random_network(other, 21)
    round_to_half(other)
    return other


@pytest.mark.parametrize("final", [True, False], ids=["stored", "nothing stored"])
@pytest.mark.parametrize("form", FORMS)
def test_the_weights_of_every_form_are_accepted(
    bundles: Callable[[str, bool], Bundle], form: str, final: bool
) -> None:
    bundle = bundles(form, final)
    assert (stored_embedding(bundle) is not None) == final
    check(bundle.folder)


@pytest.mark.parametrize("wrong", [another_body, one_layer_changed, head_doubled, all_random])
def test_weights_of_another_network_are_refused(
    bundles: Callable[[str, bool], Bundle], network: Any, wrong: Callable[[Any], Any]
) -> None:
    model = wrong(network)
    for form in FORMS:
        for final in (True, False):
            with pytest.raises(BundleError, match="not the network that answers here"):
                check_weights(bundles(form, final), model)


@pytest.mark.parametrize("embedding", [[], "x", [1, "x"], None, [[1.0]], {"a": 1}])
def test_an_embedding_that_cannot_be_read_counts_as_none(
    tmp_path: Path, bundles: Callable[[str, bool], Bundle], embedding: object
) -> None:
    folder = Path(shutil.copytree(bundles("float16", True).folder, tmp_path / "bundle"))
    config = json.loads((folder / "config.json").read_text())
    config["self_test"]["weights"] = {"embedding": embedding}
    (folder / "config.json").write_text(json.dumps(config))
    bundle = load_bundle(folder)
    if embedding == []:  # a list, but of another length: those of no network here
        with pytest.raises(BundleError):
            check(folder)
    else:
        assert stored_embedding(bundle) is None
        check(folder)


@pytest.mark.parametrize("form", FORMS)
def test_a_new_head_keeps_what_is_stored_of_the_body(
    tmp_path: Path, network: Any, bundles: Callable[[str, bool], Bundle], form: str
) -> None:
    parent = bundles(form, True)
    old = head_of(parent)
    new = halved(old.with_row(np.full(old.kernel.shape[0], 0.05, np.float32), 0.5))
    folder = tmp_path / "child"
    folder.mkdir()
    write_networks(parent, new, folder)
    config = raw_config(parent)
    config["classifier"]["labels"].append({"id": "mudi", "name": "Mudi"})
    config["classifier"]["bias"] = [round(float(value), 6) for value in new.bias]
    child = finish_retrained(folder, config, new)
    np.testing.assert_array_equal(stored_embedding(child), stored_embedding(parent))
    check(folder)
    # The parent's network: a head of fewer breeds.
    with pytest.raises(BundleError):
        check_weights(child, network)


def test_a_new_head_keeps_the_parents_figures_which_say_whose_they_are(
    tmp_path: Path, bundles: Callable[[str, bool], Bundle]
) -> None:
    folder = Path(shutil.copytree(bundles("float16", True).folder, tmp_path / "parent"))
    measured = Evaluation(version=load_bundle(folder).config.version, labels={})
    (folder / FILE).write_text(measured.model_dump_json())
    write_config(folder, json.loads((folder / "config.json").read_text()))
    parent = load_bundle(folder)
    child_folder = tmp_path / "child"
    child_folder.mkdir()
    head = head_of(parent)
    write_networks(parent, head, child_folder)
    child = finish_retrained(child_folder, {**raw_config(parent), "version": "9.9.9"}, head)
    assert child.config.version == "9.9.9"
    assert evaluation_of(child) == measured


def test_the_weights_of_the_model_that_ships() -> None:
    """int8, and older than what newer exports store."""
    bundle = load_bundle(EMBEDDED_BUNDLE)
    model = rebuild_classifier(bundle)
    check_weights(bundle, model)
    for name in ("block_16_project", "head"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([kernel * 0.8, bias])
    with pytest.raises(BundleError, match="not the network that answers here"):
        check_weights(bundle, model)
    load_every_layer(model, bundle.path(bundle.config.classifier.weights))
    kernel, bias = model.get_layer("class_maps").get_weights()
    model.get_layer("class_maps").set_weights([kernel, bias + 0.01])
    with pytest.raises(BundleError, match="not the network that answers here"):
        check_weights(bundle, model)
