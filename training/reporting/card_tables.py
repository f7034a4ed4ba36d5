"""The tables of the model card, as Markdown."""

from __future__ import annotations

from typing import Any

from smartbreed.breeds.catalogue import GROUPS, get_breed
from training.reporting.card_text import Figures
from training.reporting.goals import GOALS

#: Number of label pairs listed as most confused.
PAIRS = 10


def goals(figures: Figures) -> str:
    """Return every goal beside the measured figure."""
    rows = ["| | measured | goal | reached | frozen ImageNet features |", "|---|---|---|---|---|"]
    for goal in GOALS:
        bound = ("at most " if goal.at_most else "at least ") + figures.show(goal.target)
        start = "–" if goal.start is None else figures.show(goal.start, ".3f")
        path = f"metrics.{goal.path}"
        if goal.path and figures.has(path):
            measured, reached = figures(path, ".4f"), "yes" if goal.reached(figures.get(path)) else "**no**"
        else:
            measured, reached = goal.unknown or "not measured", "–"
        rows.append(f"| {goal.text} | {measured} | {bound} | {reached} | {start} |")
    return "\n".join(rows)


def accuracy(figures: Figures) -> str:
    """Return the classifier's figures with their intervals."""
    label = figures.get("words.label")
    wanted = (
        ("top-1", "top1"), ("top-3", "top3"), ("top-5", "top5"), ("top-1, cats", "top1_cats"),
        ("top-1, dogs", "top1_dogs"), (f"precision, mean over {label}s", "macro_precision"),
        (f"recall, mean over {label}s", "macro_recall"), (f"F1, mean over {label}s", "macro_f1"),
        ("precision, weighted by pictures", "weighted_precision"),
        ("F1, weighted by pictures", "weighted_f1"),
        ("ROC AUC, one against all others, mean", "macro_auc"), ("expected calibration error", "ece"),
        ("the same over equally full bins", "adaptive_ece"), ("Brier score", "brier"),
        ("area under risk against coverage", "risk_coverage_area"), ("family right", "group"),
        ("species right", "species"),
    )  # fmt: skip
    rows = ["| | measured | 95% interval |", "|---|---|---|"]
    tells = {"top3": "tells.top3", "top5": "tells.top5", "group": "tells.families"}
    for text, key in wanted:
        path = f"metrics.classifier.{key}"
        if figures.has(path) and figures.has(tells.get(key, path)):
            rows.append(f"| {text} | {figures(path, '.4f')} | {_interval(figures, path)} |")
    return "\n".join(rows)


def thresholds(figures: Figures) -> str:
    """Return the effect of other thresholds for naming a label."""
    rows = ["| a name from | named | right among them |", "|---|---|---|"]
    for row in figures.get("metrics.thresholds"):
        right = "–" if row["right"] is None else figures.show(row["right"], "percent")
        mark = " (chosen)" if row["chosen"] else ""
        named = figures.show(row["answered"], "percent")
        rows.append(f"| {figures.show(row['threshold'], '.2f')}{mark} | {named} | {right} |")
    return "\n".join(rows)


def photographs(figures: Figures) -> str:
    """Return the figures of detector and classifier on whole photographs."""
    wanted = (
        ("recall at IoU .5, detector and classifier", "detector.recall"), ("AP50", "detector.ap50"),
        ("AP75", "detector.ap75"), ("AP .5:.95", "detector.map"),
        ("photographs with a pet found anywhere on them", "pipeline.with_a_pet_found"),
        ("species of the best pet, where one is found", "pipeline.species"),
    )  # fmt: skip
    rows = ["| | measured |", "|---|---|"]
    for text, key in wanted:
        rows.append(
            f"| {text} | {figures(f'metrics.{key}', '.4f') if figures.has(f'metrics.{key}') else '–'} |"
        )
    return "\n".join(rows)


