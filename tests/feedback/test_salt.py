"""Who flagged is nowhere to be read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from support.flags import flag_request

from smartbreed.core.errors import StorageError
from smartbreed.core.salt import load_salt
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService, open_feedback
from smartbreed.feedback.tables import Flag


def only(service: FlagService) -> Flag:
    (flag,) = service.recent()
    return flag


def test_the_flagger_is_nowhere_to_be_read(service: FlagService, settings: Settings) -> None:
    service.save(flag_request(flagger_token="ann@example.org"))
    assert re.fullmatch("[0-9a-f]{64}", only(service).flagger)
    service.close()
    for path in settings.home_dir.rglob("*"):
        assert not path.is_file() or b"ann@example" not in path.read_bytes()


def test_the_salt_is_made_once_and_private(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    salt = load_salt(settings)
    path = settings.home_dir / "salt"
    assert len(salt) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_salt(settings) == salt
    assert load_salt(settings.model_copy(update={"salt": "pepper"})) == b"pepper"
    assert os.listdir(settings.home_dir) == ["salt"]
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged"):
        load_salt(settings)
    path.unlink()
    real_link = os.link

    def beaten(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"x" * 32)  # another process was faster
        real_link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert load_salt(settings) == b"x" * 32


def test_another_salt_makes_another_hash(settings: Settings) -> None:
    for salt in ("one", "two"):
        opened = open_feedback(settings.model_copy(update={"salt": salt}))
        opened.save(flag_request())
        opened.close()
    assert len({flag.flagger for flag in opened.recent()}) == 2
