"""Generate the pages of the documentation that follow from the code: ``make docs``.

``python -m docs.generate`` does the same. With ``--check`` it writes nothing and exits with status 1 if a
file is out of date.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NOTE = "<!-- Written by `make docs`. -->\n\n"


def settings_table() -> str:
    """Return the page of all settings with their defaults and meanings, in the order of the class."""
    from smartbreed.core.settings import PREFIX, Settings

    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default if isinstance(field.default, Path | str) else f"{float(field.default):.0f}"
        shown = f"`{default}`" if str(default) else "–"
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    rows.append(
        "| `GRADIO_SERVER_PORT`, `GRADIO_SERVER_NAME` | `7860`, `127.0.0.1` | Where the app listens. |"
    )
    return (
        "# Settings\n\n"
        f"{NOTE}Settings are environment variables. An invalid value stops the start with a message that "
        "names the variable.\n\n" + "\n".join(rows)
    )


def command_reference() -> str:
    """Return the page of all commands, with the text of their ``--help``."""
    import typer
    from typer.cli import get_docs_for_click

    from smartbreed.cli.main import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="smartbreed")
    return "# The command line\n\n" + NOTE + text.partition("\n")[2].strip()


def python_reference() -> str:
    """Return the page of the Python package: `smartbreed.load`, the model's methods and their results."""
    import smartbreed
    from smartbreed.inference.results import Guess, Identification, ModelVersion, Pet
    from smartbreed.model import Model

    readme = (FOLDER.parent / "README.md").read_text()
    [example] = re.findall(r"(```python\nimport smartbreed\n.*?```)", readme, re.DOTALL)
    parts = [f"# The Python package\n\n{NOTE}{example}"]
    calls: dict[str, Callable[..., Any]] = {
        "smartbreed.load": smartbreed.load,
        "Model.identify": Model.identify,
        "Model.batch": Model.batch,
        "Model.explain": Model.explain,
    }
    for name, call in calls.items():
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(call))).replace(
            "(self, ", "("
        )
        parts.append(f"## {name}\n\n```text\n{name}{signature}\n\n{inspect.getdoc(call)}\n```")
    for kind in (Identification, Pet, Guess, ModelVersion):
        fields = "\n".join(f"{field.name}: {field.type}" for field in dataclasses.fields(kind))
        parts.append(f"## {kind.__name__}\n\n```text\n{inspect.getdoc(kind)}\n\n{fields}\n```")
    return "\n\n".join(parts)


def rest_reference() -> str:
    """Return the page of all REST endpoints, as ``/api/openapi.json`` describes them."""
    from smartbreed.core.settings import load_settings
    from smartbreed.services import Services
    from smartbreed.web.server import build_routes

    with tempfile.TemporaryDirectory() as home:
        described = build_routes(Services(load_settings(home=home)))[0].app.openapi()
    parts = [
        f"# REST\n\n{NOTE}{described['info']['description']} A running app shows this page at `/api/docs`."
    ]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(method.upper(), path, operation))
    parts.append(_photo_codes())
    return "\n\n".join(parts)


def _photo_codes() -> str:
    from smartbreed.core import errors

    source = inspect.getsource(errors).partition("PHOTO_CODES")[2].partition("}")[0]
    found = re.findall(r'"(\w+)": (\d+),  # (.+)', source)
    if {code: int(status) for code, status, _ in found} != errors.PHOTO_CODES:
        raise ValueError("Each code of a photo needs a line with a comment that says what it means.")
    rows = [f"| `{code}` | {status} | {meaning} |" for code, status, meaning in found]
    head = ["## Codes of a photo", "", "| code | status | the photo |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"## {method} {path}", "", operation["description"].strip()]
    if "requestBody" in operation and (takes := operation["requestBody"].get("description")):
        lines[-1] += f"\n\nBody: {takes}"
    if parameters := operation.get("parameters"):
        lines += ["", "| parameter | value | meaning |", "|---|---|---|"]
        lines += [
            f"| `{one['name']}` | {_value(one['schema'])} | {one.get('description', '')} |"
            for one in parameters
        ]
    if examples := operation.get("x-examples"):
        lines += ["", "```", *(text.replace("{base}", "http://127.0.0.1:7860") for text in examples), "```"]
    answers = [
        f"- {code}: {answer['description']}"
        for code, answer in operation["responses"].items()
        if answer["description"] != "Successful Response"
    ]
    return "\n".join([*lines, *(["", "Answers:", "", *answers] if answers else [])])


def _value(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    default = f", default `{json.dumps(schema['default'])}`" if schema.get("default", "") != "" else ""
    return f"{schema.get('type', 'any')}{default}"


def access_tables() -> str:
    """Return ``security.md`` with the access tables between its marks updated."""
    from smartbreed.web.api.access_events import tables

    text = (FOLDER / "security.md").read_text()
    marked = re.compile(r"(<!-- tables -->\n).*?(\n<!-- /tables -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}{tables()}{found[2]}", text).strip()


PAGES = {
    "settings.md": settings_table,
    "cli.md": command_reference,
    "python.md": python_reference,
    "rest.md": rest_reference,
    "security.md": access_tables,
}


def main(check: bool = False) -> int:
    """Write the pages that have changed, or only report them; return the exit status."""
    stale = 0
    for name, write in PAGES.items():
        path, text = FOLDER / name, write() + "\n"
        if not path.exists() or path.read_text() != text:
            stale += 1
            print(f"docs/{name} {'is not up to date: run make docs' if check else 'is written'}")
            if not check:
                path.write_text(text)
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