def robustness(figures: Figures) -> str:
    """Return top-1, and the share of wrong names among those given, at every strength of every fault."""
    words = figures.get("words")
    curves = figures.get("metrics.robustness.curves").values()
    measured = any(point.get("named_wrong") is not None for curve in curves for point in curve["points"])
    named = f" (wrong of the {words['label']}s named)" if measured else ""
    rows = [f"| | from weak to strong: strength → top-1{named} |", "|---|---|"]
    for curve in curves:
        points = " · ".join(
            f"{figures.show(point['strength'], 'g')} → {figures.show(point['top1'], '.3f')}"
            + ("" if point.get("named_wrong") is None else f" ({figures.show(point['named_wrong'], '.2f')})")
            for point in curve["points"]
        )
        unit = curve["unit"].replace("pet", words["subject"])
        rows.append(f"| {figures.show(unit)} | {points} |")
    return "\n".join(rows)


def out_of_distribution(figures: Figures) -> str:
    """Return the figures on pet-less photographs by kind."""
    rows = [
        "| | photographs | named as served | named when taken as a pet | 95% interval of that |",
        "|---|---|---|---|---|",
    ]
    kinds = {"all": "metrics.strangers"}
    kinds |= {kind: f"metrics.strangers.kinds.{kind}" for kind in figures.get("metrics.strangers.kinds")}
    for kind, path in kinds.items():
        cells = (
            figures(f"{path}.photographs"), figures(f"{path}.as_served", ".3f"),
            figures(f"{path}.taken_as_a_pet", ".3f"), _interval(figures, f"{path}.taken_as_a_pet"),
        )  # fmt: skip
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


def others(figures: Figures) -> str:
    """Return the figures on other animals by kind, for classes trained on and for unseen classes."""
    rows = [
        "| | crops | called a breed | crops of classes never trained on | called a breed |",
        "|---|---|---|---|---|",
    ]
    for kind in figures.get("metrics.others.kinds"):
        path = f"metrics.others.kinds.{kind}"
        cells = [
            figures(f"{path}.{key}", ".3f" if key.endswith("named") else "d")
            if figures.has(f"{path}.{key}")
            else "–"
            for key in ("crops", "named", "unseen_crops", "unseen_named")
        ]
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


def no_pets(figures: Figures) -> str:
    """Return, for photographs without a pet by kind, how often something is found and a breed is named."""
    rows = ["| | photographs | something is found | a breed is said |", "|---|---|---|---|"]
    for kind in figures.get("metrics.detector.no_pets"):
        path = f"metrics.detector.no_pets.{kind}"
        cells = [figures(f"{path}.{key}", form) for key, form in _NO_PETS]
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


#: Columns of `no_pets`: key and format.
_NO_PETS = (("photographs", "d"), ("found", ".3f"), ("named", ".3f"))


def forms(figures: Figures) -> str:
    """Return size, speed and accuracy of each exported form of each network."""
    names = {
        "top1": "top-1", "ece": "ECE", "logit_change": "mean change of a logit",
        "agreement": "same first guess", "recall": "recall, detector alone", "ap50": "AP50", "ap75": "AP75",
        "map": "AP .5:.95",
    }  # fmt: skip
    blocks = []
    for network in ("classifier", "detector"):
        path = f"metrics.forms.{network}"
        if not figures.has(path):
            continue
        table: dict[str, dict[str, Any]] = figures.get(f"{path}.forms")
        keys = [key for key in names if key in next(iter(table.values()))]
        rows = [
            f"| {network} | MB | ms, median | ms, undisturbed | {' | '.join(names[key] for key in keys)} |"
        ]
        rows.append("|---" * (4 + len(keys)) + "|")
        for form, row in table.items():
            cells = [figures.show(row["bytes"], "mb")]
            cells += [figures.show(row[key], ".1f") for key in ("milliseconds", "quiet_milliseconds")]
            cells += [figures.show(row[key], ".4f") for key in keys]
            mark = " (shipped)" if form == figures.get(f"{path}.shipped") else ""
            rows.append(f"| {form}{mark} | {' | '.join(cells)} |")
        chosen, shipped = figures.get(f"{path}.chosen"), figures.get(f"{path}.shipped")
        why = f"{chosen} is what the rule below chooses, so it is shipped."
        if chosen != shipped:
            why = f"The rule below chooses {chosen}; this bundle was built with {shipped}."
        blocks.append("\n".join([*rows, "", f"The {network}: {why}"]))
    return "\n\n".join(blocks)


