"""Write the model card from measured numbers: template + ``config.json`` → Markdown."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

from smartbreed.breeds import get_breed

TEMPLATE = Path(__file__).with_name("card_template.md")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _breed_rows(per_breed: dict[str, float]) -> str:
    names = {name: get_breed(name) for name in per_breed}
    rows = sorted(per_breed, key=lambda name: (names[name].species, names[name].name))
    return "\n".join(f"| {names[n].name} | {names[n].species} | {per_breed[n]:.2f} |" for n in rows)


def render_card(config: dict[str, Any]) -> str:
    """The card as Markdown with the Hub's metadata on top.

    Args:
        config: a bundle's ``config.json`` with ``metrics`` as `training.evaluate` measured them.

    Raises:
        KeyError: the template asks for a figure that no run produced.
    """
    metrics = config["metrics"]
    values: dict[str, Any] = {"name": config["name"], "version": config["version"]}
    for part in ("classifier", "detector", "pipeline"):
        for key, value in metrics[part].items():
            if isinstance(value, float):
                values[f"{part}_{key}"] = f"{value:.4f}"
                values[f"{part}_{key}_percent"] = _percent(value)
            elif isinstance(value, (int, str)):
                values[f"{part}_{key}"] = value
    low, high = metrics["classifier"]["top1_interval"]
    values["classifier_top1_low"], values["classifier_top1_high"] = f"{low:.3f}", f"{high:.3f}"
    section = config["classifier"]
    values["temperature"] = section["temperature"]
    values["breed_threshold"], values["group_threshold"] = (
        section["thresholds"][k] for k in ("breed", "group")
    )
    values["breeds"] = len(section["labels"])
    values["breed_rows"] = _breed_rows(metrics["classifier"]["per_breed"])
    runs = config.get("training", {})
    balance = runs.get("classifier", {}).get("balance")
    values["balance"] = (
        f"{balance['rounds']} passes over the cats with as many dogs" if balance else "nothing more"
    )
    for name in ("classifier", "detector"):
        epochs = runs.get(name, {}).get("epochs", [])
        values[f"{name}_epochs"] = len(epochs)
        values[f"{name}_minutes"] = round(epochs[-1]["seconds"] / 60) if epochs else 0
    return Template(TEMPLATE.read_text()).substitute(values)


def write_card(config: dict[str, Any], paths: list[Path]) -> None:
    """Write the same card to every path."""
    text = render_card(config)
    for path in paths:
        path.write_text(text)
