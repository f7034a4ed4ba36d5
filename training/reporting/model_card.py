"""Write the model card from measured figures: template + ``config.json`` → Markdown."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from smartbreed.core.files import replace_durably
from smartbreed.inference.bundle import write_config
from smartbreed.inference.evaluation import FILE
from training.reporting.card_tables import TABLES
from training.reporting.card_text import Figures, render
from training.reporting.wording import words_of

TEMPLATE = Path(__file__).with_name("card_template.md")
#: Name of the default bundle, whose card says more about data and training than that of other recipes.
DEFAULT = "smartbreed-pets-133"
#: Assumptions of the energy and carbon estimate, not measured: power in watts, kg CO2 per kWh.
ASSUMED = {"watts": 40, "kilograms_per_kwh": 0.45}
#: Display names of backbones.
BACKBONES = {"mobilenet_v2": "MobileNetV2"} | {
    f"efficientnet_lite{n}": f"EfficientNet-Lite{n}" for n in range(3)
}
#: Plots that the card shows, in this order, with their captions.
PLOTS = {
    "reliability.png": "Reliability diagram",
    "coverage.png": "Accuracy against the share of pictures that get an answer",
    "confused_labels.png": "The {label}s most often confused",
    "confusion.png": "Confusion matrix",
    "groups.png": "Families",
    "hardest_breeds.png": "The hardest {label}s",
    "roc.png": "ROC curve",
    "robustness.png": "Worse photographs",
    "detector.png": "Whole photographs: precision against recall, and what the threshold does",
    "forms.png": "Size, speed and accuracy of the exported forms",
    "freeze_till.png": "What freezing layers does",
}


def measured(config: dict[str, Any]) -> dict[str, Any]:
    """Return everything a card may quote: the bundle's ``config.json`` and what is derived from it."""
    training = config.get("training") or {}
    minutes = {name: _minutes(log) for name, log in training.items() if isinstance(log, dict)}
    known = {name: value for name, value in minutes.items() if value}
    data = facts_of_data(config)
    # Without a recipe, the bundle's name decides whether it is the default model.
    architecture = config["classifier"].get("architecture", "another network")
    default = config["name"] == DEFAULT and (data["default_data"] or not config.get("recipe"))
    detects = (config.get("recipe") or {}).get("task") == "detect"
    metrics = config.get("metrics") or {}
    labels = config["classifier"]["labels"]
    words = words_of(labels)
    named = (metrics.get("classifier") or {}).get("said_breed_right") is not None
    return {
        **config,
        "data": data,
        "name_in_yaml": in_yaml(config["name"]),
        "backbone": BACKBONES.get(architecture, architecture),
        "label_count": len(labels),
        "epochs": {n: len(log.get("epochs", [])) for n, log in training.items() if isinstance(log, dict)},
        "minutes": known,
        "cost": _cost(sum(known.values())) if known else {},
        "assumed": ASSUMED,
        "tells": {
            # As many guesses as there are labels are always right, so they show nothing.
            "top3": len(labels) > 3 or None,
            "top5": len(labels) > 5 or None,
            # A label without a group is a group of its own.
            "families": bool(metrics.get("groups")) or None,
        },
        "words": {"label": words.label, "subject": words.subject},
        "default": default or None,
        "other": not default or None,
        "averaged": (default and "soup" in (training.get("classifier") or {})) or None,
        "detects": (not default and detects) or None,
        # Whether temperature and thresholds were chosen on other pictures than those evaluated here.
        "chosen_apart": (named and data["split"] == "test") or None,
        "chosen_here": ("classifier" in metrics and data["split"] != "test") or None,
    }


def _cost(minutes: float) -> dict[str, Any]:
    """Return ``time`` in words, and ``kwh`` and ``kilograms`` rounded as befits an estimate."""
    hours = minutes / 60
    kwh = hours * ASSUMED["watts"] / 1000
    weight = kwh * ASSUMED["kilograms_per_kwh"]
    time = f"{hours:.1f} hours" if hours >= 1 else f"{minutes:.0f} minutes" if minutes > 1 else "a minute"
    return {"time": time, "kwh": _figure(kwh), "kilograms": _figure(weight)}


def _figure(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.1g}"


def render_card(
    config: dict[str, Any], *, plots: str = "", found: frozenset[str] = frozenset(), marked: bool = False
) -> str:
    """Return the card as Markdown, with the Hub's metadata on top.

    Args:
        config: a bundle's ``config.json`` with ``metrics`` as `training.evaluate` measured them.
        plots: path of the plots' folder relative to the card.
        found: names of the plots there.
        marked: wrap every measured figure in the marks of `training.reporting.card_text`.

    Raises:
        KeyError: the template asks for a figure that no run produced.
    """
    values = measured(config)
    label = words_of(config["classifier"]["labels"]).label
    shown = [
        f"![{text.format(label=label)}]({plots}/{name})" for name, text in PLOTS.items() if name in found
    ]
    values["plots"] = "\n".join(shown)
    return render(TEMPLATE.read_text(), Figures(values, marked=marked), TABLES)


