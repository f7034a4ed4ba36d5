"""The secret of an installation: made once for one machine, refused where others could guess it."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import ROOT, environment, free_port

from smartbreed.accounts.secret import check_secret, load_secret
from smartbreed.core.errors import SettingError, StorageError
from smartbreed.core.settings import load_settings

GOOD = "jvQ2zXk0Yb7mWq4sT9pLc1Rn8uEaHd5f"
WEAK = ("dev", "x" * 40, "ab" * 20, "please-change-this-secret-before-you-serve-it",
        "an-example-secret-of-more-than-32-characters")  # fmt: skip


@pytest.fixture(autouse=True)
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)


def test_it_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    first = load_secret(settings)
    assert len(first) == 32
    assert load_secret(settings) == first
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert load_secret(load_settings(home=tmp_path, secret=GOOD)) == GOOD.encode()
    (tmp_path / "secret").write_bytes(b"half")
    with pytest.raises(StorageError, match="'secret' in SMARTBREED_HOME is damaged"):
        load_secret(settings)


@pytest.mark.parametrize("secret", WEAK)
def test_a_secret_that_can_be_guessed_is_for_development_alone(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(secret=secret)
    for host in ("127.0.0.1", "localhost", "::1"):
        check_secret(settings, host)
    for host in ("0.0.0.0", "192.168.1.7", "pets.example.org"):
        with pytest.raises(SettingError, match="SMARTBREED_SECRET") as error:
            check_secret(settings, host)
        assert secret not in error.value.message
    with pytest.raises(SettingError):  # a proxy in front
        check_secret(load_settings(secret=secret, public_url="https://pets.example.org"), "127.0.0.1")
    monkeypatch.setenv("SPACE_ID", "me/app")
    with pytest.raises(SettingError):
        check_secret(settings, "127.0.0.1")
    assert secret not in repr(settings)


@pytest.mark.parametrize("secret", ["", GOOD])
def test_a_good_secret_and_none_are_fine_everywhere(secret: str) -> None:
    check_secret(load_settings(secret=secret), "0.0.0.0")


def test_the_start_stops_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env=environment(
            tmp_path, GRADIO_SERVER_NAME="0.0.0.0", GRADIO_SERVER_PORT=str(free_port()),
            SMARTBREED_SECRET="changeme",
        ),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("smartbreed: SMARTBREED_SECRET: it can be guessed")
    assert done.stderr.count("\n") == 1
    assert "changeme" not in done.stderr
