"""The model that answers is the one that is retrained, and its repo gets the release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.photos import pets

from smartbreed.core.errors import BundleError, HubCallError, RequestError
from smartbreed.core.settings import EMBEDDED_BUNDLE, Settings, load_settings
from smartbreed.hub.client import commit_files, connect, ensure_repo, list_tags, tag
from smartbreed.inference.bundle import write_config
from smartbreed.registry.state import KnownGood, StateFile
from smartbreed.registry.watcher import Watcher
from smartbreed.services import Services
from training.continual.champion import find_champion

OWN = "me/my_pets"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL", "SMARTBREED_MODEL_REPO"):
        monkeypatch.delenv(name, raising=False)


def own_bundle(folder: Path, version: str, *, without: str = "keeshond") -> Path:
    """A model of one's own: what ships, without one breed, under another name and an older version."""
    from examples.hold_out import hold_out

    hold_out(EMBEDDED_BUNDLE, folder, without)
    config = json.loads((folder / "config.json").read_text())
    write_config(folder, {**config, "name": "My pets", "version": version})
    return folder


def release(settings: Settings, folder: Path, repo: str = OWN) -> str:
    version = json.loads((folder / "config.json").read_text())["version"]
    api = connect(settings)
    ensure_repo(api, repo, "model")
    files: dict[str, bytes | Path] = {path.name: path for path in folder.iterdir()}
    sha = commit_files(api, repo, "model", files, title=f"Version {version}")
    tag(api, repo, "model", f"v{version}", sha)
    return sha


def test_the_loop_begins_only_with_photographs_of_another_breed_to_compare(tmp_path: Path) -> None:
    from examples.photos import read_photos

    for breed, many in (("pug", 7), ("beagle", 1)):
        if breed == "beagle":
            with pytest.raises(SystemExit, match="at least one other breed"):
                read_photos(tmp_path, "pug", 2)
        (tmp_path / breed).mkdir()
        for number in range(many):
            (tmp_path / breed / f"{number}.jpg").write_bytes(bytes([number]))
    photos = read_photos(tmp_path, "pug", 2)
    assert (len(photos.to_flag["pug"]), len(photos.held_back["pug"])) == (2, 5)
    assert photos.held_back["beagle"] == [b"\0"]


@pytest.mark.slow
def test_a_model_of_ones_own_goes_the_whole_way_round(tmp_path: Path) -> None:
    from examples.loop import flag, review
    from examples.photos import read_photos

    settings = load_settings(home=tmp_path / "home", hub="embedded", model=OWN)
    release(settings, own_bundle(tmp_path / "own", "0.3.0"))
    services = Services(settings)
    assert services.model.current.version.repo == OWN
    flag(services, read_photos(pets(), "keeshond", 12).to_flag["keeshond"], "keeshond")
    review(services)
    job = services.retraining.wait(services.retrain().spec.id)
    assert job is not None
    assert job.state == "released", (job.sentence, job.stderr_tail)
    result = job.progress.result
    assert result is not None
    assert set(list_tags(connect(settings), OWN, "model")) == {"v0.3.0", "v0.4.0"}
    with pytest.raises(HubCallError) as none:
        list_tags(connect(settings), settings.model_repo, "model")
    assert none.value.kind == "no_repo", "nothing went to the default repo"
    Watcher(services.model).check()
    served = services.model.current
    assert (served.version.repo, served.version.version) == (OWN, "0.4.0")
    assert served.version.revision == result.revision
    assert served.identifier.bundle.config.name == "My pets"
    services.flags.close()


def test_the_chosen_version_is_the_champion(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", hub="embedded", model=OWN)
    first = release(settings, own_bundle(tmp_path / "a", "0.3.0"))
    second = release(settings, own_bundle(tmp_path / "b", "0.5.0", without="pug"))
    api = connect(settings)
    found = find_champion(api, settings, OWN)
    assert found.released is not None
    assert (found.released.revision, found.base) == (second, "0.5.0")
    pin = KnownGood(repo=OWN, revision=first, version="0.3.0")
    StateFile(settings.home_dir).change(f"embedded {OWN}@main", lambda state: state.pinned(pin))
    found = find_champion(api, settings, OWN)
    assert found.released is not None
    assert (found.released.revision, found.bundle.config.version) == (first, "0.3.0")
    assert found.base == "0.5.0", "the next version is above all there are"
    assert found.released.head == second, "and comes behind them"


def test_a_repo_with_an_older_model_of_ones_own_says_why_it_is_not_taken(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", hub="embedded", model_repo=OWN)
    folder = own_bundle(tmp_path / "own", "0.3.0")

    def other_breeds(config: dict) -> dict:  # type: ignore[type-arg]
        for number, label in enumerate(config["classifier"]["labels"]):
            label["id"] = f"kind_{number}"
        return config

    write_config(folder, other_breeds(json.loads((folder / "config.json").read_text())))
    release(settings, folder)
    services = Services(settings)
    watcher = Watcher(services.model)
    watcher.check()
    problem = services.model.status().problem
    assert OWN in problem
    assert f"SMARTBREED_MODEL={OWN}" in problem
    assert services.model.current.version.repo == "embedded"
    with pytest.raises(BundleError, match="another model"):
        find_champion(connect(settings), settings, OWN)


@pytest.mark.parametrize("where", ["folder", "revision"])
def test_what_takes_no_release_says_so_before_anything_runs(tmp_path: Path, where: str) -> None:
    from smartbreed import feedback_loop

    shutil.copytree(EMBEDDED_BUNDLE, tmp_path / "mine")
    settings = load_settings(home=tmp_path / "home", hub="embedded")
    if where == "revision":
        sha = release(settings, tmp_path / "mine")
    model = str(tmp_path / "mine") if where == "folder" else f"{OWN}@{sha}"
    services = Services(settings.model_copy(update={"model": model}))
    with pytest.raises(RequestError) as refused:
        services.retrain()
    assert refused.value.code == "takes_no_releases"
    assert services.retraining.recent() == []
    assert feedback_loop.serving(services).no_releases == refused.value.message, "the page says it beforehand"
    champion = find_champion(connect(settings), services.settings, "")
    assert champion.bundle.folder == services.identifier.bundle.folder
    services.flags.close()
