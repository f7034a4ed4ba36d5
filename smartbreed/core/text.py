"""Clean text that people type, and parse their YAML."""

from __future__ import annotations

from typing import Any


def one_line(text: str, most: int = 60) -> str:
    """Return a name on one line, without control or formatting characters, cut to ``most`` characters.

    Example:
        >>> one_line("  Rex\\n the dog ")
        'Rex the dog'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[:1000])
    return " ".join(visible.split())[:most].strip()


def read_yaml(text: str) -> Any:
    """Parse YAML from an untrusted source.

    PyYAML raises many kinds of errors: a tag that does not fit its value, a bad date and brackets nested
    without end each have their own.

    Raises:
        ValueError: the text cannot be parsed.
    """
    import yaml

    wrong = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *wrong):
        raise ValueError("This YAML cannot be read.") from None
