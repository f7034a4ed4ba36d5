"""The fragments that pages share: macros of ``templates/components.html``, called like functions."""

from __future__ import annotations

from typing import Any

from smartbreed.web.components.templates import Macros

_MACROS = Macros("components.html")


def __getattr__(name: str) -> Any:
    return getattr(_MACROS, name)
