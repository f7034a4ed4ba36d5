"""Evaluate a bundle: figures as ``scores.json``, plots as PNG, mistakes as contact sheets."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.bundle import CONFIG, load_bundle
from smartbreed.inference.evaluation import FILE, Evaluation
from smartbreed.inference.pipeline import Identifier
from training.common.errors import DataError
from training.data import Crops, Scene
from training.data.others import Others
from training.evaluation.answers import Answers, ask
from training.evaluation.crop_scores import (
    classifier_metrics,
    confused_pairs,
    group_scores,
    label_evaluation,
    per_label,
    threshold_table,
)
from training.evaluation.drawing import draw
from training.evaluation.mistake_sheets import error_sheets, photograph_sheets
from training.evaluation.out_of_distribution import others_metrics, out_of_distribution_metrics
from training.evaluation.robustness import robustness as measure_robustness
from training.evaluation.whole_photographs import (
    Seen,
    detector_metrics,
    other_photograph_metrics,
    pipeline_metrics,
    run_photographs,
)
from training.reporting.model_card import dataset_name


def evaluate_bundle(
    bundle_folder: Path,
    crops: Crops | None,
    out_folder: Path,
    *,
    scenes: Sequence[Scene] | None = None,
    empty: Sequence[Scene] | None = None,
    robustness: int = 0,
    trained: Collection[str] | None = None,
    others: Others | None = None,
    other_scenes: Sequence[Scene] = (),
    split: str = "test",
) -> dict[str, Any]:
    """Evaluate a bundle and return the scores.

    Writes ``scores.json``, ``curves.json``, ``plots/`` and ``mistakes/`` into ``out_folder``; with crops also
    ``evaluation.json`` for the bundle (`smartbreed.inference.evaluation`).

    Args:
        bundle_folder: the bundle; its served LiteRT files are evaluated.
        crops: test crops; None skips the evaluation on crops.
        out_folder: created if missing. ``mistakes/`` shows test photographs: keep it out of the repository.
        scenes: whole test photographs with pets.
        empty: whole photographs without pets that nothing was trained on.
        robustness: number of pictures for the robustness curves; 0 skips them.
        trained: names of the original files of the classifier's training crops. If None (unknown), no breed
            is evaluated on whole photographs, because the classifier may have memorised them.
        others: other animals and pets of no breed; the held-back ones are evaluated.
        other_scenes: whole photographs of other animals and of several pets that nothing was trained on.
        split: the split the crops are from, ``test`` or ``validation``.

    Returns:
        The scores, floats rounded to four places. Parts without input are left out.

    Raises:
        DataError: there is nothing to evaluate on, or crops have a label the model does not know.
        BundleError: the bundle cannot be used.
    """
    if crops is None and not scenes and not empty:
        raise DataError("There must be crops or whole photographs to evaluate on. Received: none")
    identifier = Identifier(load_bundle(bundle_folder))
    plots = out_folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    scores: dict[str, Any] = {}
    answers: Answers | None = None
    if crops is not None:
        answers = ask(identifier, crops)
        scores |= crop_scores(identifier, answers)
        write_evaluation(identifier, answers, scores, split, out_folder)
        error_sheets(identifier, crops, answers, out_folder / "mistakes")
        if robustness:
            scores["robustness"] = measure_robustness(identifier, crops, robustness)
    if others is not None and others.held.any():
        scores["others"] = others_metrics(identifier, others)
    seen = None
    if identifier.detector is not None and (scenes or empty):
        seen = run_photographs(identifier, scenes or (), empty or ())
        scores |= photograph_scores(identifier, seen, trained)
        if other_scenes:
            scores["detector"] |= other_photograph_metrics(identifier, other_scenes)
        photograph_sheets(seen, identifier.detector.config.score, out_folder / "mistakes")
    scores = rounded(scores)
    draw(identifier, answers, seen, scores, plots)
    write_scores(out_folder, scores)
    return scores


def crop_scores(identifier: Identifier, answers: Answers) -> dict[str, Any]:
    """Return every figure of the classifier on crops."""
    return {
        "classifier": classifier_metrics(identifier, answers),
        "per_label": per_label(identifier, answers),
        "groups": group_scores(identifier, answers),
        "confused": confused_pairs(identifier, answers),
        "thresholds": threshold_table(answers, identifier.decision_rule.thresholds.breed),
    }


def write_evaluation(
    identifier: Identifier, answers: Answers, scores: dict[str, Any], split: str, folder: Path
) -> None:
    """Write ``evaluation.json``, with the date and the kind of the crops."""
    bundle = identifier.bundle
    recipe = json.loads((bundle.folder / CONFIG).read_text()).get("recipe") or {}
    kind = "test" if split == "test" else "held-back"
    measured = Evaluation.model_validate(
        {
            "version": bundle.config.version,
            "date": dt.datetime.now(dt.UTC).date(),
            "data": f"{kind} pictures of {dataset_name(recipe.get('data') or {})}",
            **rounded(label_evaluation(identifier, answers, scores["per_label"])),
        }
    )
    (folder / FILE).write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")


def photograph_scores(identifier: Identifier, seen: Seen, trained: Collection[str] | None) -> dict[str, Any]:
    """Return every figure of detector and classifier on whole photographs."""
    scores: dict[str, Any] = {"detector": detector_metrics(identifier, seen)}
    if seen.scenes:
        scores["pipeline"] = pipeline_metrics(identifier, seen, trained)
    if seen.empty:
        scores["strangers"] = out_of_distribution_metrics(identifier, seen.empty, seen.alarms)
    return scores


def write_scores(folder: Path, scores: dict[str, Any]) -> None:
    """Write ``scores.json``."""
    (folder / "scores.json").write_text(json.dumps(scores, indent=1, ensure_ascii=False) + "\n")


def rounded(value: Any) -> Any:
    """Round every float of a nested value to four places; numpy scalars become plain Python numbers."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return round(value, 4) if isinstance(value, float) else value
