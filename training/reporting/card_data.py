"""What a card may say about the pictures behind a model: their name, their licence, which were judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

#: The data of the default model: a folder or a repo of this name with this configuration.
_NAME, _CONFIG = "pets", "breeds"
DEFAULT_DATA, DEFAULT_LICENSE = "smartbreed/pets", "apache-2.0"


def facts_of_data(config: Mapping[str, Any]) -> dict[str, Any]:
    """For the template, from a bundle's ``config.json``.

    Returns:
        ``dataset`` (a Hub repo, or the folder's own name, quoted for YAML where it must be), ``default_data``
        (whether it is the default model's), ``license`` (None: not ours to say), ``split`` (what was judged:
        ``test`` or ``validation``), ``judged`` (the same for people).
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
    """What to call the source of a recipe's section ``data``; a path is not told, only its last part."""
    source = str(data.get("source") or "").strip()
    if not source:
        return "unknown"
    last = PurePath(source).name or source
    if last == _NAME and data.get("config") == _CONFIG:
        return DEFAULT_DATA
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source) and not source.endswith(".parquet"):
        return source  # a repo on a Hub, or a folder that reads like one
    return last.removeprefix("keras:").removesuffix(".parquet") or last


def in_yaml(text: str) -> str:
    """A text as it must stand inside ``{…}`` of YAML."""
    return yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=10**6).strip()[1:-1]
