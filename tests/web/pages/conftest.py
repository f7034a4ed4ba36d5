"""A real server in a process of its own, a real browser, and photographs of pets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.browser import open_chromium
from support.photos import opened, pet_scenes
from support.processes import Server

from smartbreed.core.settings import EMBEDDED_BUNDLE


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``python app.py`` with the model of SMARTBREED_MODEL or the embedded one."""
    if not os.environ.get("SMARTBREED_MODEL") and not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model: set SMARTBREED_MODEL or put one into smartbreed/assets")
    with Server(tmp_path_factory.mktemp("server"), SMARTBREED_MAX_BYTES="30000000") as running:
        yield running


# No longer than a file, because of asyncio.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser."""
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Open the page as a new visitor; keyword arguments go to playwright's ``new_context``."""
    contexts = []

    def open_it(**options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.foreign = []
        page.on("request", lambda request: _note_foreign(page, server, request.url))
        page.goto(server.url)
        page.wait_for_selector('#photo-input input[type="file"]', state="attached")
        return page

    yield open_it
    for context in contexts:
        context.close()


def _note_foreign(page: Any, server: Server, url: str) -> None:
    if not url.startswith((server.url, "data:", "blob:")):
        page.foreign.append(url)


@pytest.fixture(scope="session")
def photos() -> list[Image.Image]:
    """Twelve photos, each with its pet large in it."""
    return [opened(row) for row in pet_scenes(12)]


@pytest.fixture(scope="session")
def two_pets(photos: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo in which the model under test finds exactly two pets: two test photos side by side."""
    from smartbreed.core.settings import load_settings
    from smartbreed.inference.results import Identification
    from smartbreed.services import Services

    services = Services(load_settings(home=tmp_path_factory.mktemp("probe")))
    path = tmp_path_factory.mktemp("photos") / "two.jpg"
    for pair in zip(photos[::2], photos[1::2], strict=True):
        left, right = (p.resize((round(p.width * 480 / p.height), 480)) for p in pair)
        both = Image.new("RGB", (left.width + right.width + 60, 480), "#7c7c7c")
        both.paste(left, (0, 0))
        both.paste(right, (left.width + 60, 0))
        both.save(path, quality=92)
        answer = services.identify(path)
        if isinstance(answer, Identification) and len(answer.pets) == 2:
            return path
    pytest.skip("this model finds two pets in none of the composed photos")


@pytest.fixture(scope="session")
def no_pet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of nothing: a soft gradient."""
    path = tmp_path_factory.mktemp("photos") / "sky.png"
    Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(path)
    return path
