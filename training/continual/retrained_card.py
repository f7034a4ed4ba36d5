"""README.md and CHANGELOG.md of a retrained version, written from its measured figures."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from localhub.repo_card import CardError, front_matter
from smartbreed.inference.bundle import Bundle
from training.continual.plan import name_of
from training.reporting.model_card import in_yaml
from training.reporting.wording import PETS, words_of

_CARD = """---
{license}library_name: litert
pipeline_tag: image-classification
tags: [{tags}]
datasets: [{dataset}]
metrics: [accuracy]
---
# {name} {version}

{what}
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

{inherited}, intended use and limits are those of its first ancestor, described in the card
of that version in this repo. The corrections were given by visitors with consent and accepted in review;
`learnt.json` lists them by hash. Nothing in the bundle is unpickled; `config.json` pins every file by its
sha256.
"""


#: What a version does, by (its labels are breeds of pets, it has a detector).
_WHAT = {
    (True, True): "Finds every cat and dog in a photograph and names its breed, one of {}",
    (True, False): "Names the breed of the cat or dog that a picture shows, one of {}",
    (False, True): "Finds every cat and dog in a photograph and names it by one of {} labels",
    (False, False): "Names what a picture shows by one of {} labels",
}


def render_card(config: dict[str, Any], facts: dict[str, Any], license: str = "") -> str:
    """Return the card as Markdown.

    Args:
        config: the new ``config.json``.
        facts: ``figures`` of the gate, ``learnt`` (sentences), ``difference`` (sentences), ``mode``.
        license: licence of the weights; "" if the parent states none, because it must not be invented.
    """
    labels = config["classifier"]["labels"]
    words, finds = words_of(labels), bool(config.get("detector"))
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
        f"Only the head is new: the backbone and all {words.label}s without corrections are as they were."
        if facts["mode"] == "head"
        else "Every layer was fine-tuned on the base dataset and those corrections."
    )
    return _CARD.format(
        name=config["name"],
        version=config["version"],
        license=f"license: {in_yaml(license)}\n" if license else "",
        tags=", ".join(
            [
                *(["dogs", "cats", "breeds"] if words is PETS else ["image-classification"]),
                *(["object-detection"] if finds else []),
                *("grad-cam", "litert", "keras"),
            ]
        ),
        what=_WHAT[words is PETS, finds].format(len(labels)) + ", or says that it does not know.",
        inherited="Detector, training photographs" if finds else "Training photographs",
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
    """Describe what changed in ``config.json`` and in the head, one sentence per item.

    Args:
        parent, config: the ``config.json`` of both versions.
        moved: number of the parent's head rows that changed.
    """
    old, new = parent["classifier"], config["classifier"]
    known = {label["id"] for label in old["labels"]}
    added = [label for label in new["labels"] if label["id"] not in known]
    words = words_of(new["labels"])
    lines = [f"{words.label.capitalize()} added: {name_of(label)} (`{label['id']}`)." for label in added]
    lines.append(f"Rows of the head that moved: {moved} of {len(old['labels'])}.")
    lines.append(f"Temperature {old['temperature']} → {new['temperature']}.")
    # Without groups there is no answer "a group", so its threshold means nothing.
    said = {"breed": words.label} | (
        {"group": "group"} if any(one.get("group") for one in old["labels"]) else {}
    )
    lines += [
        f"Says a {what} from {old['thresholds'][verdict]} → {new['thresholds'][verdict]} on."
        for verdict, what in said.items()
    ]
    before = (parent.get("detector") or {}).get("confirm")
    after = (config.get("detector") or {}).get("confirm")
    if before and after and before != after:
        lines.append(
            f"Box verification: weight of the {words.label} logit {before['classifier']} → "
            f"{after['classifier']}, bias {before['bias']} → {after['bias']}."
        )
    return lines


def license_of(parent: Bundle) -> str:
    """Return the licence that a bundle's card states for its weights; "" if it states none.

    Args:
        parent: bundle whose weights were the start.
    """
    card = parent.folder / "README.md"
    try:
        found = front_matter(card.read_text(encoding="utf-8")) if card.is_file() else {}
    except CardError:
        found = {}
    named = found.get("license")
    return named if isinstance(named, str) else ""


def add_to_changelog(path: Path, version: str, lines: list[str], day: date) -> None:
    """Insert an entry for ``version`` at the top of ``CHANGELOG.md``; create the file if needed."""
    title = "# What each version learnt\n"
    old = path.read_text(encoding="utf-8").removeprefix(title) if path.exists() else ""
    entry = f"\n## {version} ({day.isoformat()})\n\n" + "".join(f"- {line}\n" for line in lines)
    path.write_text(title + entry + old, encoding="utf-8")


def _row(name: str, both: dict[str, float], how: str) -> str:
    return f"| {name} | {how.format(both['champion'])} | {how.format(both['challenger'])} |"
