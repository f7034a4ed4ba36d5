"""What the Jinja2 template of the model card is filled with: figures by their path, and tables made in code.

``{{ figure("metrics.classifier.top1", ".4f") }}`` is a figure, ``{% if has("metrics.detector") %}`` asks
whether a part was measured, ``{{ table("goals") }}`` is a table. Figures that code writes into tables go
through `Figures` too, so that a test can distinguish measured figures from typed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

#: Marks around measured text while a card is checked; never in a written card.
OPEN, CLOSE = "\x02", "\x03"
_JINJA = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)


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
    text = _JINJA.from_string(template)
    return text.render(has=figures.has, figure=figures, table=lambda name: tables[name](figures))
