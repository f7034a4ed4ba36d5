"""Write all files of a new version into one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from smartbreed.inference.head import Head
from smartbreed.inference.stored_embeddings import GATE, REPLAY
from training.continual.challenger import finish, raw_config, write_networks
from training.continual.champion import Champion
from training.continual.gate import GateResult
from training.continual.memory import Memory, refresh
from training.continual.plan import Plan, write_record
from training.continual.retrained_card import add_to_changelog, differences, license_of, render_card
from training.continual.work import Work
from training.export.gate_set import GateSet, build_gate


def history_of(
    config: dict[str, Any], gate_result: GateResult | None, version: str, learnt: list[str]
) -> list[dict[str, Any]]:
    """Return the history with one entry per version, the challenger's last.

    The parent's gate figures are those measured now, on the same pictures as the challenger's.

    Args:
        config: the parent's ``config.json``.
        gate_result: the gate's result; None returns the parent's history unchanged.
        version, learnt: the challenger's version and the ids of the breeds it learnt.
    """
    history: list[dict[str, Any]] = list(
        config.get("history") or [{"version": config["version"], "learnt": []}]
    )
    if gate_result is None:
        return history
    gate, flagged = gate_result.figures["gate"], gate_result.figures["flagged"]
    history[-1] = {
        **history[-1],
        "gate_top1": round(gate["top1"]["champion"], 4),
        "gate_ece": round(gate["ece"]["champion"], 4),
    }
    return [
        *history,
        {
            "version": version,
            "learnt": learnt,
            "gate_top1": round(gate["top1"]["challenger"], 4),
            "gate_ece": round(gate["ece"]["challenger"], 4),
            "gate_pictures": gate["pictures"],
            "flagged_top1": round(flagged["top1"]["challenger"], 4) if "top1" in flagged else None,
            "flagged_top1_before": round(flagged["top1"]["champion"], 4) if "top1" in flagged else None,
            "flagged_samples": flagged["samples"],
        },
    ]


def write_version(
    work: Work,
    folder: Path,
    champion: Champion,
    plan: Plan,
    views: np.ndarray,
    heads: tuple[Head, Head],
    changed: dict[str, Any],
    gate: GateSet,
    memory: Memory,
    gate_result: GateResult,
    version: str,
    parent: dict[str, str],
) -> None:
    """Write a finished and verified bundle.

    Args:
        work: the retraining.
        folder: output folder, empty.
        champion: the model it is made from.
        plan: what was learnt.
        views: embeddings of the plan's samples.
        heads: old and new head.
        changed: from `training.continual.calibrate.calibrated`.
        gate, memory: gate set and replay memory of the champion.
        gate_result: the gate's result.
        version: version of the new bundle.
        parent: repo, revision and version of the champion.

    Raises:
        BundleError: the new files do not compute what was learnt.
    """
    old, new = heads
    write_networks(champion.bundle, new, folder)
    keys = plan.keys(~plan.held_out)
    refresh(folder / REPLAY, memory, plan.labelled_views(views, ~plan.held_out), keys, plan.names)
    _write_gate(folder, gate, plan, views)
    write_record(folder, plan.record(), work.choices.dataset, work.facts["dataset_revision"])
    before = raw_config(champion.bundle)
    config = _config(work, before, plan, new, changed, gate_result, version)
    config["parents"] = [parent]
    moved = int((np.abs(new.kernel[:, : len(old)] - old.kernel).max(0) > 1e-6).sum())
    learnt, difference = plan.sentences(), differences(before, config, moved)
    facts = {"figures": gate_result.figures, "learnt": learnt, "difference": difference, "mode": "head"}
    card = render_card(config, facts, license_of(champion.bundle))
    (folder / "README.md").write_text(card, encoding="utf-8")
    add_to_changelog(
        folder / "CHANGELOG.md", version, [*learnt, *gate_result.reasons], work.choices.now.date()
    )
    finish(folder, config, new)


def _config(
    work: Work,
    before: dict[str, Any],
    plan: Plan,
    new: Head,
    changed: dict[str, Any],
    gate_result: GateResult,
    version: str,
) -> dict[str, Any]:
    section = {
        **before["classifier"],
        "labels": plan.labels,
        "bias": [round(float(value), 6) for value in new.bias],
        "temperature": changed["temperature"],
        "thresholds": changed["thresholds"],
    }
    detector = before.get("detector")
    if detector and "confirm" in changed:
        detector = {**detector, "confirm": changed["confirm"]}
    # Figures on photographs were measured on an ancestor; do not claim them for the new version.
    measured = before.get("metrics") or {}
    ancestor = measured.get("ancestor") or {"version": before["version"], **measured}
    return {
        **{key: value for key, value in before.items() if key != "training"},
        "version": version,
        "classifier": section,
        "detector": detector,
        "metrics": {**gate_result.figures, "ancestor": ancestor},
        "retraining": {
            "mode": work.choices.mode,
            "dataset": work.choices.dataset,
            "revision": work.facts["dataset_revision"],
            "samples": int((~plan.held_out).sum()),
            "held_out": int(plan.held_out.sum()),
        },
        "root": gate_result.figures["gate"]["root"],
        "history": history_of(before, gate_result, version, plan.learnt()),
    }


def _write_gate(folder: Path, gate: GateSet, plan: Plan, views: np.ndarray) -> None:
    """Write the frozen part of the gate set unchanged, with the samples that are held out now."""
    if gate.trained:
        return
    held_out, base = plan.labelled_views(views, plan.held_out), gate.base
    build_gate(
        folder / GATE,
        np.concatenate([gate.embeddings[base], held_out.views[:, 0]]),
        np.concatenate([gate.labels[base], held_out.labels]),
        plan.names,
        out_of_distribution=gate.out_of_distribution,
        origins=np.concatenate([gate.origins[base], np.array(plan.keys(plan.held_out), "<U16")]),
    )
