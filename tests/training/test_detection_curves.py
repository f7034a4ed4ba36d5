"""The curves of a detector say what counting says, and its mistakes are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from smartbreed.inference.results import Guess, Pet
from training.data import Scene
from training.evaluation.detection_curves import detection_curves
from training.evaluation.detection_metrics import average_precision, false_alarm_rate, recall
from training.evaluation.mistake_sheets import photograph_sheets
from training.evaluation.whole_photographs import Seen, boxes_and_scores
from training.reporting import plots

Box = tuple[float, float, float, float]
PET: Box = (10, 10, 80, 70)


def pet(box: Box, score: float) -> Pet:
    guess, nothing = Guess("pug", "Pug", 0.9), np.zeros(1, np.float32)
    return Pet(box, box, score, "dog", "breed", (guess,), guess, nothing, nothing, nothing)


def photograph(number: int, boxes: list[Box]) -> Scene:
    image = np.random.default_rng(number).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    kind = "dog" if boxes else "negative"
    return Scene(
        image, np.array(boxes, np.float32).reshape(-1, 4), np.ones(len(boxes), np.int64), kind, "human",
        f"{number:064x}", file=f"photo_{number}.webp",
    )  # fmt: skip


@pytest.fixture
def seen() -> Seen:
    """One pet found well, one badly, one hardly, one not at all; one alarm of three."""
    found = [
        (pet(PET, 0.9),),
        (pet((30, 10, 100, 70), 0.8),),  # IoU .56
        (pet(PET, 0.3), pet((85, 0, 119, 30), 0.2)),
        (),
    ]
    alarms: list[tuple[Pet, ...]] = [(pet((0, 0, 60, 60), 0.7),), (), (pet((0, 0, 60, 60), 0.1),)]
    scenes = [photograph(n, [PET]) for n in range(4)]
    return Seen(scenes, found, [photograph(n, []) for n in range(4, 7)], alarms)


def test_the_curves_are_what_counting_gives(seen: Seen) -> None:
    curves = detection_curves(seen, 0.5)
    truths, found = [scene.boxes for scene in seen.scenes], boxes_and_scores(seen.found)
    for place in (0, 24, 49, 84, 98):
        threshold = curves["thresholds"][place]
        assert curves["recall"][place] == recall(truths, found, 0.5, threshold)
        assert curves["false_alarms"][place] == false_alarm_rate(boxes_and_scores(seen.alarms), threshold)
    half, strict = curves["precision_recall"]["0.5"], curves["precision_recall"]["0.75"]
    assert half["ap"] == average_precision(truths, found, 0.5)
    assert half["at"] == [0.5, 1.0]
    assert strict["at"] == [0.25, 0.5]
    assert half["precision"] == sorted(half["precision"], reverse=True)
    assert half["recall"][-1] == 0.75


def test_nothing_found_and_nothing_to_find(tmp_path: Path) -> None:
    missed = Seen([photograph(0, [PET])], [()], [], [])
    curves = detection_curves(missed, 0.5)
    assert curves["precision_recall"]["0.5"]["at"] is None
    assert set(curves["recall"]) == {0.0}
    assert curves["false_alarms"] is None
    empty = detection_curves(Seen([], [], [photograph(1, [])], [()]), 0.5)
    assert empty["precision_recall"] == {}
    assert empty["recall"] is None
    for number, some in enumerate((curves, empty)):
        plots.detector(some, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000


def test_the_plot_is_the_same_twice(seen: Seen, tmp_path: Path) -> None:
    for name in ("a", "b"):
        plots.detector(detection_curves(seen, 0.5), tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_missed_pets_and_false_alarms_are_shown(
    seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions_of: dict[str, list[str]] = {}

    def sheet(pictures: list[np.ndarray], captions: list[str], path: Path, **_: int) -> None:
        captions_of[path.stem] = captions
        Image.fromarray(pictures[0]).save(path)

    monkeypatch.setattr("training.evaluation.mistake_sheets.contact_sheet", sheet)
    paths = photograph_sheets(seen, 0.5, tmp_path / "mistakes")
    assert [path.name for path in paths] == ["missed.png", "false_alarms.png"]
    assert captions_of == {
        "missed": ["dog missed, no box on it", "dog missed, seen with 0.30"],
        "false_alarms": ["0.70 dog: photo_4"],
    }
    # A lower threshold misses less and alarms more; of the other one nothing is left.
    photograph_sheets(seen, 0.15, tmp_path / "mistakes")
    assert captions_of["missed"] == ["dog missed, no box on it"]
    assert captions_of["false_alarms"] == ["0.70 dog: photo_4", "0.20 dog: photo_2"]
    perfect = Seen(seen.scenes[:1], seen.found[:1], [], [])
    assert photograph_sheets(perfect, 0.5, tmp_path / "mistakes") == []
    assert list((tmp_path / "mistakes").iterdir()) == []
