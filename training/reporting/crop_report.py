"""The report on a classifier's pictures: ``report/report.json``, ``report/README.md`` and contact sheets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.augment.crops import CropAugmentation
from training.data.crops import Crops
from training.data.label_errors import Suspect
from training.reporting.contact_sheet import contact_sheet

#: Most pictures on a contact sheet of the report.
SHOWN = 48
INK, ACCENT = "#3b2f2a", "#b5533c"


@dataclass(frozen=True)
class Findings:
    """The input of `write_report`.

    Attributes:
        crops: every usable picture.
        labels: ``id`` and ``name`` of each label.
        places: ``train``, ``validation``, ``test`` or ``""`` (left out) for each picture. Jittered copies of
            held-back pictures are left out too.
        sizes: original width and height, ``(count, 2)``.
        pairs: near-duplicates.
        dropped: ``{"origin": …, "reason": …}`` for each picture that could not be used.
        suspects: suspected label errors; None if they were not looked for.
        why_no_suspects: the reason why not.
    """

    crops: Crops
    labels: list[dict[str, str]]
    places: np.ndarray
    sizes: np.ndarray
    pairs: list[tuple[int, int]]
    dropped: list[dict[str, str]]
    suspects: list[Suspect] | None
    why_no_suspects: str = ""


def write_report(
    found: Findings, folder: Path, augment: CropAugmentation | None, seed: int
) -> dict[str, Any]:
    """Write the report and return the content of ``report.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [label["name"] for label in found.labels]
    report = _figures(found, names)
    (folder / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _counts_plot(report["classes"], folder / "counts.png")
    rng = np.random.default_rng(seed)
    shown = _examples(found.crops.labels, rng)
    contact_sheet(
        [found.crops.images[i] for i in shown], [names[found.crops.labels[i]] for i in shown],
        folder / "examples.png",
    )  # fmt: skip
    sheets = ["examples.png"]
    if found.pairs:
        some = [i for pair in found.pairs[: SHOWN // 2] for i in pair]
        contact_sheet(
            [found.crops.images[i] for i in some],
            [f"{names[found.crops.labels[i]]} ({found.places[i] or 'left out'})" for i in some],
            folder / "duplicates.png",
        )
        sheets.append("duplicates.png")
    if found.suspects:
        contact_sheet(
            [found.crops.images[s.index] for s in found.suspects[:SHOWN]],
            [f"{names[s.label]}? {names[s.thinks]} {s.instead:.2f}" for s in found.suspects[:SHOWN]],
            folder / "suspects.png", side=150,
        )  # fmt: skip
        sheets.append("suspects.png")
    if augment is not None:
        augmentation_sheet(found.crops.images[shown[:6]], augment, folder / "augmentation.png", seed)
        sheets.append("augmentation.png")
    (folder / "README.md").write_text(_page(report, found, sheets))
    return report


def augmentation_sheet(
    images: np.ndarray, augment: CropAugmentation, path: Path, seed: int, views: int = 5
) -> None:
    """Show each picture and ``views`` augmented versions: one row per picture, the original first."""
    rng = np.random.default_rng(seed)
    pictures, captions = [], []
    for image in images:
        pictures += [image, *(augment(image, rng) for _ in range(views))]
        captions += ["before", *["after"] * views]
    contact_sheet(pictures, captions, path, columns=views + 1)


def _figures(found: Findings, names: list[str]) -> dict[str, Any]:
    places = {name: int((found.places == name).sum()) for name in ("train", "validation", "test")}
    shortest = found.sizes.min(1)
    classes = {
        names[label]: {
            place: int(((found.crops.labels == label) & (found.places == place)).sum()) for place in places
        }
        for label in range(len(names))
    }
    origin, labels = found.crops.sources, found.crops.labels
    return {
        "pictures": len(found.crops),
        "splits": places,
        "left_out_as_duplicates": _left_out(found),
        "classes": classes,
        "shortest_side": {
            key: int(value)
            for key, value in zip(
                ("smallest", "median", "largest"), np.quantile(shortest, (0, 0.5, 1)), strict=True
            )
        },
        "dropped": found.dropped,
        "near_duplicates": [
            {"first": origin[i], "second": origin[j], "same_label": bool(labels[i] == labels[j])}
            for i, j in found.pairs
        ],
        "suspected_label_errors": None
        if found.suspects is None
        else [
            {"origin": origin[s.index], "label": names[s.label], "thinks": names[s.thinks],
             "confidence": round(s.confidence, 4), "instead": round(s.instead, 4)}
            for s in found.suspects
        ],
    }  # fmt: skip


def _left_out(found: Findings) -> int:
    """Count pictures that nearly equal one of another split, without jittered copies of held-back ones."""
    files = list(zip(found.crops.hashes, found.crops.sources, found.places.tolist(), strict=True))
    held = {(sha256, source) for sha256, source, place in files if place in ("validation", "test")}
    return len({(sha256, source) for sha256, source, place in files if not place} - held)


def _examples(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return up to `SHOWN` picture indices, taking every class in turn."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        turn[mine] = np.arange(len(mine))
    return np.array(sorted(order.tolist(), key=lambda i: (turn[i], labels[i]))[:SHOWN])


def _page(report: dict[str, Any], found: Findings, sheets: list[str]) -> str:
    rows = "\n".join(
        f"| {name} | {counts['train']} | {counts['validation']} | {counts['test']} |"
        for name, counts in report["classes"].items()
    )
    dropped = "\n".join(f"- {item['origin']}: {item['reason']}" for item in found.dropped) or "None."
    if found.suspects is None:
        suspects = f"Not looked for: {found.why_no_suspects}"
    else:
        suspects = "\n".join(
            f"- {s['origin']}: labelled {s['label']} ({s['confidence']:.2f}), looks like {s['thinks']} "
            f"({s['instead']:.2f})"
            for s in report["suspected_label_errors"]
        )
    sizes = report["shortest_side"]
    pictures = "\n\n".join(f"![{name}]({name})" for name in sheets)
    return f"""# The data

{report["pictures"]} usable pictures; the shortest side has {sizes["smallest"]} to {sizes["largest"]} \
pixels, {sizes["median"]} in the middle. {len(report["near_duplicates"])} near-duplicate pairs; \
{report["left_out_as_duplicates"]} pictures left out because they nearly equal a test picture.

| class | train | validation | test |
|---|---|---|---|
{rows}

![pictures of each class](counts.png)

## Dropped

{dropped}

## Suspected label errors

{suspects or "None."}

## Pictures

{pictures}
"""


def _counts_plot(classes: dict[str, dict[str, int]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    totals = sorted(((sum(counts.values()), name) for name, counts in classes.items()), reverse=True)
    shown = totals if len(totals) <= 40 else [*totals[:20], *totals[-20:]]
    figure = Figure(figsize=(7, 1 + 0.2 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.barh([name for _, name in shown][::-1], [count for count, _ in shown][::-1], color=ACCENT)
    extra = " (20 largest, 20 smallest classes)" if len(totals) > 40 else ""
    axes.set(xlabel="pictures", title=f"Pictures of each class{extra}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
