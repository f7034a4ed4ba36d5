"""The licence that the networks of a bundle state."""

from __future__ import annotations

from typing import Any

from training.recipe.recipe import Export


def licence_of(config: dict[str, Any]) -> str:
    """What the networks of a bundle state, by the recipe that made it."""
    export = config.get("recipe", {}).get("export", {})
    return str(export.get("license", Export().license))
