"""The look of pages without gradio: its theme, our stylesheets, and dark where the browser prefers it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from smartbreed.web.theme import SmartBreedTheme

STATIC = Path(__file__).parents[1] / "static"
#: A rule of a stylesheet for the class that a script of gradio's sets.
_DARK = re.compile(r"^\.dark ([^{}]*)(\{[^{}]*\})", re.MULTILINE)


@cache
def page_style(*more: str) -> str:
    """One stylesheet.

    Args:
        more: names of further stylesheets in ``static``.
    """
    theme = "\n".join(line for line in SmartBreedTheme()._get_theme_css().splitlines() if "url(" not in line)
    light, _, dark = theme.partition(":root.dark, :root .dark")
    own = [(STATIC / name).read_text(encoding="utf-8") for name in ("style.css", "plain.css", *more)]
    text = "\n".join([light, f"@media (prefers-color-scheme: dark) {{ :root {dark} }}", *own])
    return _DARK.sub(r"@media (prefers-color-scheme: dark) { \1\2 }", text)
