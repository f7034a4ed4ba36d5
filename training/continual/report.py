"""Why a retraining was published or not: report.json, report.md and plots in one folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from smartbreed.core.files import disk_errors, make_dirs, replace_durably, write_tmp
from training.continual.gate import GateResult


def write_report(
    folder: Path, facts: dict[str, Any], gate_result: GateResult | None, history: list[dict[str, Any]]
) -> None:
    """Write the report; ``report.json`` last, so that a folder with it is complete.

    Args:
        folder: made if need be.
        facts: what `training.continual.run` knows: version, mode, learnt, reasons, counts.
        gate_result: of the gate; None when it did not come to one.
        history: a dictionary a version, the challenger last.

    Raises:
        StorageError: the disk refused.
    """
    make_dirs(folder)
    values = {**facts, "history": history}
    if gate_result is not None:
        from training.continual.plots import draw

        values["checks"] = [check.__dict__ for check in gate_result.checks]
        values["figures"] = gate_result.figures
        draw(folder, gate_result.figures, history, facts["version"])
    with disk_errors("The report was not written"):
        text = _markdown(values).encode()
        replace_durably(write_tmp(folder, "report.md", text), folder / "report.md")
        data = json.dumps(values, indent=1, ensure_ascii=False).encode()
        replace_durably(write_tmp(folder, "report.json", data), folder / "report.json")


def _markdown(values: dict[str, Any]) -> str:
    lines = [f"# Retraining: {values['message']}", ""]
    lines += [f"- {reason}" for reason in values["reasons"]]
    if values.get("checks"):
        lines += ["", "| check | passed | what was found |", "|---|---|---|"]
        lines += [
            f"| {check['name']} | {_passed(check)} | {check['sentence']} |" for check in values["checks"]
        ]
    if values.get("undecided"):
        lines += ["", "## What could not be decided for lack of pictures", ""]
        lines += [f"- {sentence}" for sentence in values["undecided"]]
    if values.get("learnt"):
        lines += ["", "## What it would learn" if not values["passed"] else "## What it learnt", ""]
        lines += [f"- {line}" for line in values["learnt"]]
    lines += ["", "## What was read", ""]
    lines += [f"- dataset `{values['dataset']}` at `{values['dataset_revision'] or 'no revision'}`"]
    lines += [f"- {count} {what}" for what, count in values["counts"].items()]
    lines += [f"- left out: {count} {reason}" for reason, count in values["left_out"].items()]
    lines += [f"- skipped: {sentence}" for sentence in values["skipped"]]
    if values.get("seconds"):
        lines += ["", "## Seconds", ""]
        lines += [f"- {stage}: {seconds:.1f}" for stage, seconds in values["seconds"].items()]
    return "\n".join(lines) + "\n"


def _passed(check: dict[str, Any]) -> str:
    if not check["passed"]:
        return "no"
    return "yes" if check["decided"] else "not decided"