def confused(figures: Figures) -> str:
    """Return the pairs of labels most often taken for each other."""
    names = _names(figures)
    rows = ["| | taken for | times | and back |", "|---|---|---|---|"]
    for pair in figures.get("metrics.confused")[:PAIRS]:
        there = f"{figures.show(pair['a_for_b'])} of {figures.show(pair['a_pictures'])}"
        back = f"{figures.show(pair['b_for_a'])} of {figures.show(pair['b_pictures'])}"
        rows.append(f"| {names[pair['a']]} | {names[pair['b']]} | {there} | {back} |")
    return "\n".join(rows)


def groups(figures: Figures) -> str:
    """Return the figures of every group of breeds."""
    rows = ["| family | breeds | pictures | breed right | family right |", "|---|---|---|---|---|"]
    for row in figures.get("metrics.groups"):
        name = GROUPS[row["group"]].name if row["group"] in GROUPS else row["group"]
        cells = [figures.show(row["labels"]), figures.show(row["pictures"])]
        cells += [figures.show(row["top1"], ".3f"), figures.show(row["group_right"], ".3f")]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def labels(figures: Figures) -> str:
    """Return the figures of every label, by species and name; the species column only if there are any."""
    found: dict[str, dict[str, Any]] = figures.get("metrics.per_label")
    names = _names(figures)
    species = {label["id"]: label.get("species", "") for label in figures.get("classifier.labels")}
    columns = [
        "",
        *(["species"] if any(species.values()) else []),
        "pictures",
        "precision",
        "recall",
        "F1",
        "AUC",
    ]
    rows = [f"| {' | '.join(columns)} |".replace("|  |", "| |"), "|---" * len(columns) + "|"]
    for name in sorted(found, key=lambda name: (species.get(name, ""), names[name])):
        row = found[name]
        cells = [names[name], *([species.get(name, "")] if "species" in columns else [])]
        cells.append(figures.show(row["pictures"]))
        cells += [figures.show(row[key], ".2f") for key in ("precision", "recall", "f1")]
        cells.append("–" if row["auc"] is None else figures.show(row["auc"], ".4f"))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def recipe(figures: Figures) -> str:
    """Return the choices of the recipe that matter most to a reader."""
    wanted = (
        ("pictures from", "data.source"), ("network", "model.backbone"),
        ("input, pixels", "model.input_size"),
        ("start", "model.start"), ("frozen up to", "model.freeze_till"), ("epochs", "train.epochs"),
        ("batch", "train.batch"), ("learning rate", "train.rate"),
        ("label smoothing", "train.label_smoothing"),
        ("MixUp", "augment.mixup"), ("CutMix", "augment.cutmix"), ("seed", "seed"),
    )  # fmt: skip
    rows = ["| choice | |", "|---|---|"]
    rows += [
        f"| {text} | {figures(f'recipe.{path}')} |" for text, path in wanted if figures.has(f"recipe.{path}")
    ]
    soup = "training.classifier.soup"
    if figures.has(f"{soup}.kept"):
        rows.append(f"| then averaged, half and half, with version | {figures(f'{soup}.version')} |")
    return "\n".join(rows)


def _interval(figures: Figures, path: str) -> str:
    if not figures.has(f"{path}_interval"):
        return "–"
    low, high = figures.get(f"{path}_interval")
    return f"{figures.show(low, '.3f')} … {figures.show(high, '.3f')}"


def _names(figures: Figures) -> dict[str, str]:
    """Return the display name of every label: the bundle's own, else the catalogue's."""
    return {x["id"]: x.get("name") or get_breed(x["id"]).name for x in figures.get("classifier.labels")}


TABLES = {
    table.__name__: table
    for table in (
        goals,
        accuracy,
        thresholds,
        photographs,
        robustness,
        out_of_distribution,
        others,
        no_pets,
        forms,
        confused,
        groups,
        labels,
        recipe,
    )
}
