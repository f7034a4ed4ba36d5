"""Clean text that people type, and parse their YAML."""

from __future__ import annotations

from functools import cache
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

    wrong = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, *wrong):
        raise ValueError("This YAML cannot be read.") from None


@cache
def _loader() -> Any:
    """Return PyYAML's safe loader with a bound on merge keys, which alone copy what an alias names.

    Each line of ``b: &b {<<: [*a, *a]}`` doubles the one before.
    """
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self._left = _MAX_MERGED
            self._sizes: dict[yaml.Node, int] = {}

        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                self._left -= self._size(node)
                if self._left < 0:
                    raise yaml.YAMLError("too many merged mappings")
            super().flatten_mapping(node)

        def _size(self, node: yaml.Node) -> int:
            if node not in self._sizes:
                self._sizes[node] = _MAX_MERGED + 1  # of a node that contains itself
                inner = [] if isinstance(node, yaml.ScalarNode) else node.value
                parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
                self._sizes[node] = min(1 + sum(self._size(part) for part in parts), _MAX_MERGED + 1)
            return self._sizes[node]

    return Loader
