"""``smartbreed offline``: write the page that names pets in a browser, for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from smartbreed.cli.common import ModelOption, ends_well, settings_with


def offline(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    model: ModelOption = None,
) -> None:
    """Write the page /offline/ into a folder that a static Space, or any web server, can serve.

    The model runs in the visitor's browser. Fetch its runtime first, with ``make offline``.
    """
    with ends_well():
        from smartbreed.registry.initial_model import open_bundle
        from smartbreed.web.pages.offline.site import build

        files = build(open_bundle(settings_with(model=model)), folder)
        print(f"{len(files)} files in {folder}; try it: python -m http.server --directory {folder}")
