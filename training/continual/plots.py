"""Plots that compare champion and challenger: accuracy per version, breed groups, before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.continual.loss_checks import ALLOWED, HELD, OPEN, WORSE
from training.reporting.plots.style import ACCENT, BLUE, GREEN, INK, SOFT, figure, shares


def draw(folder: Path, figures: dict[str, Any], history: list[dict[str, Any]], version: str) -> None:
    """Write the plots of a report as PNG.

    Args:
        folder: folder of the report.
        figures: `training.continual.gate.GateResult.figures`.
        history: one dictionary per version, oldest first, the challenger last.
        version: the challenger's version.
    """
    _versions(folder / "accuracy_per_version.png", history)
    _groups(folder / "breed_groups.png", figures["gate"])
    _before_after(folder / "before_and_after.png", figures, version)


def _versions(path: Path, history: list[dict[str, Any]]) -> None:
    names = [entry["version"] for entry in history]
    with figure(path, max(5.0, 1.1 * len(names) + 3), 4.4) as drawn:
        axes = drawn.subplots()
        for place, entry in enumerate(history):
            first = place == len(history) - 1
            if entry.get("flagged_top1") is not None:  # from the previous version's result on the same photos
                pair = [entry.get("flagged_top1_before") or 0.0, entry["flagged_top1"]]
                label = "newly accepted photos, unseen: before and after" if first else None
                axes.plot([place - 1, place], pair, "o--", color=BLUE, label=label)
                for at, value in zip((place - 1, place), pair, strict=True):
                    _number(axes, at, value, below=value > 0.1)
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


def _number(axes: Any, place: float, value: float, *, below: bool = False) -> None:
    away = (0, -16 if below else 7)
    axes.annotate(f"{value:.1%}", (place, value), away, textcoords="offset points", ha="center")


#: Colour between those of good and bad.
OCHRE = "#c98a1b"
#: State of a group → its colour and legend.
_STATES = {
    WORSE: (ACCENT, "got worse"),
    OPEN: (OCHRE, "lost more than is allowed; chance may explain it"),
    ALLOWED: (BLUE, "lost no more than is allowed"),
    HELD: (GREEN, "not worse"),
}


def _groups(path: Path, gate: dict[str, Any]) -> None:
    """Plot the result of the groups check, from the same data as its sentence."""
    ranked = sorted(gate["groups"].values(), key=lambda found: found["mean"], reverse=True)
    names = [f"{found['name']} ({found['count']})" for found in ranked]
    with figure(path, 6.8, max(3.4, 0.24 * len(ranked) + 1.6)) as drawn:
        axes = drawn.subplots()
        axes.axvline(0, color=SOFT, linewidth=2)
        axes.axvline(-100 * gate["group_margin"], color=INK, linestyle=":", label="allowed")
        for state, (colour, text) in _STATES.items():
            mine = [(place, found) for place, found in enumerate(ranked) if found["state"] == state]
            if not mine:
                continue
            places, means = [place for place, _ in mine], [100 * found["mean"] for _, found in mine]
            axes.hlines(places, 0, means, color=colour, linewidth=2)
            axes.plot(means, places, "o", color=colour, label=text)
            for place, found in mine:
                if found["lost"] or found["gained"]:
                    said = f"{found['lost']} lost, {found['gained']} gained"
                    axes.annotate(
                        said, (max(0, 100 * found["mean"]), place), (7, 0), textcoords="offset points",
                        va="center", fontsize=7,
                    )  # fmt: skip
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.margins(x=0.25)
        axes.set(xlabel="points, challenger minus champion")
        axes.set_title(f"{gate['words']['group'].capitalize()}s on the gate set")
        drawn.legend(loc="outside lower center", ncols=2, fontsize=8)


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
