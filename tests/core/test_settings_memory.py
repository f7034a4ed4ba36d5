"""What is imported at every start and by every command takes little memory."""

from __future__ import annotations

from support.processes import run

CODE = """
import numpy, PIL.Image, psutil, pydantic_settings
process = psutil.Process()
before = process.memory_info().rss
import smartbreed.core.settings, smartbreed.inference.bundle_config
print((process.memory_info().rss - before) / 2**20)
"""


def test_patterns_of_settings_and_bundles_are_small() -> None:
    # A pattern that repeats a class of Unicode a hundred times compiled to 19 MB.
    done = run("-c", CODE)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 12
