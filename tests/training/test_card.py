"""The model card holds measured numbers only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartbreed.config import EMBEDDED_BUNDLE
from training.card import DEFAULT, PLOTS, STATED, TEMPLATE, render_card, write_card
from training.card_text import Figures, render, typed_numbers
from training.goals import GOALS, look_up

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return dict(json.loads((EMBEDDED_BUNDLE / "config.json").read_text()))


def test_the_card_is_what_the_template_makes_of_the_measured_numbers(config: dict[str, Any]) -> None:
    found = frozenset(path.name for path in (ROOT / "docs/plots").glob("*.png"))
    assert (ROOT / "model_card.md").read_text() == render_card(config, plots="docs/plots", found=found)
    assert (EMBEDDED_BUNDLE / "README.md").read_text() == render_card(config)


def test_no_number_of_the_card_was_typed(config: dict[str, Any]) -> None:
    found = frozenset(PLOTS)
    assert typed_numbers(render_card(config, plots="docs/plots", found=found, marked=True), STATED) == []


def test_a_typed_number_is_caught(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for sentence in ("It reaches .93.", "It reaches 0.9312.", "97% of cats are right.", "Takes 4 ms."):
        forged = tmp_path / "template.md"
        forged.write_text(TEMPLATE.read_text() + sentence + "\n")
        monkeypatch.setattr("training.card.TEMPLATE", forged)
        assert typed_numbers(render_card(config, marked=True), STATED), sentence


def test_the_stated_phrases_are_all_used_and_hold_no_result() -> None:
    written = TEMPLATE.read_text() + (ROOT / "training/card_tables.py").read_text()
    written += "".join(goal.text for goal in GOALS)
    assert [phrase for phrase in STATED if phrase not in written] == []


def test_a_figure_nobody_measured_is_refused(config: dict[str, Any]) -> None:
    less = {key: value for key, value in config["metrics"]["classifier"].items() if key != "macro_f1"}
    metrics = {**config["metrics"], "classifier": less}
    with pytest.raises(KeyError, match="macro_f1"):
        render_card({**config, "metrics": metrics})


def test_every_goal_is_measured_or_said_to_be_unknown(config: dict[str, Any]) -> None:
    card = render_card(config)
    for goal in GOALS:
        assert goal.text in card
        if goal.path:
            assert look_up(config["metrics"], goal.path) is not None, goal.text
        else:
            assert goal.unknown in card


def test_the_card_says_what_is_optimistic(config: dict[str, Any]) -> None:
    card = render_card(config)
    assert "ImageNet overlap" in card
    assert "CC BY-SA 4.0" in card
    assert "model-index" in card.split("---")[1]


def test_the_metadata_is_what_the_hub_reads(config: dict[str, Any]) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(render_card(config))
    assert card.data.license == "apache-2.0"
    figures = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert figures["Top-1 accuracy"] == pytest.approx(config["metrics"]["classifier"]["top1"])
    assert figures["AP50"] == pytest.approx(config["metrics"]["detector"]["ap50"])


def test_another_recipe_gets_a_smaller_card_and_only_plots_that_are_there(
    config: dict[str, Any], tmp_path: Path
) -> None:
    kept = {key: config["metrics"][key] for key in ("classifier", "per_label")}
    other = {**config, "name": "my-things", "metrics": kept, "training": {}, "detector": None}
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/roc.png").touch()
    (tmp_path / "bundle").mkdir()
    write_card(other, [tmp_path / "model_card.md", tmp_path / "bundle/README.md"])
    card, readme = (tmp_path / "model_card.md").read_text(), (tmp_path / "bundle/README.md").read_text()
    assert "](plots/roc.png)" in card
    assert "reliability.png" not in card
    assert "](" not in readme
    for absent in ("ImageNet", "Whole photographs", "float16", DEFAULT, "{{", "AP50"):
        assert absent not in card
    assert "Every label" in card


def test_the_template_language() -> None:
    values = {"a": {"b": 0.12345, "none": None}, "size": 2_500_000}
    text = "{{a.b|.2f}} {{a.b|percent}} {{size|mb}}\n{{#if a.none}}\nno\n{{/if}}\n{{#if a.b}}\nyes\n{{/if}}\n"
    assert render(text, Figures(values), {}) == "0.12 12.3% 2.5\nyes\n"
    with pytest.raises(KeyError, match=r"a\.c"):
        render("{{a.c}}", Figures(values), {})
    marked = render("{{a.b|.2f}} and 7 and MobileNetV2", Figures(values, marked=True), {})
    assert typed_numbers(marked) == ["7"]
