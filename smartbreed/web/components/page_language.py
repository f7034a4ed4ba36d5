"""Translates Gradio's pages into the visitor's language.

Gradio builds its components once, at startup and in English, and sends the same ones to every visitor.
`gr.I18n` leaves translation to the browser, which does not know the language chosen on this site, and sends
every catalogue with every page; it is used only for gradio's own texts. Instead, the components' texts are
translated in each page before it is sent. Event handlers translate their own answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from smartbreed.i18n import ENGLISH, gettext, language, speaking

#: Properties of components that hold visible text.
_READ = ("label", "info", "placeholder", "title", "submit_btn")
_CONFIG = re.compile(rb"window\.gradio_config = (\{.*?\});</script>", re.DOTALL)
_LANG = re.compile(rb'(<html\s+lang=")en"')
#: Functions that return markup, by the English markup that they returned at startup.
_MADE: dict[str, Callable[[], Any]] = {}


def each_language(make: Callable[[], Any]) -> str:
    """Return English markup for a component; `in_language` replaces it with that of another language.

    Args:
        make: returns the markup in the current language.
    """
    english = str(make())
    _MADE[english] = make
    return english


def in_language(page: bytes) -> bytes:
    """Translate a Gradio page into the current language."""
    code = language()
    config = None if code == ENGLISH else _CONFIG.search(page)
    if config is None:
        return page
    page = page[: config.start(1)] + _translated_config(config[1], code) + page[config.end(1) :]
    return _LANG.sub(rb"\g<1>" + code.encode() + b'"', page, count=1)


@lru_cache(maxsize=32)
def _translated_config(config: bytes, code: str) -> bytes:
    found = json.loads(config)
    with speaking(code):
        for component in found["components"]:
            _translate(component["type"], component["props"])
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&":  # the JSON is part of a script
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode()


def _translate(kind: str, props: dict[str, Any]) -> None:
    for name in (*_READ, "value") if kind == "button" else _READ:
        if isinstance(props.get(name), str):
            make = _MADE.get(props[name])
            props[name] = str(make()) if make else gettext(props[name])
    value = props.get("value")
    if kind == "html" and value in _MADE:
        props["value"] = str(_MADE[value]())
    if kind == "gallery":
        for picture in value or []:
            picture["caption"] = gettext(picture.get("caption") or "")
    if isinstance(props.get("choices"), list):
        props["choices"] = [[gettext(str(text)), chosen] for text, chosen in props["choices"]]
