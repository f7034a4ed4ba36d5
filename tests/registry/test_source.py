"""What SMARTBREED_MODEL asks for, and which version is newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartbreed.core.errors import BundleError, SmartBreedError
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.inference.bundle import load_bundle
from smartbreed.registry import pinning
from smartbreed.registry.model_source import newer, order, read_source
from smartbreed.registry.releases import versions

SHA = "0123456789abcdef0123456789abcdef01234567"


def test_nothing_set_means_the_embedded_model_and_newer_releases(tmp_path: Path) -> None:
    source = read_source(load_settings(home=tmp_path, model_repo="me/pets"))
    assert (source.kind, source.repo, source.asked, source.sha) == ("embedded", "me/pets", "main", "")


@pytest.mark.parametrize(
    ("model", "asked", "sha"),
    [
        ("me/pets", "main", ""),
        ("me/pets@beta", "beta", ""),
        (f"me/pets@{SHA}", SHA, SHA),
        ("me/pets@v1.0.0", "v1.0.0", ""),
    ],
)
def test_a_repo(tmp_path: Path, model: str, asked: str, sha: str) -> None:
    source = read_source(load_settings(home=tmp_path, model=model))
    assert (source.kind, source.repo, source.asked, source.sha) == ("repo", "me/pets", asked, sha)


def test_a_folder_is_no_repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "me" / "pets").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert read_source(load_settings(home=tmp_path, model="me/pets")).kind == "folder"


@pytest.mark.parametrize("model", ["/no/such/folder", "./nowhere", "~/nowhere", "only-a-name", "a b/c"])
def test_nonsense_is_refused_by_name(tmp_path: Path, model: str) -> None:
    with pytest.raises(BundleError) as caught:
        read_source(load_settings(home=tmp_path, model=model))
    assert model in caught.value.message


def test_another_hub_or_branch_has_a_state_of_its_own(tmp_path: Path) -> None:
    given = [
        {"model": "me/pets"},
        {"model": "me/pets@beta"},
        {"model": "me/pets", "hub": "http://localhost:1"},
        {"model_repo": "me/pets"},
    ]
    keys = {read_source(load_settings(home=tmp_path, **one)).key for one in given}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("version", "other"),
    [
        ("1.0.1", "1.0.0"),
        ("1.10.0", "1.9.9"),
        ("2", "1.99"),
        ("1.0.0", "1.0.0-rc.1"),
        ("v1.1", "1.0"),
        ("1.0", "x"),
    ],
)
def test_newer(version: str, other: str) -> None:
    assert newer(version, other)
    assert not newer(other, version)


def test_the_same_version_is_not_newer() -> None:
    assert not newer("1.2.0", "1.2")
    assert not newer("v1.2", "1.2.0")


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_its_place(one: str, other: str) -> None:
    assert not (newer(one, other) and newer(other, one))
    order(one)


def test_versions_are_sorted_by_number() -> None:
    tags = {"v1.2.0": "a", "v1.10.0": "b", "latest": "c", "1.3.0": "d"}
    assert versions(tags) == [("1.10.0", "b"), ("1.3.0", "d"), ("1.2.0", "a")]


def test_the_shipped_version_can_be_chosen_as_the_page_asks_for_it(tmp_path: Path) -> None:
    """By its revision, where no release and not even a repo is there to be asked."""
    settings = load_settings(home=tmp_path, hub="embedded", model="")
    shipped = load_bundle(EMBEDDED_BUNDLE, repo="embedded").version
    for wanted in (shipped.revision, shipped.revision[:8], shipped.version, "embedded"):
        chosen = pinning.use(settings, wanted)
        assert chosen is not None
        assert (chosen.repo, chosen.version) == ("embedded", shipped.version)
    with pytest.raises(SmartBreedError):
        pinning.use(settings, "f" * 40)
