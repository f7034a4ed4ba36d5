"""A disk that is full, pretended and real: refused cleanly, nothing confirmed is lost."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy.engine.default import DefaultDialect
from support.flags import flag_request
from support.photos import noise

from smartbreed.core.errors import StorageError
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService, open_feedback


def test_a_full_disk_in_the_database_leaves_no_row(
    service: FlagService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", refuse)
        with pytest.raises(StorageError, match="disk is full"):
            service.save(flag_request())
    assert service.count() == 0
    assert service.save(flag_request()).created


def test_a_disk_that_is_really_full(tiny_disk: Path, settings: Settings) -> None:
    service = open_feedback(settings.model_copy(update={"home": tiny_disk / "home"}))
    ballast = tiny_disk / "ballast"  # leaves room for some flags and not for 120
    ballast.write_bytes(bytes(shutil.disk_usage(tiny_disk).free - 600_000))
    receipts, refusals = [], []
    for seed in range(120):
        try:
            pixels = noise(seed, 32, 48).repeat(1 + seed % 20, axis=0)
            receipts.append(service.save(flag_request(seed, pixels=pixels)))
        except StorageError as error:  # now in the photo, now in the database
            refusals.append(error.message)
    assert len(receipts) > 5
    assert len(refusals) > 5
    assert all(re.search("disk|space", message) for message in refusals)
    assert not list(service.blobs.root.rglob("*.tmp"))
    ballast.unlink()
    receipts.append(service.save(flag_request(1000)))
    assert {flag.id for flag in service.recent(1000)} == {receipt.flag_id for receipt in receipts}
    for receipt in receipts:
        service.blobs.get(receipt.sample_id)
    service.close()
