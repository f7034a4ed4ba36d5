"""Load YAML from an untrusted source without letting merge keys expand a few lines to gigabytes."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]


class TooLargeError(yaml.YAMLError):  # type: ignore[misc]
    """The mappings with merge keys have too many nodes."""


def load(text: str, most: int) -> Any:
    """Parse YAML with PyYAML's safe loader and a bound on merge keys, which alone copy what an alias names.

    Each line of ``b: &b {<<: [*a, *a]}`` doubles the one before. Other aliases are the same object again, so
    what walks the result must count.

    Args:
        text: the document.
        most: nodes that mappings with merge keys may have together, with every alias written out.

    Raises:
        TooLargeError: they have more.
        yaml.YAMLError: the text is not YAML. PyYAML also lets ValueError, LookupError, TypeError,
            AttributeError, ArithmeticError and RecursionError through.

    Example:
        >>> load("{a: &a {x: 1}, b: {<<: *a, y: 2}}", 100)["b"]
        {'x': 1, 'y': 2}
    """
    loader = _Loader(text, most)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    def __init__(self, text: str, most: int) -> None:
        super().__init__(text)
        self._most = self._left = most
        self._sizes: dict[yaml.Node, int] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            self._left -= self._size(node)
            if self._left < 0:
                raise TooLargeError("too many merged mappings")
        super().flatten_mapping(node)

    def _size(self, node: yaml.Node) -> int:
        """Return how many nodes a value has with every alias written out; too many if it contains itself."""
        if node not in self._sizes:
            self._sizes[node] = self._most + 1  # until it is known
            inner = [] if isinstance(node, yaml.ScalarNode) else node.value
            parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
            self._sizes[node] = min(1 + sum(self._size(part) for part in parts), self._most + 1)
        return self._sizes[node]
