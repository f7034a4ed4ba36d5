"""What sweep, search and cross-validation share: runs inside a run, on the same prepared pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from training.common.run_directory import RunDirectory
from training.pipeline.runner import run_recipe
from training.recipe.file import with_values
from training.recipe.recipe import Recipe


def child_run(
    recipe: Recipe,
    parent: RunDirectory,
    name: str,
    changes: Mapping[str, Any],
    *,
    prepared: RunDirectory | None = None,
    head_of: RunDirectory | None = None,
) -> dict[str, Any]:
    """Train a changed recipe in ``parent/name``, or go on doing so; returns its ``training.json``.

    Args:
        recipe: the recipe of the parent.
        parent: the run directory around it.
        name: of the folder.
        changes: dotted key → value.
        prepared: run directory whose stage `prepare` is complete; default: the parent.
        head_of: a run with the same start and data, whose fitted head is taken.
    """
    changed = with_values(recipe, {"tune.trials": 0, **changes})
    child = RunDirectory(parent / name, quiet=parent.quiet)
    if head_of is not None and child.begun_with("train") is None:
        # The head last and whole: where it is, training takes it as its own.
        shutil.copyfile(head_of / "targets.npy", child / "targets.npy")
        shutil.copyfile(head_of / "head.weights.h5", child / "pending.weights.h5")
        (child / "pending.weights.h5").replace(child / "head.weights.h5")
    run_recipe(changed, child, ("train",), prepared=prepared or parent)
    log = child.read_json("training.json")
    assert isinstance(log, dict)
    return log
