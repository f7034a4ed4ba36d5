"""Map the labels of a data source to the ids, names, species and groups that the app shows."""

from __future__ import annotations

import re
import unicodedata

from smartbreed.breeds.catalogue import resolve
from training.common.errors import DataError
from training.recipe.recipe import Data, LabelInfo

#: Signs that an id may have, though not at its start, and Unicode's categories of digits and connectors.
_SIGNS, _DIGITS = " .,'()&+-", ("Nd", "Nl", "Pc")


def slug(text: str) -> str:
    """Turn a text into a label id: lower-case letters, digits and underscores.

    A text without any of these is kept in its own script, without the characters that the id of a bundle's
    label must not have; empty if nothing is left.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or _without_forbidden(text.strip().lower())


def _without_forbidden(text: str) -> str:
    """Return a text as `smartbreed.inference.bundle_config.Label` takes it for an id."""
    # Not ``\w``: Python does not count the signs of Indian vowels, as the check of the bundle does.
    kept = [
        one if one in _SIGNS or unicodedata.category(one) in _DIGITS or unicodedata.category(one)[0] in "LM"
        else "\0"
        for one in text
    ]  # fmt: skip
    joined = re.sub("\0+", "_", "".join(kept).strip("\0"))
    return joined.lstrip(_SIGNS)


def describe_labels(labels: list[str], data: Data) -> list[dict[str, str]]:
    """Return ``id``, ``name``, ``species`` and ``group`` of each label.

    Values in the recipe's ``data.labels`` take precedence; the rest comes from the breed catalogue if it has
    the label. A label that the recipe names is not looked up in the catalogue.

    Raises:
        DataError: there are fewer than two labels, a label has neither letters nor digits, two labels would
            get the same id, or ``data.labels`` is given but lacks one.
    """
    if len(labels) < 2:
        raise DataError(f"There must be at least two classes to tell apart. Received: {', '.join(labels)}")
    unknown = [label for label in labels if data.labels and label not in data.labels]
    if unknown:
        raise DataError(
            f"data.labels knows no label {unknown[0]}; it lists {', '.join(sorted(data.labels))}. "
            f"Received: {unknown[0]}"
        )
    described = [describe_label(label, data) for label in labels]
    ids = [label["id"] for label in described]
    # Two names of one breed are still two classes, so each gets an id from its own text.
    described = [
        {**one, "id": slug(label), "name": readable(label)} if ids.count(one["id"]) > 1 else one
        for label, one in zip(labels, described, strict=True)
    ]
    ids = [label["id"] for label in described]
    if "" in ids:
        raise DataError(
            "A label needs a letter or a digit, as its id is made of them; rename it. "
            f"Received: {labels[ids.index('')]!r}"
        )
    twice = next((i for i, one in enumerate(ids) if one in ids[:i]), None)
    if twice is not None:
        raise DataError(
            f"Two labels would have the same id {ids[twice]}; rename one. "
            f"Received: {labels[ids.index(ids[twice])]} and {labels[twice]}"
        )
    return described


def describe_label(label: str, data: Data) -> dict[str, str]:
    """Return ``id``, ``name``, ``species`` and ``group`` of one label."""
    info = data.labels.get(label, LabelInfo())
    known = None if info.name else resolve(label.replace("_", " "))
    if known is not None:
        return {"id": known.id, "name": known.name, "species": info.species or known.species,
                "group": info.group or known.group}  # fmt: skip
    species = slug(label) if slug(label) in ("cat", "dog") else ""
    return {"id": slug(label), "name": info.name or readable(label), "species": info.species or species,
            "group": info.group}  # fmt: skip


def readable(label: str) -> str:
    """Turn a label into a display name."""
    return re.sub(r"[_\s]+", " ", label).strip().capitalize()
