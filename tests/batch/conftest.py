"""Real photographs for batches, and the model that ships."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from support.photos import rows as photographs

from smartbreed.core.settings import load_settings
from smartbreed.inference.pipeline import Identifier
from smartbreed.registry import open_bundle


@pytest.fixture(scope="session")
def identifier() -> Identifier:
    return Identifier(open_bundle(load_settings()), threads=2, network_threads=1)


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs with one pet, several and none, and one file that is no photo."""
    folder = tmp_path_factory.mktemp("album")
    for kind in ("scenes", "others"):
        (folder / kind).mkdir()
        for number, row in enumerate(islice(photographs(kind), 12)):
            (folder / kind / f"{number:02d}.jpg").write_bytes(row["image"]["bytes"])
    (folder / "=letter.jpg").write_text("I am a letter, not a photograph.\n" * 10)
    return folder
