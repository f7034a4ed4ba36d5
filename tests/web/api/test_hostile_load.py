"""The worst we know, all at once, at a real server: its memory stays bounded and visitors are answered."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from benchmarks.hostile_load import MOST_MEMORY, Attack
from benchmarks.servers import server


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_memory_is_bounded_and_ordinary_visitors_are_answered(photo: Path, tmp_path: Path) -> None:
    with server(tmp_path) as (url, process, log):
        attack = Attack(url, process.pid, photo.read_bytes())
        result = attack.run()
        assert process.poll() is None
        assert result.peak <= MOST_MEMORY, f"{result.peak:,}"
        assert not result.failures
        assert len(result.waits) == attack.visitors
        # Each attack came through to where it is refused or answered, and to no error of the server's.
        for name, answers in result.answers.items():
            assert sum(answers.values()) > 0, name
            assert not any(answer.startswith("500") for answer in answers), (name, answers)
        assert set(result.answers["PNGs of 100 megapixels"]) == {"too_many_pixels, too_many_pixels"}
        assert any("answered" in answer for answer in result.answers["PNGs of 60 megapixels"])
        assert set(result.answers["38 MB of base64"]) <= {"415", "422", "503"}
        assert "Traceback" not in log.read_text()
        answer = httpx.post(url + "api/identify", content=photo.read_bytes(), timeout=60)
        assert answer.status_code == 200
        assert answer.json()["pets"]
        unfinished = [path for path in (tmp_path / "uploads").iterdir() if path.name.startswith("tmp")]
        assert not unfinished
