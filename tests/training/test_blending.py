"""Two networks are averaged only when their rows mean the same labels."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_bundle import BREEDS, SIZE, crops, random_network, write_bundle

from smartbreed.inference.bundle import load_bundle
from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.fitting.weight_average import average_weights
from training.models.from_bundle import rebuild_classifier
from training.models.mobilenet_v2 import build_classifier


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("soup") / "bundle")


def test_the_same_labels_are_stirred(bundle: Path, tmp_path: Path) -> None:
    model = rebuild_classifier(load_bundle(bundle))
    report = average_weights(str(bundle), RunDirectory(tmp_path, quiet=True), model, crops(2))
    assert report["with"] == str(bundle)
    assert 0 <= report["top1"] <= 1


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((*BREEDS[:-1], "beagle"), "does not know beagle"),
        (BREEDS[::-1], "has them in another order"),
        (BREEDS[:4], "knows pug besides"),
    ],
)
def test_other_labels_are_refused(names: tuple[str, ...], said: str, bundle: Path, tmp_path: Path) -> None:
    """Shapes alone would let rows of other breeds be averaged."""
    model = build_classifier(len(names), input_size=SIZE, alpha=0.35)
    random_network(model, 5)
    before = model.get_weights()
    with pytest.raises(RecipeError, match=rf"same labels; this one {said}\. Received: {bundle}"):
        average_weights(str(bundle), RunDirectory(tmp_path, quiet=True), model, crops(2, names=names))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_another_network_is_refused(bundle: Path, tmp_path: Path) -> None:
    model = build_classifier(len(BREEDS), input_size=SIZE, alpha=0.5)
    with pytest.raises(RecipeError, match=r"train.soup must hold the same network"):
        average_weights(str(bundle), RunDirectory(tmp_path, quiet=True), model, crops(2))
