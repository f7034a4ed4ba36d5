"""The template language of the model card: figures by their path, parts by whether they were measured.

``{{metrics.classifier.top1|.4f}}`` is a figure, ``{{#if metrics.detector}}`` … ``{{/if}}`` a part (none
inside another), ``{{table goals}}`` a table made in code. Figures that code writes into
tables go through `Figures` too, so that a test can distinguish measured figures from typed ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: Marks around measured text while a card is checked; never in a written card.
OPEN, CLOSE = "\x02", "\x03"
_PART = re.compile(r"\{\{#if ([\w.]+)\}\}\n(.*?)\{\{/if\}\}\n", re.DOTALL)
_FIGURE = re.compile(r"\{\{([\w.]+)(?:\|([\w.]+))?\}\}")
_TABLE = re.compile(r"\{\{table (\w+)\}\}")


class Figures:
    """Looks figures up and writes them.

    Args:
        values: nested dictionaries.
        marked: wrap every figure in `OPEN` and `CLOSE`.
    """

    def __init__(self, values: Mapping[str, Any], *, marked: bool = False) -> None:
        self._values, self._marked = values, marked

    def has(self, path: str) -> bool:
        """Whether there is something at ``path``; None, nothing and empty count as not there."""
        return self._find(path) not in (None, "", {}, [])

    def get(self, path: str) -> Any:
        """The bare value.

        Raises:
            KeyError: it was not measured; names the path.
        """
        if (value := self._find(path)) is None:
            raise KeyError(path)
        return value

    def __call__(self, path: str, how: str = "") -> str:
        """The value at ``path`` as text: ``.4f``, ``percent``, ``mb`` (of bytes) or as it is.

        Raises:
            KeyError: it was not measured.
        """
        return self.show(self.get(path), how)

    def show(self, value: Any, how: str = "") -> str:
        """A value that was computed from measured ones, formatted."""
        if how == "percent":
            text = f"{100 * value:.1f}%"
        elif how == "mb":
            text = f"{value / 1e6:.1f}"
        else:
            text = format(value, how) if how else str(value)
        return f"{OPEN}{text}{CLOSE}" if self._marked else text

    def _find(self, path: str) -> Any:
        value: Any = self._values
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def render(template: str, figures: Figures, tables: Mapping[str, Callable[[Figures], str]]) -> str:
    """Fill a template in.

    Args:
        template: see above.
        figures: what was measured.
        tables: makers of the tables the template names.

    Raises:
        KeyError: the template asks for a figure that was not measured.
    """
    text = _PART.sub(lambda part: part[2] if figures.has(part[1]) else "", template)
    text = _TABLE.sub(lambda table: tables[table[1]](figures), text)
    return _FIGURE.sub(lambda figure: figures(figure[1], figure[2] or ""), text)
