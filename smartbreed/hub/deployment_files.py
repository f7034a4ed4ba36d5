"""Collect the files that a Space needs, and write the front matter of its README.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartbreed.core.errors import RequestError

#: Pages that README.md links to, which the Hub shows.
_PAGES = (
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "model_card.md",
)
_FILES = ("app.py", "requirements.txt", "LICENSE")
FOLDERS = ("smartbreed", "localhub", "training", "docs")
_LEFT_OUT = ("__pycache__", ".pyc", ".DS_Store")
_HEAD = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)
_PSYCOPG = "psycopg[binary]==3.3.9"
#: Start of a database URL → the driver that it needs and that requirements.txt lacks.
_DRIVERS = {"postgresql+psycopg:": _PSYCOPG, "postgresql:": _PSYCOPG, "postgres:": _PSYCOPG}


def collect_files(root: Path, database: str, links: dict[str, Any]) -> dict[str, bytes | Path]:
    """Return every file by its path in the Space; a `Path` is read when it is sent.

    Args:
        root: a checkout of this program.
        database: URL of the database, which may need a driver.
        links: ``models`` and ``datasets`` for the README's front matter.

    Raises:
        RequestError: ``root`` is no checkout, or its README has no front matter.
    """
    if not (root / "app.py").is_file() or not (root / "training").is_dir():
        raise RequestError(
            "no_checkout", f"Deploy from a checkout of SmartBreed: there is no app.py in {root}."
        )
    files: dict[str, bytes | Path] = {name: root / name for name in _FILES}
    files.update((name, root / name) for name in _PAGES if (root / name).is_file())
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not any(part in name for part in _LEFT_OUT):
                files[name] = path
    driver = next((needs for start, needs in _DRIVERS.items() if database.startswith(start)), "")
    if driver:
        files["requirements.txt"] = (root / "requirements.txt").read_bytes() + f"{driver}\n".encode()
    files["README.md"] = space_card((root / "README.md").read_text("utf-8"), links).encode()
    return files


def space_card(readme: str, links: Mapping[str, Any]) -> str:
    """Return README.md with the front matter of a Space.

    Args:
        readme: text with front matter.
        links: ``models`` and ``datasets`` to add to it.

    Raises:
        RequestError: it has no front matter, or one that cannot be read.
    """
    import yaml  # type: ignore[import-untyped]

    from localhub.repo_card import CardError, front_matter

    found = _HEAD.match(readme)
    try:
        head = front_matter(readme)
    except CardError as error:
        raise RequestError("bad_card", f"The head of README.md cannot be read: {error}.") from None
    if found is None or not head:
        raise RequestError("bad_card", "README.md has no head with the settings of the Space.")
    text = yaml.safe_dump({**head, **links}, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n{readme[found.end() :]}"
