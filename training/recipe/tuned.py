"""The recipe that the stages after a search go by: the one given, with the values the search chose."""

from __future__ import annotations

from typing import Any

from training.common.run_directory import RunDirectory
from training.recipe.file import load_recipe, with_values
from training.recipe.recipe import Recipe

#: The recipe of the best trial, left by `training.pipeline.tuning.search`.
TUNED = "tuned.yaml"


def tuned_recipe(recipe: Recipe, run: RunDirectory) -> Recipe:
    """What was trained, read back from the run directory.

    Only the searched keys are taken from there, so that a later change of any other choice still counts.
    Markers keep the digest of the recipe that was given: the same command finds its stages done.

    Args:
        recipe: as given.
        run: its directory; without a search, or before it ended, the recipe comes back as it is.

    Raises:
        RecipeError: ``tuned.yaml`` was edited and makes no sense.
    """
    if not recipe.tune.trials or not (run / TUNED).is_file():
        return recipe
    found = load_recipe(run / TUNED).model_dump(mode="json")
    values = {key: value for key in recipe.tune.space if (value := _at(found, key)) is not None}
    return with_values(recipe, {**values, "tune.trials": 0})


def _at(values: Any, key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
