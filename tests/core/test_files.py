"""What a disk, a home directory and a file system refuse is said in a sentence."""

from __future__ import annotations

import pwd
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.errors import SettingError, StorageError
from smartbreed.core.files import disk_errors, expanded, shortened
from smartbreed.core.settings import load_settings


def test_a_write_that_the_disk_took_in_part_says_that_it_is_full() -> None:
    full = pytest.raises(StorageError, match=r"^The photo was not saved: the disk is full")
    with full, disk_errors("The photo was not saved"):
        raise OSError("4096 requested and 1024 written")  # numpy's words


def test_a_user_without_a_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> NoReturn:
        raise KeyError(number)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert expanded("/srv/pets") == Path("/srv/pets")
    with pytest.raises(SettingError, match=r"no home directory.*SMARTBREED_HOME"):
        expanded("~/.smartbreed")
    with pytest.raises(SettingError, match="no home directory"):
        load_settings(home=Path("~/.smartbreed")).home_dir  # noqa: B018


@given(st.text(), st.integers(0, 40))
def test_a_name_is_shortened_by_bytes_and_stays_text(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short.encode()) <= most
    if len(text.encode("utf-8", "replace")) <= most:
        assert short.encode() == text.encode("utf-8", "replace")
