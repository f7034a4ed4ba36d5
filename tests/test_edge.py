"""``examples/edge.py``: three libraries, and the answers of the whole program."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

from support.photos import opened, pet_scenes
from support.processes import ROOT, run

from smartbreed import load
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.network_metadata import with_metadata

EDGE = ROOT / "examples" / "edge.py"


def test_it_needs_three_libraries() -> None:
    tree = ast.parse(EDGE.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names)
    assert outside == {"ai_edge_litert", "numpy", "PIL"}


def test_two_files_are_enough(tmp_path: Path) -> None:
    """Networks that describe themselves need no config.json."""
    config, alone = json.loads((EMBEDDED_BUNDLE / "config.json").read_text()), tmp_path / "alone"
    alone.mkdir()
    for part in ("detector", "classifier"):
        content = (EMBEDDED_BUNDLE / f"{part}.tflite").read_bytes()
        (alone / f"{part}.tflite").write_bytes(with_metadata(content, config, part))
    photo = tmp_path / "photo.png"
    opened(next(iter(pet_scenes(1)))).convert("RGB").save(photo)
    answers = [run(EDGE, folder, photo) for folder in (EMBEDDED_BUNDLE, alone)]
    assert [answer.returncode for answer in answers] == [0, 0], answers[1].stderr
    assert answers[0].stdout == answers[1].stdout
    assert answers[0].stdout


def test_it_answers_as_the_program_does(tmp_path: Path) -> None:
    model, compared = load(), 0
    for number, row in enumerate(pet_scenes(4)):
        path = tmp_path / f"{number}.png"
        opened(row).convert("RGB").save(path)
        done = run(EDGE, EMBEDDED_BUNDLE, path)
        assert done.returncode == 0, done.stderr
        pets, lines = model.identify(str(path)).pets, done.stdout.splitlines()
        assert len(lines) == len(pets)
        for pet, line in zip(pets, lines, strict=True):
            if pet.verdict == "breed":
                assert line.startswith(pet.breeds[0].name)
                assert str([round(edge) for edge in pet.box]) in line
                compared += 1
    assert compared, "at least one of the photographs gets a breed"
