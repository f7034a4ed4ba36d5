"""Clean text that people type, and parse their YAML."""

from __future__ import annotations

from typing import Any

#: Most nodes of the mappings with merge keys in one text, with every alias written out.
_MAX_MERGED = 100_000


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

    An alias of a list or mapping is the same object again, so what walks the result must count.

    Raises:
        ValueError: the text cannot be parsed, or a few lines of it would merge into far too much.
    """
    import yaml

    from localhub.bounded_yaml import load

    wrong = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
    try:
        return load(text, _MAX_MERGED)
    except (yaml.YAMLError, *wrong):
        raise ValueError("This YAML cannot be read.") from None