def write_card(config: dict[str, Any], paths: list[Path]) -> None:
    """Write the card to every path; it shows the plots in ``docs/plots`` or ``plots`` next to it.

    Raises:
        KeyError: the card needs a figure that no run produced.
    """
    for path in paths:
        folder = next((f for f in ("docs/plots", "plots") if (path.parent / f).is_dir()), "")
        names = frozenset(p.name for p in (path.parent / folder).glob("*.png")) if folder else frozenset()
        path.write_text(render_card(config, plots=folder, found=names))


def put_card(bundle: Path, config: dict[str, Any], evaluation: Path | None = None) -> None:
    """Write a bundle's ``README.md`` and ``config.json``; a kill at any point leaves a bundle that loads.

    Args:
        bundle: folder of the bundle.
        config: content of ``config.json`` without ``files``.
        evaluation: its new ``evaluation.json``. If None or missing, the bundle keeps the one it has.

    Raises:
        KeyError: the card needs a figure that no run produced; nothing was changed.
        OSError: the disk refused.
    """
    half = bundle / "README.md.tmp"
    try:
        write_card(config, [half])
        put_files(bundle, config, {"README.md": half, **({FILE: evaluation} if evaluation else {})})
    finally:
        half.unlink(missing_ok=True)


def put_files(bundle: Path, config: dict[str, Any], files: Mapping[str, Path]) -> None:
    """Copy files into a bundle and list them; a kill at any point leaves a bundle that loads.

    Args:
        bundle: folder of the bundle.
        config: content of ``config.json`` without ``files``.
        files: name in the bundle → source; missing sources are skipped.

    Raises:
        OSError: the disk refused.
    """
    halves = {name: bundle / f"{name}.tmp" for name, source in files.items() if source.is_file()}
    try:
        for name, half in halves.items():
            if files[name] != half:
                shutil.copyfile(files[name], half)
            with half.open("rb") as file:
                os.fsync(file.fileno())
        # Files that are being replaced are not listed, so their checksums are not verified meanwhile.
        write_config(bundle, config, without=halves)
        for name, half in halves.items():
            replace_durably(half, bundle / name)
        write_config(bundle, config)
    finally:
        for half in halves.values():
            half.unlink(missing_ok=True)


def _minutes(log: dict[str, Any]) -> int:
    """Return the minutes that a training run took; 0 if its log does not say."""
    epochs = log.get("epochs") or [{}]
    seconds = log.get("seconds") or epochs[-1].get("seconds") or 0
    return round(float(seconds) / 60)


#: Name of the default model's dataset (a folder or repo) and its configuration.
_NAME, _CONFIG = "pets", "breeds"
#: How the card names that dataset, and its licence.
DEFAULT_DATA, DEFAULT_LICENSE = "smartbreed/pets", "apache-2.0"


def facts_of_data(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts about the data for the template, from a bundle's ``config.json``.

    Returns:
        ``dataset``: a Hub repo, or the folder's own name, quoted for YAML if needed.
        ``default_data``: whether it is the default model's dataset.
        ``license``: licence of the default model; None for other data, because it is not known.
        ``split``: what was evaluated, ``test`` or ``validation``.
        ``judged``: name of that split in a sentence.
    """
    data = (config.get("recipe") or {}).get("data") or {}
    name, split = dataset_name(data), (config.get("metrics") or {}).get("split", "test")
    default = name == DEFAULT_DATA
    return {
        "dataset": in_yaml(name),
        "default_data": default,
        "license": DEFAULT_LICENSE if default else None,
        "split": split,
        "judged": "test" if split == "test" else "held-back",
    }


def dataset_name(data: Mapping[str, Any]) -> str:
    """Return what to call the source of a recipe's section ``data``.

    That is the whole id of a repo, only the last part of a path, and ``unknown`` without a source.
    """
    source = str(data.get("source") or "").strip()
    if not source:
        return "unknown"
    last = PurePath(source).name or source
    if last == _NAME and data.get("config") == _CONFIG:
        return DEFAULT_DATA
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source) and not source.endswith(".parquet"):
        return source  # a Hub repo, or a folder with a path that looks like one
    return last.removeprefix("keras:").removesuffix(".parquet") or last


def in_yaml(text: str) -> str:
    """Quote a text if needed so that it can stand inside a YAML flow collection such as ``{…}``."""
    return yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6).strip()[1:-1]
