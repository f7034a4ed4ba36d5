"""Text that people type, as it is kept and shown."""

from __future__ import annotations

from typing import Any


def one_line(text: str, most: int = 60) -> str:
    """A name in one line without control or formatting characters, at most so long.

    Example:
        >>> one_line("  Rex\\n the dog ")
        'Rex the dog'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[:1000])
    return " ".join(visible.split())[:most].strip()


def read_yaml(text: str) -> Any:
    """What YAML of other people holds.

    PyYAML raises many errors: a tag that does not fit its value, a bad date and brackets that never end have
    one each.

    Raises:
        ValueError: it cannot be read.
    """
    import yaml

    wrong = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *wrong):
        raise ValueError("This YAML cannot be read.") from None
