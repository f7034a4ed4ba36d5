"""A model of one's own classes: its plots and its card speak of what it tells apart."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from support.tiny_bundle import BREEDS, crops, write_bundle

from training.evaluation import evaluate_bundle
from training.reporting import plots
from training.reporting.model_card import render_card
from training.reporting.wording import PETS, THINGS

FLOWERS = [{"id": name, "name": name.capitalize()} for name in ("daisy", "tulip", "clover", "poppy", "lily")]
#: What is only said of pets.
OF_PETS = re.compile(r"\bbreeds?\b|\bpets?\b|\bspecies\b|famil(y|ies)|\bcats?\b|\bdogs?\b|top-5", re.I)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Every figure that is saved, by the name of its file."""
    figures: dict[str, Figure] = {}
    save = Figure.savefig

    def keep(self: Figure, path: Any, **options: Any) -> None:
        figures[Path(path).stem] = self
        save(self, path, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def texts(figure: Figure) -> str:
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def test_plots_and_card_of_flowers_name_no_breed(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    bundle = write_bundle(tmp_path / "bundle", labels=FLOWERS)
    shown = crops(names=tuple(label["id"] for label in FLOWERS))
    scores = evaluate_bundle(bundle, shown, tmp_path, robustness=2)
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == set(drawn)
    # The whole matrix of five labels shows those that are most often confused; there are no families.
    assert set(drawn) == {"reliability", "coverage", "confusion", "hardest_breeds", "roc", "robustness"}
    for name, figure in drawn.items():
        assert not OF_PETS.search(texts(figure)), name
        assert all(axes.has_data() for axes in figure.axes if axes.axison), name

    config = {**json.loads((bundle / "config.json").read_text()), "name": "flowers", "metrics": scores}
    card = render_card(config, plots="plots", found=frozenset(f"{name}.png" for name in drawn))
    assert "Tells 5 labels apart" in card
    # What stands in a file's name or in the Hub's own field is no word of the page.
    said = re.sub(r"\(plots/\w+\.png\)", "", card)
    assert [line for line in said.splitlines() if OF_PETS.search(line)] == []
    assert "| Daisy | 6 | " in card


@pytest.mark.slow
def test_pets_are_called_so(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    scores = evaluate_bundle(bundle, crops(), tmp_path, robustness=2)
    assert "One breed against all others" in texts(drawn["roc"])
    assert "Small pets" in texts(drawn["robustness"])
    assert {row["group"] for row in scores["groups"]} == {"pointed_cat", "schnauzer"}
    config = {**json.loads((bundle / "config.json").read_text()), "name": "mine", "metrics": scores}
    for label in config["classifier"]["labels"]:
        label.setdefault("name", label["id"])
    card = render_card(config)
    assert "| family right | " in card
    assert "only the family for" in card
    assert "mean over breeds" in card
    assert len(BREEDS) == 5
    assert "top-5" not in card


@pytest.mark.parametrize("count", [1, 6, 30, 500])
def test_the_curve_of_coverage_begins_with_the_first_pictures(
    count: int, tmp_path: Path, drawn: dict[str, Figure]
) -> None:
    confidence = np.linspace(0.99, 0.3, count)
    plots.coverage(confidence, np.ones(count, bool), {}, tmp_path / "coverage.png")
    axes = drawn["coverage"].axes[0]
    covered = axes.get_lines()[0].get_xdata()
    assert covered[0] <= max(1 / count, 0.07)
    assert covered[-1] == 1
    low, high = axes.get_ylim()
    assert low <= 0.9 < 1 <= high  # percents, not fractions of one


def test_labels_that_are_never_mistaken_have_no_roc_curve(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    false, true = np.array([0.01, 0.1, 1.0]), np.ones(3)
    plots.roc(false, true, 1.0, {"daisy": 1.0, "tulip": 1.0}, "label", tmp_path / "roc.png")
    assert not (tmp_path / "roc.png").exists()
    plots.roc(false, true, 0.95, {"daisy": 0.9, "tulip": 1.0}, "label", tmp_path / "roc.png")
    assert "Daisy" not in texts(drawn["roc"])
    assert [tick.get_text() for tick in drawn["roc"].axes[1].get_yticklabels()] == ["daisy"]


def test_robustness_says_its_note_once(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    curve = {"unit": "σ", "points": [{"strength": 1, "top1": 0.5}]}
    result = {"pictures": 6, "clean": 0.9, "curves": {f"fault {number}": curve for number in range(6)}}
    for words in (PETS, THINGS):
        plots.robustness(result, words, tmp_path / "robustness.png")
        assert texts(drawn["robustness"]).count(f"wrong among the {words.label}s said") == 1


def test_the_hardest_of_few_are_called_no_top_list(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    plots.per_breed({"daisy": 1.0, "tulip": 0.5}, tmp_path / "hardest.png")
    assert "The 2 hardest" not in texts(drawn["hardest"])
    plots.per_breed({f"label {number}": 0.5 for number in range(30)}, tmp_path / "hardest.png")
    assert "The 20 hardest" in texts(drawn["hardest"])


def test_families_are_named_where_they_are_framed(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    names = [f"label {number:02}" for number in range(30)]
    plots.confusion(np.eye(30, dtype=int), names, [""] * 30, tmp_path / "plain.png")
    plots.confusion(np.eye(30, dtype=int), names, ["a"] * 15 + ["b"] * 15, tmp_path / "framed.png")
    assert "family" not in texts(drawn["plain"])
    assert not drawn["plain"].axes[0].patches
    assert "family" in texts(drawn["framed"])
    assert len(drawn["framed"].axes[0].patches) == 2
