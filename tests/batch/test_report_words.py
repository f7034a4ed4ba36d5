"""The report of a batch speaks of what the model that named the photos tells apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from smartbreed.batch.report import write_report

STYLE = re.compile(r"<style>.*?</style>|<[^>]*>", re.DOTALL)
OF_PETS = re.compile(r"\b(breeds?|pets?|cats?|dogs?)\b", re.IGNORECASE)


def row(number: int, species: str, verdict: str = "breed") -> dict[str, Any]:
    return {
        "path": f"{number}.jpg", "pet": 1, "error": None, "message": None, "model": "own", "version": "1.0.0",
        "verdict": verdict, "probability_1": 0.9, "breed_1": "daisy", "name_1": "Daisy", "species": species,
        "thumbnail": b"a picture",
    }  # fmt: skip


@pytest.mark.parametrize("verdict", ["breed", "unknown"])
def test_a_report_of_flowers_names_no_breed(tmp_path: Path, verdict: str) -> None:
    write_report(tmp_path / "things.html", "album", [row(1, "", verdict), row(2, "")])
    page = (tmp_path / "things.html").read_text()
    assert not OF_PETS.search(STYLE.sub(" ", page)), "nor in what is read aloud"
    assert not re.search(r'(alt|title|aria-label)="[^"]*\b(breed|pet)', page)
    assert "Daisy" in page
    write_report(tmp_path / "pets.html", "album", [row(1, "dog", verdict), row(2, "dog")])
    page = (tmp_path / "pets.html").read_text()
    assert "Cats and dogs" in page
    assert "<dt>Breeds</dt>" in page
    assert "dog · 1" in page or "dog · 2" in page
