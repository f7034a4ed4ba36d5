"""What a retraining left behind, and nothing else of the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smartbreed.training_jobs.report import read_report, reports

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def make(home: Path, name: str) -> Path:
    folder = home / "retraining" / name
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps({"name": name}))
    (folder / "accuracy_per_version.png").write_bytes(PNG)
    (folder / "fake.png").write_bytes(b"<script>")
    return folder


def test_plots_and_values(tmp_path: Path) -> None:
    folder = make(tmp_path, "20261121T120000Z")
    report = read_report(tmp_path, str(folder))
    assert report is not None
    assert report.values == {"name": "20261121T120000Z"}
    assert report.plots == (("Accuracy per version", folder / "accuracy_per_version.png"),)


@pytest.mark.parametrize("folder", ["", ".", "..", "/etc", "../../etc", "jobs", "20270101T000000Z"])
def test_other_folders_are_none_of_its_business(tmp_path: Path, folder: str) -> None:
    make(tmp_path, "20261121T120000Z")
    (tmp_path / "retraining" / "jobs").mkdir()
    assert read_report(tmp_path, folder) is None


def test_a_damaged_report_still_has_its_plots(tmp_path: Path) -> None:
    folder = make(tmp_path, "20261121T120000Z")
    (folder / "report.json").write_text("{")
    report = read_report(tmp_path, str(folder))
    assert report is not None
    assert report.values == {}
    assert len(report.plots) == 1


def test_every_report_newest_first(tmp_path: Path) -> None:
    for name in ("20261121T120000Z", "20261122T120000Z", "20261120T120000Z"):
        make(tmp_path, name)
    assert [report.name[6:8] for report in reports(tmp_path)] == ["22", "21", "20"]
    assert reports(tmp_path / "nowhere") == []
