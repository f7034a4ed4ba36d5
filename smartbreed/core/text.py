"""Text that people type, as it is kept and shown."""

from __future__ import annotations


def one_line(text: str, most: int = 60) -> str:
    """A name in one line without control or formatting characters, at most so long.

    Example:
        >>> one_line("  Rex\\n the dog ")
        'Rex the dog'
    """
    visible = "".join(c if c.isprintable() else " " for c in text[:1000])
    return " ".join(visible.split())[:most].strip()
