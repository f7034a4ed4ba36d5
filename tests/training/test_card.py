"""The model card holds measured numbers only."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from smartbreed.config import EMBEDDED_BUNDLE
from training.card import TEMPLATE, render_card

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> dict:
    return json.loads((EMBEDDED_BUNDLE / "config.json").read_text())


def test_the_card_is_what_the_template_makes_of_the_measured_numbers(config: dict) -> None:
    card = (ROOT / "model_card.md").read_text()
    assert card == render_card(config)
    assert card == (EMBEDDED_BUNDLE / "README.md").read_text()


def test_a_figure_nobody_measured_is_refused(config: dict) -> None:
    metrics = {**config["metrics"], "detector": {}}
    with pytest.raises(KeyError):
        render_card({**config, "metrics": metrics})


def test_the_template_types_no_result_by_hand() -> None:
    # Four-digit shares such as 0.8731 are results, and results come from a run.
    assert not re.findall(r"\b0\.\d{4}\b", TEMPLATE.read_text())


def test_the_card_says_what_is_optimistic(config: dict) -> None:
    card = render_card(config)
    assert "ImageNet overlap" in card
    assert "CC BY-SA 4.0" in card
    assert "model-index" in card.split("---")[1]
