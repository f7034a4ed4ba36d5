"""Whether a piece of HTML is well-formed and harmless."""

from __future__ import annotations

import html.parser
from typing import Any

_VOID = frozenset({"img", "br", "input"})


class _Nesting(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_nesting(fragment: str) -> None:
    """Fails where tags do not close in order."""
    nesting = _Nesting()
    nesting.feed(fragment)
    nesting.close()
    assert nesting.open == []


def check_sound(fragment: str) -> None:
    """Fails where tags do not close in order, or where a text from outside was let through."""
    check_nesting(fragment)
    assert "<script" not in fragment
    assert "{{" not in fragment
