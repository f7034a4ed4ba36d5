"""Gradio's pages in the language of their visitor.

Gradio sends every visitor the same components, made once at the start, in English. `gr.I18n` leaves their
translation to the browser, which knows nothing of a language chosen here, and sends every catalogue along
with every page; only gradio's own words are translated with it. So the components are translated where they
stand in a page on its way out; what event handlers answer they translate themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from smartbreed.i18n import ENGLISH, gettext, language, speaking

#: Properties of components that people read.
_READ = ("label", "info", "placeholder", "title", "submit_btn")
_CONFIG = re.compile(rb"window\.gradio_config = (\{.*?\});</script>", re.DOTALL)
_LANG = re.compile(rb'(<html\s+lang=")en"')
#: What makes a piece of a page, by the English that it made.
_MADE: dict[str, Callable[[], Any]] = {}


def each_language(make: Callable[[], Any]) -> str:
    """Markup for a page that is made once at the start; in other languages it is made anew.

    Args:
        make: makes it in the language of the moment.
    """
    english = str(make())
    _MADE[english] = make
    return english


def in_language(page: bytes) -> bytes:
    """A page of gradio's in the language of the moment."""
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
    for sign in "<>&":  # it stands in a script
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
