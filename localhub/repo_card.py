"""The YAML front matter of a README.md. It is untrusted, because any caller may have written it."""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import lru_cache
from typing import Any

import yaml  # type: ignore[import-untyped]

from localhub import bounded_yaml

#: Most characters of a README that are read, then of its front matter (the parser only reads about 50 kB a
#: second), then most nodes of its YAML.
MAX_CARD = 1_000_000
_MAX_HEAD = 100_000
_MAX_NODES = 50_000
_TOO_LARGE = "The metadata is too large or too deep"
_HEAD = re.compile(r"\A\ufeff?\s*^---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


class CardError(ValueError):
    """The front matter of a README is not usable YAML; the message says why."""


def front_matter(text: str) -> dict[str, Any]:
    """Return the metadata of a README as plain JSON values; empty if it has none.

    Raises:
        CardError: it is not YAML, not a mapping, or far too large.
    """
    found = _HEAD.match(text[:MAX_CARD])
    card = {} if found is None else _kept(found[1])
    if isinstance(card, CardError):
        raise CardError(str(card))
    return dict(card)


#: Keys of a card whose values become tags, with the prefix of each tag; by type of repo.
_TAGS = {
    "model": {"tags": "", "pipeline_tag": "", "library_name": "", "language": "", "license": "license:",
              "datasets": "dataset:", "base_model": "base_model:"},
    "dataset": {"tags": "", "license": "license:", "language": "language:",
                "size_categories": "size_categories:",
                **{key: f"{key}:" for key in ("task_categories", "task_ids", "multilinguality",
                   "annotations_creators", "language_creators", "source_datasets")}},
    "space": {"tags": "", "sdk": "", "license": "license:", "models": "model:", "datasets": "dataset:"},
}  # fmt: skip


def tags_of(repo_type: str, card: dict[str, Any] | None) -> list[str]:
    """Return the tags by which a repo can be found, from the metadata of its README."""
    found: dict[str, None] = {}
    for key, before in _TAGS[repo_type].items():
        values = (card or {}).get(key)
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str):
                found[value if value.startswith(before) else before + value] = None
    return list(found)


def check_card(text: str) -> dict[str, Any]:
    """Return `front_matter`, after checking the types of the keys that the Hub's tools read.

    Raises:
        CardError: it is not usable.
    """
    card = front_matter(text)
    for key, kinds in _KINDS.items():
        value = card.get(key)
        if value is not None and not isinstance(value, kinds):
            raise CardError(f'"{key}" must be {" or ".join(_KIND_NAMES[kind] for kind in kinds)}')
    return card


_KINDS: dict[str, tuple[type, ...]] = {
    "model-index": (list,),
    "tags": (list,),
    "dataset_info": (dict, list),
    "configs": (list,),
    **dict.fromkeys(("license", "language", "datasets", "base_model"), (str, list)),
    **dict.fromkeys(("pipeline_tag", "library_name", "title", "sdk"), (str,)),
}
_KIND_NAMES: dict[type, str] = {list: "an array", dict: "an object", str: "a string"}


@lru_cache(maxsize=32)
def _kept(head: str) -> dict[str, Any] | CardError:
    """Parse front matter. Errors are cached too, because every request for a repo reads its card."""
    try:
        return _parse(head)
    except CardError as error:
        return error


def _parse(head: str) -> dict[str, Any]:
    if len(head) > _MAX_HEAD:
        raise CardError(f"The metadata is over {_MAX_HEAD} characters")
    try:
        value = bounded_yaml.load(head, _MAX_NODES)
    except bounded_yaml.TooLargeError:
        raise CardError(_TOO_LARGE) from None
    except yaml.YAMLError as error:
        raise CardError(" ".join(str(error).split())[:300]) from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise CardError("The metadata cannot be read") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CardError("The metadata must be a mapping of names to values")
    plain: dict[str, Any] = _Plain()(value)
    return plain


class _Plain:
    """Rebuilds a YAML value for JSON, and counts its nodes: anchors can expand a few lines to gigabytes."""

    def __init__(self) -> None:
        self._left = _MAX_NODES

    def __call__(self, value: object, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > 40:
            raise CardError(_TOO_LARGE)
        if isinstance(value, dict):
            return {_text(str(_small(key))): self(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set):
            return [self(inner, depth + 1) for inner in value]
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(_small(value), int | float | None):
            return value
        return _text(str(value))


def _small(value: object) -> object:
    """Return a value; refuse a number that JSON readers cannot hold, and that Python may not even print."""
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise CardError("The metadata has a number that is too large")
    return value


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
