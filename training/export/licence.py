"""The licence in the metadata of a bundle's networks."""

from __future__ import annotations

from typing import Any

from training.recipe.recipe import Export


def licence_of(config: dict[str, Any]) -> str:
    """Return the licence that the recipe in a bundle's ``config.json`` sets, else the default one."""
    export = config.get("recipe", {}).get("export", {})
    return str(export.get("license", Export().license))
