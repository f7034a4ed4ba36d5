"""A gallery built once from real photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gallery import fill, photographs

from smartbreed.core.settings import load_settings
from smartbreed.services import Services


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder for each of a few breeds."""
    return photographs(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def built(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services with a gallery of these; tests leave it as it is."""
    services = Services(load_settings(home=tmp_path_factory.mktemp("gallery") / "home", hub="embedded"))
    report = fill(services, pictures)
    assert report.kept > 100, str(report)
    yield services
    services.stop()
