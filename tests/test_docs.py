"""What the documentation says is so: generated pages are up to date, links lead somewhere, examples run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gradio_client import Client
from support.processes import ROOT, Server

from docs.generate import main
from smartbreed.core.settings import PREFIX, Settings

#: Of one screenshot.
MOST_BYTES = 150_000
PAGES = [path for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md")] if path.parts[-2] != "runs"]


def test_generated_pages_are_up_to_date() -> None:
    assert main(check=True) == 0, "run: make docs"


def test_the_settings_page_names_every_setting() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    assert re.findall(rf"^\| `{PREFIX}(\w+)`", text, re.M) == [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text())
    for link in filter(None, (one or other for one, other in links)):
        if not re.match(r"[a-z]+:", link):
            assert (page.parent / link).exists(), link


def test_a_screenshot_is_shown_and_small() -> None:
    """History keeps every byte of a picture that was once in the repository."""
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"[\w./-]*screenshots/[\w-]+\.\w+", page.read_text())
    }
    pictures = {path for path in (ROOT / "docs/screenshots").iterdir() if path.is_file()}
    assert pictures == shown
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > MOST_BYTES} == {}
    assert sum(path.stat().st_size for path in pictures) <= 8 * MOST_BYTES


def test_the_client_of_the_readme(
    server: Server, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [example] = re.findall(r"```python\n(from gradio_client .*?)```", (ROOT / "README.md").read_text(), re.S)
    for name, photo in zip(("rex.jpg", "tom.jpg"), photos, strict=False):
        (tmp_path / name).write_bytes(photo.read_bytes())
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    exec(example.replace("http://127.0.0.1:7860", server.url), scope)
    assert isinstance(scope["client"], Client)
    assert set(scope["thanks"]) >= {"flag_id", "receipt"}  # type: ignore[call-overload]
