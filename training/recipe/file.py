"""Load recipes from YAML, with ``extends``, command-line overrides and the values that a search chose."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from training.common.errors import RecipeError
from training.common.run_directory import RunDirectory
from training.recipe.recipe import Recipe

#: Folder of the recipes that come with the code.
RECIPES = Path(__file__).parents[1] / "recipes"


def load_recipe(name: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name: path of a YAML file, or the name of one in ``training/recipes``.
        overrides: ``"train.epochs=3"``; the value is YAML.

    Raises:
        RecipeError: a key or value is wrong; the message names it and what was received.
    """
    values = _read(_path(str(name)), ())
    for text in overrides:
        _override(values, text)
    return parse_recipe(values)


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """Validate a nested mapping as a recipe. Raises `RecipeError`."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(_sentence(error)) from None


def with_values(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return the recipe with dotted keys changed and validated again. Raises `RecipeError`."""
    values = recipe.model_dump(mode="json")
    for key, value in changes.items():
        _set(values, key, value)
    return parse_recipe(values)


def save_recipe(recipe: Recipe) -> bytes:
    """Return the recipe as YAML, with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True).encode()


def digest(recipe: Recipe, sections: Iterable[str]) -> str:
    """Hash some sections (or ``section.key``) of a recipe to 16 hexadecimal digits."""
    values = recipe.model_dump(mode="json")
    chosen = {}
    for name in sorted(set(sections)):
        section, _, key = name.partition(".")
        chosen[name] = values[section][key] if key else values[section]
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def keys(model: type[BaseModel] = Recipe, prefix: str = "") -> dict[str, tuple[str, Any]]:
    """Map every dotted key of a recipe to its description and default."""
    found: dict[str, tuple[str, Any]] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= keys(kind, f"{prefix}{name}.")
        else:
            default = "required" if field.is_required() else field.default
            found[f"{prefix}{name}"] = (field.description or "", default)
    return found


def _path(name: str) -> Path:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"There is no recipe file there. Received: {name}")
        return path
    known = sorted(p.stem for p in RECIPES.glob("*.yaml"))
    if name not in known:
        raise RecipeError(
            f"There is no recipe of that name; there are {', '.join(known)}, or give the path of a "
            ".yaml file. "
            f"Received: {name}"
        )
    return RECIPES / f"{name}.yaml"


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise RecipeError(f"extends is circular. Received: {' → '.join(p.name for p in (*seen, path))}")
    try:
        values = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where else ""
        raise RecipeError(f"The recipe is not YAML{line}. Received: {path.name}") from None
    if not isinstance(values, dict):
        raise RecipeError(f"A recipe is a mapping of keys to values. Received: {path.name}")
    base = values.pop("extends", None)
    if base is None:
        return values
    beside = path.with_name(f"{base}.yaml")
    return _merge(_read(beside if beside.is_file() else _path(str(base)), (*seen, path)), values)


def _merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in more.items():
        inner = result.get(key)
        result[key] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return result


def _override(values: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"An override looks like train.epochs=3. Received: {text}")
    try:
        _set(values, key.strip(), yaml.safe_load(value) if value.strip() else "")
    except yaml.YAMLError:
        raise RecipeError(f"The value of {key.strip()} is not YAML. Received: {value}") from None


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise RecipeError(
                f"{key} is no key of a recipe: {section} holds no further keys. Received: {key}"
            )
        values = inner
    values[last] = value


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    received = repr(first["input"]) if not isinstance(first["input"], dict) else str(sorted(first["input"]))
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(where, keys(), 1, 0.6)
        hint = f"; did you mean {close[0]}?" if close else "."
        return f"{where} is no key of a recipe{hint} Received: {where}={received}"
    if first["type"] == "missing":
        return f"{where} is missing from the recipe. Received: {received}"
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        return message if "Received" in message else f"{message}. Received: {received}"
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where}: {message}. Received: {received}"


#: File with the recipe of the best trial; `training.pipeline.tuning.search` writes it.
TUNED = "tuned.yaml"


def tuned_recipe(recipe: Recipe, run: RunDirectory) -> Recipe:
    """Return the recipe with the values that its hyperparameter search chose.

    Only the searched keys come from ``tuned.yaml``, so a later change of any other key still takes effect.
    Stage markers keep the digest of the recipe as given, so the same command finds its stages done.

    Args:
        recipe: the recipe as given.
        run: its run directory. The recipe is returned unchanged if it has no search or the search has not
            finished.

    Raises:
        RecipeError: ``tuned.yaml`` was edited and is not a valid recipe.
    """
    if not recipe.tune.trials or not (run / TUNED).is_file():
        return recipe
    found = load_recipe(run / TUNED).model_dump(mode="json")
    values = {key: value for key in recipe.tune.space if (value := _at(found, key)) is not None}
    return with_values(recipe, {**values, "tune.trials": 0})


def _at(values: Any, key: str) -> Any:
    """Return the value at a dotted key; None if it is absent."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
