"""Check that the figures stored in a bundle agree with newly measured ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Largest tolerated difference between two measurements of a figure.
TOLERANCE = 0.002
#: Figures that depend on the machine, not on the bundle.
_MACHINE = ("milliseconds", "quiet_milliseconds", "threads")


def difference(stored: dict[str, Any], measured: dict[str, Any]) -> str | None:
    """Return a sentence that names the first stored figure that differs; None if all agree.

    Not compared: parts that were not measured this time, timings, and the choices that depend on timings.
    """
    for path, was in _compared(stored, measured):
        now = _at(measured, path)
        if isinstance(was, (int, float)) and isinstance(now, (int, float)) and not isinstance(was, bool):
            if abs(was - now) <= TOLERANCE:
                continue
        elif was == now:
            continue
        return (
            f"{path} differs by more than {TOLERANCE}: the bundle's config.json says {was}, "
            f"the bundle's files give {'nothing' if now is None else now}."
        )
    return None


def agreement(stored: dict[str, Any], measured: dict[str, Any]) -> str:
    """Return a sentence on how many figures were compared; call it if `difference` finds nothing."""
    compared = sum(1 for _ in _compared(stored, measured))
    if not compared:
        return "Nothing was compared: the bundle's config.json holds no figure that was measured here."
    return (
        f"The bundle is what it says: its {compared} stored figures agree with those measured here, "
        f"numbers to within {TOLERANCE}."
    )


def _compared(stored: dict[str, Any], measured: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for path, was in _leaves(stored):
        part, last = path.split(".")[0], path.split(".")[-1]
        if part in measured and not (part == "forms" and last in (*_MACHINE, "chosen", "shipped")):
            yield path, was


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list):
        return [leaf for n, item in enumerate(value) for leaf in _leaves(item, f"{path}.{n}")]
    return [(path, value)]


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value
