"""Which number format ships, and what happens to the bundle when it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_bundle import SIZE, crops, write_bundle

from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.pipeline import Identifier
from training.evaluation.forms import Calibration, choose_form, exported_forms, form_scores, ship
from training.export.litert import form_of


def table(**forms: tuple[float, float, float, float]) -> dict[str, dict[str, Any]]:
    """Form → (bytes, milliseconds, top1, ece)."""
    return {
        form: dict(zip(("bytes", "quiet_milliseconds", "top1", "ece"), row, strict=True))
        for form, row in forms.items()
    }


@pytest.mark.parametrize(
    ("int8", "chosen"),
    [
        ((3, 2.4, 0.890, 0.010), "int8"),  # fast, small, nothing lost
        ((3, 2.4, 0.8851, 0.010), "int8"),  # lost .0049
        ((3, 2.4, 0.8849, 0.010), "float16"),  # lost .0051
        ((3, 2.4, 0.890, 0.016), "float16"),  # no longer calibrated
        ((3, 4.9, 0.890, 0.010), "float16"),  # slower
        ((3, 4.4, 0.890, 0.010), "int8"),  # as fast, within the tie, and smaller
    ],
)
def test_the_rule(int8: tuple[float, float, float, float], chosen: str) -> None:
    forms = table(float32=(10, 4.0, 0.89, 0.01), float16=(5, 4.1, 0.89, 0.01), int8=int8)
    assert choose_form(forms, "top1") == chosen


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("forms") / "bundle")


@pytest.mark.slow
def test_forms_are_measured_and_the_chosen_one_is_shipped(bundle: Path) -> None:
    shown = crops(per_label=3)
    before = load_bundle(bundle)
    assert form_of(before.path("classifier.tflite")) == "float16"
    with exported_forms(bundle, Calibration(shown.images, [])) as paths:
        assert set(paths) == {"classifier"}
        assert {form: form_of(path) for form, path in paths["classifier"].items()} == {
            form: form for form in paths["classifier"]
        }
        scores = form_scores(bundle, paths, shown, [])
        rows = scores["classifier"]["forms"]
        assert rows["float32"]["logit_change"] == 0
        assert rows["float32"]["agreement"] == 1
        assert rows["float16"]["agreement"] == 1
        assert 0 < rows["int8"]["logit_change"] < 1
        assert scores["classifier"]["shipped"] == "float16"
        # Whatever the clock said here: ship the int8 form.
        scores["classifier"]["chosen"] = "int8"
        assert ship(bundle, paths, scores) == ["classifier: int8"]
        assert ship(bundle, paths, scores) == []
    after = load_bundle(bundle)
    assert form_of(after.path("classifier.tflite")) == "int8"
    assert scores["classifier"]["shipped"] == "int8"
    identifier = Identifier(after)  # sha256s and the self-test fit the new file
    assert identifier.classifier.run(np.zeros((SIZE, SIZE, 3), np.uint8)).logits.shape == (5,)
    assert after.config.classifier.temperature == before.config.classifier.temperature
    assert json.loads((bundle / "config.json").read_text())["self_test"]["logits"]
