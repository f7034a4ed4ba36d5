"""``smartbreed flags erase``: what a maintainer does when a person asks for it."""

from __future__ import annotations

import pytest
from support.flags import flag_request
from typer.testing import CliRunner

from smartbreed.cli.main import app
from smartbreed.core.settings import Settings
from smartbreed.feedback.flags import FlagService


def test_flags_and_their_photos_go_for_good(
    service: FlagService, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTBREED_HOME", str(settings.home))
    kept, *gone = [service.save(flag_request(seed)) for seed in range(3)]
    ids = [receipt.flag_id for receipt in gone]

    asked = CliRunner().invoke(app, ["flags", "erase", *ids])
    assert (asked.exit_code, service.count()) == (2, 3)
    assert "--yes" in asked.stderr

    done = CliRunner().invoke(app, ["flags", "erase", *ids, ids[0], "--yes"])
    assert (done.exit_code, done.stdout.split()) == (0, ids)
    assert [flag.id for flag in service.recent()] == [kept.flag_id]
    assert [service.blobs.exists(receipt.sample_id) for receipt in (kept, *gone)] == [True, False, False]

    again = CliRunner().invoke(app, ["flags", "erase", ids[0], "../x", kept.flag_id, "--yes"])
    assert (again.exit_code, again.stdout.split()) == (1, [kept.flag_id])
    assert ids[0] in again.stderr
    assert service.count() == 0
