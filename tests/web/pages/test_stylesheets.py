"""Each page's stylesheet keeps to its own page; only ``style.css`` is shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartbreed.core.settings import load_settings
from smartbreed.web import blocks

PAGES = [path.stem for path in blocks.STYLESHEETS[1:]]
#: Of pages without gradio, and what these share.
WITHOUT_GRADIO = {
    "head.css",
    "docs.css",
    "plain.css",
    "account.css",
    "admin.css",
    "breeds.css",
    "info.css",
    "offline.css",
    "quiz.css",
    "statistics.css",
    "teach.css",
}
tinycss2 = pytest.importorskip("tinycss2", reason="tinycss2 is not installed")

UI = Path(blocks.__file__).parent / "static"
#: At-rules that hold other rules.
_HOLD_RULES = {"media", "supports", "layer", "container"}


def selectors(css: str) -> Iterator[str]:
    """Every selector of a stylesheet, one by one, those inside of ``@media`` and its like included.

    Raises:
        ValueError: something in it is no CSS.
    """
    yield from _selectors(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True))


def _selectors(rules: list[Any]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "error":
            raise ValueError(f"line {rule.source_line}: {rule.message}")
        if rule.type == "qualified-rule":
            part: list[Any] = []
            for token in [*rule.prelude, None]:
                if token is None or token == ",":
                    yield tinycss2.serialize(part).strip()
                    part = []
                else:
                    part.append(token)
        elif rule.lower_at_keyword in _HOLD_RULES:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            yield from _selectors(inner)


def strays(css: str, page: str) -> list[str]:
    """Selectors that could match on another page than ``page``."""
    return [
        selector
        for selector in selectors(css)
        if selector.removeprefix(".dark ").split()[0] != f".sb-page-{page}"
    ]


def test_a_selector_that_reaches_another_page_is_found() -> None:
    css = """
    .sb-page-review .a, .sb-unknown > p { color: red; }
    .dark .sb-page-review .b { color: red; }
    .sb-page-review-list .c { color: red; }
    @media (max-width: 9px) { #d { color: red; } .sb-page-review [title="x,y"] { color: red; } }
    @keyframes turn { from { color: red; } to { color: blue; } }
    """
    assert strays(css, "review") == [".sb-unknown > p", ".sb-page-review-list .c", "#d"]
    with pytest.raises(ValueError, match="line"):
        list(selectors(".a { } }"))


@pytest.mark.parametrize("page", [*PAGES, "account", "admin", "breeds", "info", "quiz", "statistics"])
def test_a_pages_stylesheet_keeps_to_its_page(page: str) -> None:
    css = (UI / f"{page}.css").read_text(encoding="utf-8")
    assert not strays(css, page), f"{page}.css styles what other pages show too"
    assert list(selectors(css))


def test_every_stylesheet_is_shared_or_some_pages(tmp_path: Path) -> None:
    names = {path.name for path in UI.glob("*.css")} - WITHOUT_GRADIO
    assert names == {"style.css", *(f"{page}.css" for page in PAGES)}
    served = blocks.launch_options(load_settings(home=tmp_path))["css_paths"]
    assert {path.name for path in served} == names
    assert list(selectors((UI / "style.css").read_text(encoding="utf-8")))


def in_media(css: str) -> Iterator[str]:
    """Every selector that stands inside of ``@media`` and its like."""
    for rule in tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True):
        if rule.type == "at-rule" and rule.lower_at_keyword in _HOLD_RULES:
            yield from _selectors([rule])


@pytest.mark.parametrize("path", blocks.STYLESHEETS, ids=lambda path: path.stem)
def test_what_holds_for_a_width_or_a_wish_is_not_lost_beneath_gradios_own_class(path: Path) -> None:
    """Gradio writes such rules beneath its container, in which there is no second one to match."""
    found = list(in_media(path.read_text(encoding="utf-8")))
    assert [one for one in found if ".gradio-container" in one] == []
    assert list(in_media("@media print { .gradio-container a { color: red; } }")) == [".gradio-container a"]
