"""The comparison in pictures: accuracy per version, by group, calibration, what was flagged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smartbreed.breeds import GROUPS
from training.plots.style import ACCENT, BLUE, INK, SOFT, figure, shares


def draw(folder: Path, figures: dict[str, Any], history: list[dict[str, Any]], version: str) -> None:
    """Write the PNGs of a report.

    Args:
        folder: of the report.
        figures: of the verdict.
        history: a dictionary a version, oldest first, the challenger last.
        version: the challenger's.
    """
    _versions(folder / "accuracy_per_version.png", history)
    _groups(folder / "breed_groups.png", figures["gate"]["groups"])
    _before_after(folder / "before_and_after.png", figures, version)


def _versions(path: Path, history: list[dict[str, Any]]) -> None:
    names = [entry["version"] for entry in history]
    with figure(path, max(5.0, 1.1 * len(names) + 3), 4.4) as drawn:
        axes = drawn.subplots()
        for place, entry in enumerate(history):
            first = place == len(history) - 1
            if entry.get("flagged_top1") is not None:  # from what the version before made of the same photos
                pair = [entry.get("flagged_top1_before") or 0.0, entry["flagged_top1"]]
                label = "newly accepted photos, unseen: before and after" if first else None
                axes.plot([place - 1, place], pair, "o--", color=BLUE, label=label)
                for at, value in zip((place - 1, place), pair, strict=True):
                    _number(axes, at, value)
        known = [(at, e["gate_top1"]) for at, e in enumerate(history) if e.get("gate_top1") is not None]
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=ACCENT, label="gate set, never trained on")
            for at, value in known:
                _number(axes, at, value)
        axes.set_xticks(range(len(names)), names)
        axes.set(xlabel="version", ylabel="named right", ylim=(0, 1.08), xlim=(-0.5, len(names) - 0.5))
        axes.set_title("Accuracy per version")
        shares(axes)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18))


def _number(axes: Any, place: float, value: float) -> None:
    axes.annotate(f"{value:.1%}", (place, value), (0, 7), textcoords="offset points", ha="center")


def _groups(path: Path, groups: dict[str, Any]) -> None:
    ranked = sorted(groups.items(), key=lambda item: item[1]["mean"])
    names = [f"{GROUPS[name].name if name in GROUPS else name} ({found['count']})" for name, found in ranked]
    with figure(path, 6.4, max(3.0, 0.24 * len(ranked) + 1)) as drawn:
        axes = drawn.subplots()
        means = [100 * found["mean"] for _, found in ranked]
        low = [100 * (found["mean"] - found["low"]) for _, found in ranked]
        high = [100 * (found["high"] - found["mean"]) for _, found in ranked]
        axes.axvline(0, color=SOFT, linewidth=2)
        axes.errorbar(
            means, range(len(names)), xerr=[low, high], fmt="o", color=ACCENT, ecolor=INK, capsize=2
        )
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set(xlabel="points, challenger minus champion (90% of resamples)")
        axes.set_title("Breed groups on the gate set")


def _before_after(path: Path, figures: dict[str, Any], version: str) -> None:
    bars = [("gate set", figures["gate"]["top1"])]
    if "top1" in figures["flagged"]:
        bars.append(
            (f"flagged, unseen\n({figures['flagged']['samples']} samples)", figures["flagged"]["top1"])
        )
    with figure(path, 5.5, 4) as drawn:
        axes = drawn.subplots()
        for place, (_, both) in enumerate(bars):
            for shift, key, colour in ((-0.2, "champion", SOFT), (0.2, "challenger", ACCENT)):
                drawn_bar = axes.bar(
                    place + shift, both[key], 0.38, color=colour, label=key if not place else None
                )
                axes.bar_label(drawn_bar, [f"{both[key]:.1%}"], padding=2)
        axes.set_xticks(range(len(bars)), [name for name, _ in bars])
        axes.set(ylabel="named right", ylim=(0, 1.12))
        axes.set_title(f"Champion and challenger {version}")
        shares(axes)
        axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.12))
