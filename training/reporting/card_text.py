"""Fill the model card's Jinja2 template with figures, looked up by path, and with tables made in code.

``{{ figure("metrics.classifier.top1", ".4f") }}`` is a figure, ``{% if has("metrics.detector") %}`` asks
whether a part was measured, ``{{ table("goals") }}`` is a table. Figures in those tables go through
`Figures` too, so that a test can distinguish measured figures from typed ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined

#: Marks around measured figures while a test checks a card; never in a written card.
OPEN, CLOSE = "\x02", "\x03"
_JINJA = Environment(trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)


class Figures:
    """Looks up figures by path and formats them.

    Args:
        values: nested dictionaries.
        marked: wrap every figure in `OPEN` and `CLOSE`.
    """

    def __init__(self, values: Mapping[str, Any], *, marked: bool = False) -> None:
        self._values, self._marked = values, marked

    def has(self, path: str) -> bool:
        """True when there is a value at ``path``; None and empty values count as missing."""
        return self._find(path) not in (None, "", {}, [])

    def get(self, path: str) -> Any:
        """Return the unformatted value at ``path``.

        Raises:
            KeyError: it was not measured; the error names the path.
        """
        if (value := self._find(path)) is None:
            raise KeyError(path)
        return value

    def __call__(self, path: str, how: str = "") -> str:
        """Return the value at ``path`` as text.

        Args:
            path: dotted path.
            how: a format such as ``.4f``, ``percent``, ``mb`` (from bytes), or "" for ``str``.

        Raises:
            KeyError: it was not measured.
        """
        return self.show(self.get(path), how)

    def show(self, value: Any, how: str = "") -> str:
        """Format a value that was computed from measured ones; ``how`` as for `__call__`."""
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
    """Fill in a template.

    Args:
        template: Jinja2 text, as described in the module.
        figures: measured figures.
        tables: functions that make the tables, by the name that the template uses.

    Raises:
        KeyError: the template asks for a figure that was not measured.
    """
    text = _JINJA.from_string(template)
    return text.render(has=figures.has, figure=figures, table=lambda name: tables[name](figures))
