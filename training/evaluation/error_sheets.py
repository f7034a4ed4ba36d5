"""The surest mistakes as contact sheets, each picture beside where the network looked.

They show training photographs, so they go to a run directory and never into the repository.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smartbreed.inference.grad_cam import grad_cam, overlay
from smartbreed.inference.pipeline import Identifier
from training.data import Crops
from training.evaluation.answers import Answers, run
from training.reporting.contact_sheet import contact_sheet

#: Mistakes on one sheet, and sheets at most.
PER_SHEET, SHEETS = 24, 3


def surest_mistakes(answers: Answers, most: int) -> np.ndarray:
    """Indices of the wrong answers, the surest first."""
    wrong = np.flatnonzero(~answers.right)
    return wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]


def error_sheets(identifier: Identifier, crops: Crops, answers: Answers, folder: Path) -> list[Path]:
    """Write ``mistakes-1.png`` and so on; returns their paths.

    Each picture is followed by itself under the Grad-CAM of what was said. The captions say what it is,
    and what was said with which probability.
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
