"""What the pictures of a retraining show is said to those who cannot see them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from smartbreed.i18n import gettext, speaking
from smartbreed.training_jobs.job import Job
from smartbreed.training_jobs.plots_in_words import in_words
from smartbreed.web.pages.train import cards

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def group(name: str, state: str, mean: float) -> dict[str, Any]:
    return {"name": name, "state": state, "mean": mean, "count": 20}


REPORT = {
    "history": [
        {"version": "1.0.0", "learnt": [], "gate_top1": 0.889},
        {"version": "1.1.0", "gate_top1": 0.893, "flagged_top1_before": 0.25, "flagged_top1": 0.75},
    ],
    "figures": {
        "gate": {
            "top1": {"champion": 0.889, "challenger": 0.893},
            "groups": {
                "a": group("Terriers", "worse", -0.1), "b": group("Hounds", "worse", -0.2),
                "c": group("Spitz dogs", "open", -0.05), "d": group("Toy dogs", "held", 0.0),
            },
        },
        "flagged": {"samples": 12, "top1": {"champion": 0.25, "challenger": 0.75}},
    },
}  # fmt: skip


def test_each_picture_says_the_figures_it_is_drawn_from() -> None:
    assert in_words("accuracy_per_version", REPORT) == (
        "Named right on the gate set, by version: 1.0.0 88.9%, 1.1.0 89.3%. "
        "Of newly accepted photos, unseen: 1.1.0 25.0% before and 75.0% after."
    )
    assert in_words("breed_groups", REPORT) == (
        "2 got worse: Hounds by 20 points, Terriers by 10 points. "
        "1 lost more than is allowed, which chance may explain: Spitz dogs by 5 points. "
        "1 of 4 are not worse."
    )
    assert in_words("before_and_after", REPORT) == (
        "Gate set: the champion names 88.9% right, the challenger 89.3%. "
        "Flagged, unseen, 12 samples: the champion names 25.0% right, the challenger 75.0%."
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("de", "2 wurden schlechter: Hounds um 20 Punkte, Terriers um 10 Punkte."),
        ("es", "2 empeoraron: Hounds en 20 puntos, Terriers en 10 puntos."),
    ],
)
def test_they_are_said_in_the_language_of_the_page(tmp_path: Path, code: str, said: str) -> None:
    drawn = gate_of(tmp_path, "breed_groups")
    with speaking(code):
        for name in ("accuracy_per_version", "before_and_after", "breed_groups"):
            assert not re.search(r"[a-z]{3,} (right|before|better|worse)\b", in_words(name, REPORT))
        assert in_words("breed_groups", REPORT).startswith(said)
        spoken = gate_of(tmp_path, "breed_groups")
        title, note = gettext("Breed groups"), gettext("The text in the pictures is in English.")
    assert f'<img alt="{title}. {said}' in spoken
    assert f"<figcaption>{title}</figcaption>" in spoken
    assert note in spoken
    assert "The text in the pictures" not in drawn


def gate_of(home: Path, *pictures: str) -> str:
    """What the page shows of a report with these pictures."""
    folder = home / "retraining" / "20261121T120000Z"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(REPORT))
    for name in pictures:
        (folder / f"{name}.png").write_bytes(PNG)
    result = SimpleNamespace(report=str(folder))
    job = cast(Job, SimpleNamespace(running=False, progress=SimpleNamespace(result=result)))
    return cards.gate(home, job)


def test_every_picture_the_trainer_draws_is_known() -> None:
    drawn = re.findall(r'"(\w+)\.png"', (ROOT / "training/continual/plots.py").read_text(encoding="utf-8"))
    assert len(drawn) == 3
    assert all(in_words(name, REPORT) for name in drawn)


@pytest.mark.parametrize(
    "values", [{}, {"history": 3, "figures": []}, {"history": [{}], "figures": {"gate": {"groups": [1]}}}]
)
def test_a_report_that_lacks_something_leaves_the_title(values: dict[str, Any]) -> None:
    for name in ("accuracy_per_version", "breed_groups", "before_and_after", "other"):
        assert in_words(name, values) == ""


def test_the_page_puts_it_beside_the_picture(tmp_path: Path) -> None:
    drawn = gate_of(tmp_path, "accuracy_per_version", "another")
    assert re.findall(r'<img alt="([^"]*)"', drawn) == [
        f"Accuracy per version. {in_words('accuracy_per_version', REPORT)}",
        "Another",
    ]
