"""A bundle is written so that a kill at any point leaves one that loads, for every user to read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from training.common.run_directory import RunDirectory
from training.pipeline.stage import Context
from training.pipeline.stages.card import run as card
from training.recipe.file import load_recipe


@pytest.mark.parametrize("kill", range(1, 7))
def test_a_kill_while_the_card_is_written_leaves_a_bundle(
    kill: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before every change of name, the bundle loads, and the next try is whole."""
    run = RunDirectory(tmp_path / "run", quiet=True)
    shutil.copytree(EMBEDDED_BUNDLE, run / "bundle")
    run.write_json("scores.json", load_bundle(EMBEDDED_BUNDLE).config.metrics)
    (run / "bundle/README.md").write_text("# The card before\n")
    config = load_config(run)
    write_config(run / "bundle", config)
    context, calls, replace = Context(load_recipe("breeds"), run, run), [0], os.replace

    def counted(*names: Any) -> None:
        calls[0] += 1
        if calls[0] == kill:
            raise KeyboardInterrupt
        replace(*names)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", counted)
        try:
            card(context)
        except KeyboardInterrupt:
            pass
        else:
            assert calls[0] >= 3
    load_bundle(run / "bundle")
    card(context)
    assert "README.md" in load_bundle(run / "bundle").config.files
    assert not list((run / "bundle").glob("*.tmp"))


def load_config(run: RunDirectory) -> dict[str, Any]:
    return dict(run.read_json("bundle/config.json"))


def test_a_bundle_is_for_everybody_to_read(tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "bundle")
    (tmp_path / "bundle/left.tmp").write_text("of a kill")
    write_config(tmp_path / "bundle", load_config(RunDirectory(tmp_path, quiet=True)))
    assert (tmp_path / "bundle/config.json").stat().st_mode & 0o044
    assert "left.tmp" not in load_bundle(tmp_path / "bundle").config.files
