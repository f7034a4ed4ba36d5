"""The OpenAPI description as a page, rendered here: the usual viewers come from a CDN and fail offline."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --line: #dde2ea; --page: #f6f7f9;
  --card: #fff; --code: #eef1f5; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #a3adbb; --line: #333c49;
  --page: #14181e; --card: #1c222b; --code: #262e39; --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { margin: 0; font-size: 1.6rem; } h2 { font-size: 1.1rem; margin: 0; }
h3 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
a { color: var(--accent); } p { margin: .5rem 0; } .soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.1rem 1.25rem; margin: 1.25rem 0; }
code, pre { font: .875em/1.5 ui-monospace, Menlo, Consolas, monospace; background: var(--code);
  border-radius: .35rem; }
code { padding: .1em .35em; overflow-wrap: anywhere; } td code { overflow-wrap: break-word; }
pre { padding: .7rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere; margin: .4rem 0; }
.method { display: inline-block; font: 700 .8rem ui-monospace, monospace; color: #fff; background: #1a7f4b;
  padding: .15rem .5rem; border-radius: .35rem; margin-right: .5rem; } .method.post { background: #0b5cad; }
.path { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-top: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; border: 0; }
"""


def render(description: dict[str, Any], base: str) -> str:
    """HTML without scripts, fonts or anything else to load.

    Args:
        description: an OpenAPI 3 object.
        base: address of the server, put into the examples.
    """
    operations = "".join(
        _operation(path, method, operation, base)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method != "head"
    )
    schemas = description.get("components", {}).get("schemas", {})
    shapes = "".join(_schema(name, schema) for name, schema in schemas.items())
    info = description["info"]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style><main>"
        f'<h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>'
        f"<p>{_prose(info.get('description', ''))}</p>"
        '<p class="soft">For machines: <a href="openapi.json">openapi.json</a> · '
        '<a href="../">the page</a></p>'
        f"{operations}<h2>Shapes</h2>{shapes}</main></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], base: str) -> str:
    parts = [
        f'<h2><span class="method {escape(method)}">{escape(method.upper())}</span>'
        f'<span class="path">{escape(path)}</span></h2>',
        f"<p>{_prose(operation.get('description') or operation.get('summary', ''))}</p>",
    ]
    examples = operation.get("x-examples", [])
    if examples:
        parts += ["<h3>Try it</h3>", *(f"<pre>{escape(e.replace('{base}', base))}</pre>" for e in examples)]
    if "parameters" in operation:
        rows = [
            (f"<code>{escape(p['name'])}</code>", _type(p["schema"]), _prose(p.get("description", "")))
            for p in operation["parameters"]
        ]
        parts += ["<h3>Query</h3>", _table(("name", "type", "meaning"), rows)]
    if body := operation.get("requestBody"):
        parts += ["<h3>Body</h3>", f"<p>{_prose(body.get('description', ''))}</p>"]
        parts.append(
            _table(
                ("content type", "content"),
                [(f"<code>{escape(k)}</code>", _fields(v["schema"])) for k, v in body["content"].items()],
            )
        )
    rows = []
    for status, answer in operation.get("responses", {}).items():
        contents: list[dict[str, Any]] = list(answer.get("content", {}).values())
        schema = contents[0].get("schema", {}) if contents else {}
        rows.append((f"<code>{escape(status)}</code>", _type(schema), _prose(answer.get("description", ""))))
    parts += ["<h3>Answers</h3>", _table(("status", "shape", "meaning"), rows)]
    return f"<section>{''.join(parts)}</section>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = [
        (f"<code>{escape(field)}</code>", _type(what), _prose(what.get("description", "")))
        for field, what in schema.get("properties", {}).items()
    ]
    return (
        f'<section id="{escape(name)}"><h2 class="path">{escape(name)}</h2>'
        f"<p>{_prose(schema.get('description', ''))}</p>"
        f"{_table(('field', 'type', 'meaning'), rows)}</section>"
    )


def _fields(schema: dict[str, Any]) -> str:
    if "properties" not in schema:
        return _type(schema)
    return "<br>".join(
        f'<code>{escape(name)}</code> <span class="soft">{_type(what)}</span> · '
        f"{_prose(what.get('description', ''))}"
        for name, what in schema["properties"].items()
    )


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if schema.get("format") == "binary":
        return "the file's bytes"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    text = escape(str(schema.get("type", "anything")))
    if "minimum" in schema:
        text += f", {schema['minimum']} to {schema['maximum']}"
    return text + (f", default {escape(json.dumps(schema['default']))}" if "default" in schema else "")


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{h}" for h in heads)
    lines = "".join("<tr>" + "".join(f"<td>{cell}" for cell in row) for row in rows)
    return f'<div class="scroll"><table><tr>{head}{lines}</table></div>'
