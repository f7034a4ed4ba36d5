"""The report on the photographs that a detector is trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from training.data.scenes import Scene
from training.reporting.contact_sheet import contact_sheet

#: Most photographs on the contact sheet.
SHOWN = 36


def write_scene_report(
    folder: Path, train: list[Scene], validation: list[Scene], seed: int, **noted: Any
) -> None:
    """Write ``report.json``, ``README.md`` and ``examples.png``.

    Args:
        folder: output folder; created if missing.
        train, validation: the photographs, including those of accepted missed pets.
        seed: seed of the choice of examples.
        noted: ``near_duplicates``, ``left_out_as_duplicates``, ``dropped``, ``accepted``.
    """
    folder.mkdir(exist_ok=True)
    report = _figures([*train, *validation], len(train)) | noted
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    rng = np.random.default_rng(seed)
    shown = [train[i] for i in rng.permutation(len(train))[:SHOWN]]
    contact_sheet(
        [_drawn(s) for s in shown], [f"{s.kind}, {s.origin}" for s in shown], folder / "examples.png"
    )
    (folder / "README.md").write_text(_page(report))


def _drawn(scene: Scene) -> np.ndarray:
    picture = Image.fromarray(scene.image)
    draw = ImageDraw.Draw(picture)
    for box, species in zip(scene.boxes.tolist(), scene.species.tolist(), strict=True):
        draw.rectangle(box, outline=("#b5533c", "#2f6f8f")[species], width=4)
    return np.asarray(picture)


def _figures(everything: list[Scene], train: int) -> dict[str, Any]:
    shares = [
        float((x1 - x0) * (y1 - y0) / (s.image.shape[0] * s.image.shape[1]))
        for s in everything
        for x0, y0, x1, y1 in s.boxes
    ]
    kinds = sorted({s.kind for s in everything})
    return {
        "photographs": len(everything),
        "kinds": {
            kind: {"train": sum(s.kind == kind for s in everything[:train]),
                   "held back": sum(s.kind == kind for s in everything[train:])}
            for kind in kinds
        },
        "boxes": len(shares),
        "box_share_of_picture": [round(float(v), 4) for v in np.quantile(shares, (0, 0.25, 0.5, 0.75, 1))],
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
