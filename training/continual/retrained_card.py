"""README.md and CHANGELOG.md of a retrained version, from what was measured of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from smartbreed.breeds.catalogue import breed_of_label

_CARD = """---
license: apache-2.0
library_name: litert
pipeline_tag: image-classification
tags: [dogs, cats, breeds, object-detection, grad-cam, litert, keras]
datasets: [{dataset}]
metrics: [accuracy]
---
# {name} {version}

Finds every cat and dog in a photograph and names its breed, one of {labels}, or says that it does not know.
Retrained from {parent_version} (`{parent_repo}` at `{parent_revision}`) on {samples} accepted corrections of
the dataset [{dataset}](https://huggingface.co/datasets/{dataset}) at `{dataset_revision}`. {how}

## Measured against its parent

| | {parent_version} | {version} |
|---|---|---|
{rows}

{notes}

## What it learnt

{learnt}

## How it differs

{difference}

## Where it comes from, limits and rights

Detector, training photographs, intended use and limits are those of its first ancestor, described in the card
of that version in this repo. The corrections were given by visitors with consent and accepted in review;
`learnt.json` lists them by hash. Nothing in the bundle is unpickled; `config.json` pins every file by its
sha256.
"""


def render_card(config: dict[str, Any], facts: dict[str, Any]) -> str:
    """The card as Markdown.

    Args:
        config: the new ``config.json``.
        facts: ``figures`` of the verdict, ``learnt`` (sentences), ``difference`` (sentences), ``mode``.
    """
    parent, retraining = config["parents"][0], config["retraining"]
    gate, flagged = facts["figures"]["gate"], facts["figures"]["flagged"]
    rows = [
        _row(f"right on the gate set ({gate['pictures']} pictures never trained on)", gate["top1"], "{:.1%}"),
        _row("expected calibration error there", gate["ece"], "{:.4f}"),
    ]
    if "top1" in flagged:
        rows.append(
            _row(f"right on newly accepted samples, unseen ({flagged['samples']})", flagged["top1"], "{:.1%}")
        )
    notes = "Samples it has learnt from were answered by a head fitted without them (five folds)."
    if gate["stand_in"]:
        notes += (
            " The parent had no gate set: a fifth of its replay memory stood in, which it was trained on."
        )
    how = (
        "Only the head is new: the backbone and all breeds without corrections are as they were."
        if facts["mode"] == "head"
        else "Every layer was fine-tuned on the base dataset and those corrections."
    )
    return _CARD.format(
        name=config["name"],
        version=config["version"],
        labels=len(config["classifier"]["labels"]),
        dataset=retraining["dataset"],
        dataset_revision=retraining["revision"],
        samples=retraining["samples"],
        parent_version=parent["version"],
        parent_repo=parent["repo"],
        parent_revision=parent["revision"][:12],
        how=how,
        rows="\n".join(rows),
        notes=notes,
        learnt="\n".join(f"- {line}" for line in facts["learnt"]),
        difference="\n".join(f"- {line}" for line in facts["difference"]),
    )


def differences(parent: dict[str, Any], config: dict[str, Any], moved: int) -> list[str]:
    """What changed in ``config.json`` and in the head, in words.

    Args:
        parent, config: both configs.
        moved: rows of the head that are not as they were.
    """
    old, new = parent["classifier"], config["classifier"]
    known = {label["id"] for label in old["labels"]}
    added = [label for label in new["labels"] if label["id"] not in known]
    lines = [f"Breed added: {shown(label)} (`{label['id']}`)." for label in added]
    lines.append(f"Rows of the head that moved: {moved} of {len(old['labels'])}.")
    lines.append(f"Temperature {old['temperature']} → {new['temperature']}.")
    lines += [
        f"Says a {verdict} from {old['thresholds'][verdict]} → {new['thresholds'][verdict]} on."
        for verdict in ("breed", "group")
    ]
    before = (parent.get("detector") or {}).get("confirm")
    after = (config.get("detector") or {}).get("confirm")
    if before and after and before != after:
        lines.append(
            f"Box verification: weight of the breed logit {before['classifier']} → {after['classifier']}, "
            f"bias {before['bias']} → {after['bias']}."
        )
    return lines


def shown(label: dict[str, Any]) -> str:
    """A label's name for people."""
    found = breed_of_label(
        label["id"], label.get("name", ""), label.get("species", ""), label.get("group", "")
    )
    return found.name


def add_to_changelog(path: Path, version: str, lines: list[str], day: date) -> None:
    """Put what a version learnt on top of ``CHANGELOG.md``."""
    title = "# What each version learnt\n"
    old = path.read_text(encoding="utf-8").removeprefix(title) if path.exists() else ""
    entry = f"\n## {version} ({day.isoformat()})\n\n" + "".join(f"- {line}\n" for line in lines)
    path.write_text(title + entry + old, encoding="utf-8")


def _row(name: str, both: dict[str, float], how: str) -> str:
    return f"| {name} | {how.format(both['champion'])} | {how.format(both['challenger'])} |"
