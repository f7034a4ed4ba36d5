"""Renders the Jinja2 templates of ``web/templates``; every value that is not markup is escaped.

Templates write the app's own paths like ``/breeds``; the proxy's prefix is put before them here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape

from smartbreed.i18n import (
    each_translated,
    gettext,
    language,
    mark,
    of_things,
    plural,
    script_sentences,
    translated,
)
from smartbreed.web.address import prefixed_links
from smartbreed.web.components import sentences

#: Escapes for characters with a meaning in the template engine through which gr.HTML runs its content.
_GRADIO = {ord("{"): "&#123;", ord("}"): "&#125;", ord("$"): "&#36;", ord("`"): "&#96;"}


_KINDS, _KIND = {("dog",): mark("Group"), ("cat",): mark("Body type")}, mark("Kind")


class _Tight(Extension):
    """Removes a template's line breaks and indentation between tags, which only serve its readers."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        source = re.sub(r"(?<=>)\s*\n\s*(?=<)|(?<=[%#]\})\s*\n\s*|\s*\n\s*(?=\{[%#])", "", source.strip())
        return re.sub(r"\s*\n\s*", " ", source)


def _safe(value: Any) -> Any:
    return value if hasattr(value, "__html__") else Markup(str(escape(value)).translate(_GRADIO))


_ENVIRONMENT = Environment(
    loader=FileSystemLoader([Path(__file__).parents[1] / "templates", Path(__file__).parents[1] / "static"]),
    autoescape=True,
    finalize=_safe,
    undefined=StrictUndefined,
    extensions=[_Tight, "jinja2.ext.i18n"],
)


def _trans(sentence: str, /, **values: Any) -> Markup:
    """Translate a ``{% trans %}`` block: the sentence is markup, its values are escaped."""
    return Markup(gettext(sentence)) % {name: _safe(value) for name, value in values.items()}


def _trans_number(one: str, many: str, number: int, /, **values: Any) -> Markup:
    said = plural(one, many, number)
    return Markup(said) % {name: _safe(value) for name, value in values.items()}


_ENVIRONMENT.newstyle_gettext = True  # type: ignore[attr-defined]
_ENVIRONMENT.globals |= {
    "gettext": _trans,
    "ngettext": _trans_number,
    "_": gettext,
    "language": language,
    "of_things": of_things,
    "script_sentences": lambda: script_sentences(language()),
}
_ENVIRONMENT.filters |= {
    "base64": lambda data: base64.b64encode(data).decode("ascii"),
    "certainty": sentences.certainty,
    "capitalize_first": lambda text: text[:1].upper() + text[1:],
    "colour": sentences.colour,
    "found": sentences.found,
    "day": sentences.day,
    "each_translated": each_translated,
    "likely": sentences.likely,
    "megabytes": lambda size: f"{size / 1e6:.0f} MB",
    "kind_label": lambda species: gettext(_KINDS.get(tuple(species), _KIND)),
    "px": lambda number: f"{number:.1f}",
    "percent": sentences.percent,
    "sentence": sentences.sentence,
    "span": sentences.span,
    "added": sentences.added,
    "translated": translated,
    "share": lambda value: "–" if value is None else f"{value:.1%}",
}


def environment() -> Environment:
    """Return the Jinja2 environment of the templates."""
    return _ENVIRONMENT


def render(name: str, /, **values: Any) -> str:
    """Render a template with values."""
    return prefixed_links(_ENVIRONMENT.get_template(name).render(values))


class Macros:
    """The macros of a template as methods that return markup.

    Args:
        name: file name of the template.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        macro: Callable[..., Markup] = getattr(_ENVIRONMENT.get_template(self._name).module, name)

        def markup(*args: Any, **values: Any) -> Markup:
            return Markup(prefixed_links(macro(*args, **values)))

        return markup


#: The fragments that pages share: macros of ``templates/components.html``.
html = Macros("components.html")
