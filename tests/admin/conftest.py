"""Members of a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.members import MembersWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MembersWorld]:
    made = MembersWorld(tmp_path / "home")
    yield made
    made.members.close()
    made.flags.close()
