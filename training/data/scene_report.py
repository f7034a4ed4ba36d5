"""Check and describe the photographs a detector is trained on."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from training.common.errors import DataError
from training.data import Scene, load_scenes, split_scenes
from training.data.contact_sheet import contact_sheet
from training.data.scenes import near_others, near_pairs
from training.pipeline.stages import Context

SHOWN = 36


def training_scenes(source: str, config: str, accepted: str = "") -> tuple[list[Scene], list[Scene]]:
    """(training, held back) photographs; those that cannot be used are left out.

    So is a training photograph that nearly equals a held-back one or one of the source's test split.
    Photographs of accepted missed pets are only trained on, so that the figures stay comparable.

    Args:
        source, config: the dataset and its configuration of whole photographs.
        accepted: folder or dataset repo of flags whose accepted missed pets come along; empty: none.

    Raises:
        DataError: the source cannot be loaded or lacks a column.
    """
    test = _test_scenes(source, config)
    train, held_back = split_scenes(load_scenes(source, "train", config), test)
    return [*train, *accepted_beside(accepted, [*held_back, *test])[0]], held_back


def accepted_beside(accepted: str, apart: list[Scene]) -> tuple[list[Scene], dict[str, int]]:
    """Photographs of accepted missed pets that equal none of ``apart``, and why others were left out.

    Raises:
        DataError: ``accepted`` holds no flags.
        HubCallError: the Hub cannot be asked.
    """
    if not accepted:
        return [], {}
    from training.continual.accepted_scenes import accepted_scenes

    with tempfile.TemporaryDirectory() as scratch:
        scenes, left_out = accepted_scenes(accepted, Path(scratch))
    near = near_others(scenes, apart)
    if near.any():
        left_out["nearly equal to one held back or of the test split"] = int(near.sum())
    return [scenes[i] for i in np.flatnonzero(~near)], left_out


def _test_scenes(source: str, config: str) -> list[Scene]:
    try:
        return load_scenes(source, "test", config)
    except DataError:  # not every source has a test split
        return []


def prepare_scenes(context: Context) -> dict[str, Any]:
    """Leave ``report/``. Raises `DataError` where there is too little to train on."""
    data, run = context.recipe.data, context.run
    if not data.scenes:
        raise DataError("A detector needs data.scenes, the photographs with boxes. Received: data.scenes=''")
    dropped: list[dict[str, str]] = []
    scenes = load_scenes(data.source, "train", data.scenes, dropped)
    for item in dropped[:10]:
        run.say(f"dropped {item['origin']}: {item['reason']}", **item)
    test = _test_scenes(data.source, data.scenes)
    train, validation = split_scenes(scenes, test)
    for name, part in (("train on", train), ("hold back", validation)):
        pets, empty = sum(len(s.boxes) > 0 for s in part), sum(not len(s.boxes) for s in part)
        if not pets or not empty:
            raise DataError(
                f"There must be photographs with and without a pet to {name}. Received: {pets} "
                f"with, {empty} without"
            )
    near, left_out = len(near_pairs(scenes)), len(scenes) - len(train) - len(validation)
    accepted, without = accepted_beside(data.accepted, [*validation, *test])
    train = [*train, *accepted]
    if data.accepted:
        why = "; ".join(f"{count} {reason}" for reason, count in without.items())
        run.say(f"{len(accepted)} photographs of accepted missed pets; left out: {why or 'none'}")
    report = _figures(train, validation, dropped, near, left_out) | {"accepted": len(accepted)}
    folder = run / "report"
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    rng = np.random.default_rng(context.recipe.seed)
    shown = [train[i] for i in rng.permutation(len(train))[:SHOWN]]
    contact_sheet(
        [_drawn(s) for s in shown], [f"{s.kind}, {s.origin}" for s in shown], folder / "examples.png"
    )
    (folder / "README.md").write_text(_page(report))
    run.say(
        f"{len(train)} photographs to train on, {len(validation)} held back, {len(dropped)} dropped, "
        f"{left_out} left out because they nearly equal one held back or of the test split"
    )
    return {"splits": {"train": len(train), "validation": len(validation)}}


def _drawn(scene: Scene) -> np.ndarray:
    picture = Image.fromarray(scene.image)
    draw = ImageDraw.Draw(picture)
    for box, species in zip(scene.boxes.tolist(), scene.species.tolist(), strict=True):
        draw.rectangle(box, outline=("#b5533c", "#2f6f8f")[species], width=4)
    return np.asarray(picture)


def _figures(
    train: list[Scene], validation: list[Scene], dropped: list[dict[str, str]], near: int, left_out: int
) -> dict[str, Any]:
    everything = [*train, *validation]
    shares = [
        float((x1 - x0) * (y1 - y0) / (s.image.shape[0] * s.image.shape[1]))
        for s in everything
        for x0, y0, x1, y1 in s.boxes
    ]
    kinds = sorted({s.kind for s in everything})
    return {
        "photographs": len(everything),
        "kinds": {
            kind: {"train": sum(s.kind == kind for s in train),
                   "held back": sum(s.kind == kind for s in validation)}
            for kind in kinds
        },
        "boxes": len(shares),
        "box_share_of_picture": [round(float(v), 4) for v in np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))],
        "near_duplicates": near,
        "left_out_as_duplicates": left_out,
        "dropped": dropped,
    }  # fmt: skip


def _page(report: dict[str, Any]) -> str:
    rows = "\n".join(f"| {kind} | {n['train']} | {n['held back']} |" for kind, n in report["kinds"].items())
    dropped = "\n".join(f"- {item['origin']}: {item['reason']}" for item in report["dropped"]) or "None."
    return f"""# The photographs

{report["photographs"]} photographs with {report["boxes"]} boxes; a box takes \
{report["box_share_of_picture"][2]:.0%} of its picture in the middle. \
{report["near_duplicates"]} near-duplicate pairs; {report["left_out_as_duplicates"]} training photographs \
left out because they nearly equal one held back or of the test split.

| kind | train | held back |
|---|---|---|
{rows}

## Dropped

{dropped}

![examples.png](examples.png)
"""
