"""SIGKILL between the rows of one order: all of it or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MANY = 12


def test_no_half_order(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("crash_child.py")), str(tmp_path / "home"), str(MANY)],
        capture_output=True, text=True, check=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) > 10, "the injection has come loose"
    assert all(line == (-9, 0, 0) for line in lines[:-1])
    assert lines[-1][1:] == (MANY, MANY)
