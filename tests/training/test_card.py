"""The model card holds measured numbers only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from support.processes import ROOT

from smartbreed.core.settings import EMBEDDED_BUNDLE
from training.reporting.card_text import CLOSE, OPEN, Figures, render
from training.reporting.goals import GOALS
from training.reporting.model_card import DEFAULT, PLOTS, TEMPLATE, render_card, write_card

#: Phrases of the template whose digits are names, definitions or facts of others, never results of ours.
STATED = (
    "CC BY-SA 4.0", "IoU .5", "score of .3", "AP .5:.95", "1×1", "95% interval", "MobileNet v1 0.75",
    "120 of the 121 dog breeds", "about 40 near-duplicate pairs", "15 bins", "top-1", "top-3", "top-5",
    "Top-1", "Top-5",
)  # fmt: skip
#: A number as a person would type it; digits that belong to a word (MobileNetV2) are none.
NUMBER = re.compile(r"(?<![\w.])\.?\d+(?:[.,]\d+)*%?(?!\w)")


def typed_numbers(marked: str, stated: Iterable[str] = ()) -> list[str]:
    """Numbers of a card rendered with marks that no run produced, in the order they stand in.

    Args:
        marked: the card.
        stated: phrases whose numbers are names or facts, not results.
    """
    text = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", " ", marked)
    for phrase in stated:
        text = text.replace(phrase, " ")
    return NUMBER.findall(text)


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
        monkeypatch.setattr("training.reporting.model_card.TEMPLATE", forged)
        assert typed_numbers(render_card(config, marked=True), STATED), sentence


def test_the_stated_phrases_are_all_used_and_hold_no_result() -> None:
    written = TEMPLATE.read_text() + (ROOT / "training/reporting/card_tables.py").read_text()
    written += "".join(goal.text for goal in GOALS)
    assert [phrase for phrase in STATED if phrase not in written] == []


def test_a_figure_that_was_not_measured_is_refused(config: dict[str, Any]) -> None:
    less = {key: value for key, value in config["metrics"]["classifier"].items() if key != "macro_f1"}
    metrics = {**config["metrics"], "classifier": less}
    with pytest.raises(KeyError, match="macro_f1"):
        render_card({**config, "metrics": metrics})


def test_every_goal_is_measured_or_said_to_be_unknown(config: dict[str, Any]) -> None:
    card = render_card(config)
    for goal in GOALS:
        assert goal.text in card
        if goal.path:
            assert Figures(config["metrics"]).get(goal.path) is not None, goal.text
        else:
            assert goal.unknown in card


def test_the_card_says_what_is_optimistic(config: dict[str, Any]) -> None:
    card = render_card(config)
    assert "ImageNet overlap" in card
    assert "CC BY-SA 4.0" in card
    assert "model-index" in card.split("---")[1]


def test_the_metadata_is_what_the_hub_reads(config: dict[str, Any]) -> None:
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
    for text, beside in ((card, tmp_path), (readme, tmp_path / "bundle")):
        assert all((beside / name).is_file() for name in re.findall(r"\]\(([^)]+)\)", text))


@pytest.mark.parametrize(
    ("data", "dataset"),
    [
        ({"source": "keras:cifar10"}, "cifar10"),
        ({"source": "microsoft/cats_vs_dogs"}, "microsoft/cats_vs_dogs"),
        ({"source": "/home/me/my photos: [all]"}, "my photos: [all]"),
        ({"source": "../boxes/2024.parquet"}, "2024"),
        ({"source": "pets"}, "pets"),
    ],
)
def test_a_card_claims_the_data_and_licence_of_its_own_recipe(
    data: dict[str, str], dataset: str, config: dict[str, Any]
) -> None:
    """Also under the name of the default model, which `breeds` keeps whatever it is trained on."""
    for name in ("other", DEFAULT):
        recipe = {**config["recipe"], "data": data}
        text = render_card({**config, "name": name, "recipe": recipe})
        card = ModelCard(text)
        assert card.data.license is None
        assert {result.dataset_type for result in card.data.eval_results} == {dataset}
        assert "Stanford" not in text
        assert (
            typed_numbers(render_card({**config, "name": name, "recipe": recipe}, marked=True), STATED) == []
        )


def test_a_name_may_hold_what_yaml_minds(config: dict[str, Any]) -> None:
    card = ModelCard(render_card({**config, "name": "mine: [1, 2]", "recipe": {"data": {"source": "x"}}}))
    assert card.data.model_name == "mine: [1, 2]"


def test_the_card_says_which_pictures_were_judged(config: dict[str, Any]) -> None:
    other = {**config, "name": "other"}
    tested = render_card(other)
    assert "2385 test pictures of" in tested
    assert "never on a test split" in tested
    held = render_card({**other, "metrics": {**config["metrics"], "split": "validation"}})
    assert "2385 held-back pictures of" in held
    assert "never on a test split" not in held
    assert "they flatter" in held
    assert "test pictures of" not in held
    assert "test crops" not in held
    splits = {result.task_type: result.dataset_split for result in ModelCard(held).data.eval_results}
    assert splits == {"image-classification": "validation", "object-detection": "test"}


def test_a_bundle_that_finds_no_pet_gets_a_card(config: dict[str, Any]) -> None:
    pipeline = {"photographs": 10, "with_a_pet_found": 0.0, "species": None, "breed": None}
    metrics = {**config["metrics"], "pipeline": pipeline}
    for name in ("other", DEFAULT):
        card = render_card({**config, "name": name, "metrics": metrics})
        assert "| photographs with a pet found anywhere on them | 0.0000 |" in card
        assert "| species of the best pet, where one is found | – |" in card
    without = {key: value for key, value in config["metrics"].items() if key != "pipeline"}
    assert "| AP50 | " in render_card({**config, "metrics": without})


def test_a_detectors_recipe_says_so(config: dict[str, Any]) -> None:
    recipe = {**config["recipe"], "task": "detect", "data": {"source": "mine", "scenes": "scenes"}}
    card = render_card({**config, "name": "finder", "recipe": recipe})
    assert "a detector trained for this bundle" in card
    assert "a detector trained for this bundle" not in render_card(config)


def test_the_template_language() -> None:
    values = {"a": {"b": 0.12345, "none": None}, "size": 2_500_000}
    text = """{{ figure("a.b", ".2f") }} {{ figure("a.b", "percent") }} {{ figure("size", "mb") }}
{% if has("a.none") %}
no
{% endif %}
{% if has("a.b") %}
yes
{% endif %}
"""
    assert render(text, Figures(values), {}) == "0.12 12.3% 2.5\nyes\n"
    with pytest.raises(KeyError, match=r"a\.c"):
        render('{{ figure("a.c") }}', Figures(values), {})
    marked = render('{{ figure("a.b", ".2f") }} and 7 and MobileNetV2', Figures(values, marked=True), {})
    assert typed_numbers(marked) == ["7"]
