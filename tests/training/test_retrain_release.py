"""One commit and one tag, whatever is lost on the way: the release alone, on the real client."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.shards import settings_in

from smartbreed.core.errors import HubCallError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import commit_files, connect, list_commits, list_tags, repo_state
from smartbreed.inference.bundle import load_bundle, write_config
from training.continual import release
from training.continual.release import (
    ATTEMPTS,
    Released,
    finish_unfinished,
    next_version,
    publish,
    publish_champion,
)

REPO = "smartbreed/pets"


@pytest.mark.parametrize(
    ("version", "new_breeds", "taken", "expected"),
    [
        ("1.2.3", False, set(), "1.2.4"),
        ("1.2.3", True, set(), "1.3.0"),
        ("1.2.3", False, {"1.2.4", "1.2.5"}, "1.2.6"),
        ("1.2.3", True, {"1.3.0"}, "1.4.0"),
        ("1.2", False, set(), "1.2.1"),
        ("2.0.0-rc1", False, set(), "2.0.1"),
        ("odd", True, set(), "0.1.0"),
    ],
)
def test_new_breeds_raise_the_minor_number_and_anything_else_the_patch(
    version: str, new_breeds: bool, taken: set[str], expected: str
) -> None:
    assert next_version(version, new_breeds=new_breeds, taken=taken) == expected


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return connect(settings_in(tmp_path / "home"))


def folder_of(tmp_path: Path, version: str) -> Path:
    """A bundle without its networks: all that a release looks at."""
    folder = tmp_path / version
    folder.mkdir()
    (folder / "README.md").write_text(f"# {version}\n")
    write_config(folder, json.loads((EMBEDDED_BUNDLE / "config.json").read_text()) | {"version": version})
    return folder


@pytest.fixture
def parent(api: Any, tmp_path: Path) -> Released:
    """Version 1.0.0, the first in the repo."""

    class Champion:
        folder = folder_of(tmp_path, "1.0.0")
        config = load_bundle(EMBEDDED_BUNDLE).config.model_copy(
            update={"version": "1.0.0", "files": {"README.md": ""}}
        )

    champion: Any = Champion
    first = publish_champion(api, REPO, champion)
    assert publish_champion(api, REPO, champion).revision == first.revision, "once is enough"
    return first


def titles(api: Any) -> list[str]:
    return [title for _, title in list_commits(api, REPO, "model") if title != "initial commit"]


def send(api: Any, folder: Path, parent: Released, pauses: list[float] | None = None) -> Released:
    sleep = (lambda seconds: None) if pauses is None else pauses.append
    return publish(api, REPO, folder, folder.name, parent, "pug: 3 pictures", sleep)


def test_a_version_is_one_commit_and_its_tag(api: Any, parent: Released, tmp_path: Path) -> None:
    done = send(api, folder_of(tmp_path, "1.1.0"), parent)
    assert list_tags(api, REPO, "model") == {"v1.0.0": parent.revision, "v1.1.0": done.revision}
    assert len(titles(api)) == 2
    assert send(api, tmp_path / "1.1.0", parent) == done, "the same once more adds nothing"
    assert len(titles(api)) == 2


def test_a_lost_answer_is_no_second_commit(
    api: Any, parent: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, lost = release.commit_files, [True]

    def loses_the_answer(*arguments: Any, **options: Any) -> str:
        sha = commit(*arguments, **options)
        if lost.pop() if lost else False:
            raise HubCallError("retry", "The Hub did not answer.")
        return sha

    monkeypatch.setattr(release, "commit_files", loses_the_answer)
    pauses: list[float] = []
    done = send(api, folder_of(tmp_path, "1.1.0"), parent, pauses)
    assert len(pauses) == 1
    assert len(titles(api)) == 2
    assert list_tags(api, REPO, "model")["v1.1.0"] == done.revision == repo_state(api, REPO, "model").sha


def test_a_hub_that_stays_away_is_given_up(
    api: Any, parent: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> str:
        raise HubCallError("retry", "The Hub does not answer.")

    pauses: list[float] = []
    with monkeypatch.context() as patched:
        patched.setattr(release, "commit_files", away)
        with pytest.raises(HubCallError, match="does not answer"):
            send(api, folder_of(tmp_path, "1.1.0"), parent, pauses)
    assert len(pauses) == ATTEMPTS - 1
    assert list_tags(api, REPO, "model") == {"v1.0.0": parent.revision}


def test_a_head_that_has_moved_refuses(api: Any, parent: Released, tmp_path: Path) -> None:
    theirs = send(api, folder_of(tmp_path, "1.0.1"), parent)
    with pytest.raises(HubCallError) as error:
        send(api, folder_of(tmp_path, "1.1.0"), parent)
    assert error.value.kind == "stale"
    assert set(list_tags(api, REPO, "model")) == {"v1.0.0", "v1.0.1"}
    assert repo_state(api, REPO, "model").sha == theirs.revision


@pytest.mark.parametrize("away", [1, 2])
def test_a_commit_without_its_tag_gets_it_from_the_next(
    api: Any, parent: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: int
) -> None:
    tag: Callable[..., None] = release.tag

    class Died(BaseException):
        pass

    def dies(*_: Any) -> None:
        raise Died

    folder = folder_of(tmp_path, "1.1.0")
    with monkeypatch.context() as patched:
        patched.setattr(release, "tag", dies)
        for _ in range(away):
            with pytest.raises(Died):
                send(api, folder, parent)
    assert set(list_tags(api, REPO, "model")) == {"v1.0.0"}
    assert tag is release.tag
    found = finish_unfinished(api, REPO)
    assert found is not None
    assert found.version == "1.1.0"
    assert list_tags(api, REPO, "model")["v1.1.0"] == found.revision == repo_state(api, REPO, "model").sha
    assert len(titles(api)) == 2


def test_a_picture_on_top_of_a_release_is_no_release(api: Any, parent: Released) -> None:
    assert finish_unfinished(api, "smartbreed/nothing") is None
    sha = commit_files(api, REPO, "model", {"photo.txt": b"a picture"}, title="a picture")
    found = finish_unfinished(api, REPO)
    assert found == Released("1.0.0", parent.revision, sha)
    assert set(list_tags(api, REPO, "model")) == {"v1.0.0"}
