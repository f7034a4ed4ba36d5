"""A finished bundle goes to a Hub as one commit with a tag, and the app takes it from there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.hub.client import connect
from smartbreed.registry import open_bundle
from training.common.errors import RecipeError, StageError
from training.common.run_directory import RunDirectory
from training.pipeline.stage import Context
from training.pipeline.stages.publish import run as publish
from training.recipe.file import load_recipe


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SMARTBREED_HUB", "embedded")
    directory = RunDirectory(tmp_path / "run", quiet=True)
    shutil.copytree(EMBEDDED_BUNDLE, directory / "bundle")
    return directory


def context(run: RunDirectory, repo: str) -> Context:
    return Context(load_recipe("breeds", [f"publish.repo={repo}"]), run, run)


def test_a_bundle_is_published_once_for_each_version(finished: RunDirectory) -> None:
    facts = publish(context(finished, "me/breeds"))
    api = connect(load_settings())
    tags = {tag.name: tag.target_commit for tag in api.list_repo_refs("me/breeds").tags}
    assert tags == {f"v{facts['version']}": facts["revision"]}
    served = open_bundle(load_settings(model=f"me/breeds@v{facts['version']}"))
    assert served.version.revision == facts["revision"]
    with pytest.raises(StageError, match=r"me/breeds already has a v.*Received: export.version="):
        publish(context(finished, "me/breeds"))


def test_without_a_repo_nothing_is_published(finished: RunDirectory) -> None:
    assert publish(context(finished, "")) == {}
    assert not list(connect(load_settings()).list_models())


def test_a_hub_out_of_reach_is_one_sentence(finished: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTBREED_HUB", "http://127.0.0.1:9")
    with pytest.raises(SmartBreedError) as refused:
        publish(context(finished, "me/breeds"))
    assert "\n" not in refused.value.message
    with pytest.raises(RecipeError, match=r"publish.repo: .*Received: 'a/b/c'"):
        context(finished, "a/b/c")
