"""Contact sheets of mistakes: the most confident on crops; missed pets and false alarms on photographs.

They show pictures of the dataset, so they go into a run directory and never into the repository.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from smartbreed.inference.boxes import iou
from smartbreed.inference.grad_cam import grad_cam, overlay
from smartbreed.inference.pipeline import Identifier
from training.data import Crops, Scene
from training.evaluation.answers import Answers, run
from training.evaluation.detection_metrics import assign
from training.evaluation.whole_photographs import SPECIES, Seen, boxes_and_scores, stem
from training.reporting.contact_sheet import contact_sheet

#: Most mistakes on a sheet of photographs.
SHOWN = 24
#: Colours of true boxes and of detections.
TRUE, FOUND = "#5f7f3a", "#b5533c"


@dataclass(frozen=True)
class _Mistake:
    """A mistake on a photograph; those with the smallest ``order`` are shown first."""

    scene: Scene
    boxes: np.ndarray
    caption: str
    order: float


def photograph_sheets(seen: Seen, score: float, folder: Path) -> list[Path]:
    """Write ``missed.png`` and ``false_alarms.png``; return the paths of those that were written.

    Green boxes are pets. Red boxes are detections from ``score`` on in ``missed.png``, and the false alarm in
    ``false_alarms.png``. The misses with the lowest score and the alarms with the highest score come first.

    Args:
        seen: photographs and what was found on them.
        score: the threshold that the app uses.
        folder: created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, mistakes in (("missed", _missed(seen, score)), ("false_alarms", _alarms(seen, score))):
        path = folder / f"{name}.png"
        path.unlink(missing_ok=True)  # may be from another threshold
        chosen = sorted(mistakes, key=lambda mistake: mistake.order)[:SHOWN]
        if chosen:
            contact_sheet(
                [_drawn(one.scene, one.boxes) for one in chosen], [one.caption for one in chosen], path,
                columns=6, side=200,
            )  # fmt: skip
            paths.append(path)
    return paths


def _missed(seen: Seen, score: float) -> Iterable[_Mistake]:
    for scene, (boxes, scores) in zip(seen.scenes, boxes_and_scores(seen.found), strict=True):
        shown = scores >= score
        for number, truth in enumerate(scene.boxes):
            others = np.delete(scene.boxes, number, axis=0)
            # A pet is missed if removing its true box leaves as many detections right.
            with_it, without = (
                assign(some, boxes[shown], scores[shown], 0.5).sum() for some in (scene.boxes, others)
            )
            if with_it > without:
                continue
            near = iou(boxes, truth[None])[:, 0] >= 0.5 if len(boxes) else np.zeros(0, bool)
            best = float(scores[near].max(initial=0.0))
            what = f"seen with {best:.2f}" if best else "no box on it"
            yield _Mistake(scene, boxes[shown], f"{SPECIES[scene.species[number]]} missed, {what}", best)


def _alarms(seen: Seen, score: float) -> Iterable[_Mistake]:
    pairs = [*zip(seen.scenes, seen.found, strict=True), *zip(seen.empty, seen.alarms, strict=True)]
    for scene, pets in pairs:
        (boxes, scores) = boxes_and_scores([pets])[0]
        right = assign(scene.boxes, boxes, scores, 0.5)
        for number in np.flatnonzero(~right & (scores >= score)):
            what = pets[number].species or "pet"
            caption = f"{scores[number]:.2f} {what}: {stem(scene.file) or scene.kind}"
            yield _Mistake(scene, boxes[number][None], caption, -float(scores[number]))


def _drawn(scene: Scene, found: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(scene.image)
    draw, width = ImageDraw.Draw(picture), max(2, max(picture.size) // 90)
    for colour, boxes in ((TRUE, scene.boxes), (FOUND, found)):
        for box in boxes.tolist():
            draw.rectangle(box, outline=colour, width=width)
    return np.asarray(picture)


#: Mistakes on one sheet of crops, and most sheets.
PER_SHEET, SHEETS = 24, 3


def surest_mistakes(answers: Answers, most: int) -> np.ndarray:
    """Return the indices of up to ``most`` wrong answers, most confident first."""
    wrong = np.flatnonzero(~answers.right)
    return wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]


def error_sheets(identifier: Identifier, crops: Crops, answers: Answers, folder: Path) -> list[Path]:
    """Write ``mistakes-1.png`` and so on; return their paths.

    Each picture is followed by a copy under the Grad-CAM of the predicted breed. The captions name the true
    breed and the predicted one with its probability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = surest_mistakes(answers, PER_SHEET * SHEETS)
    bias = identifier.bundle.config.classifier.bias or (0.0,) * len(identifier.labels)
    paths = []
    for number, start in enumerate(range(0, len(chosen), PER_SHEET), start=1):
        pictures, captions = [], []
        some = chosen[start : start + PER_SHEET]
        for index, outputs in zip(some, run(identifier, crops.images[some]), strict=True):
            said, picture = int(answers.said[index]), crops.images[index]
            heat = grad_cam(outputs.class_maps, said, bias[said])
            pictures += [picture, overlay(picture, heat)]
            names = identifier.decision_rule.names
            captions += [
                f"is {names[answers.truth[index]]}",
                f"{answers.confidence[index]:.2f} {names[said]}",
            ]
        paths.append(folder / f"mistakes-{number}.png")
        contact_sheet(pictures, captions, paths[-1], columns=8, side=150)
    return paths
