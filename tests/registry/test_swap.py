"""Releases are taken up, pinned, gone back from and remembered, on the real client and the embedded Hub."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from support.bundles import EMBEDDED, REPO, make_bundle, publish
from support.clock import until

from smartbreed.core.errors import BundleError, RequestError, UnavailableError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.hub.client import commit_files, connect, ensure_repo
from smartbreed.imaging.photo import Photo, read_photo
from smartbreed.inference.results import ModelVersion
from smartbreed.registry import open_bundle, pinning
from smartbreed.registry.live import LiveModel
from smartbreed.registry.watcher import Watcher


@pytest.fixture
def photo() -> Photo:
    return read_photo(np.random.default_rng(1).integers(0, 255, (120, 90, 3), np.uint8), name="rex.png")


def served(live: LiveModel) -> str:
    return live.current.version.version


def test_a_release_takes_over_and_is_remembered(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, photo: Photo
) -> None:
    assert (served(live), live.status().chosen, live.status().watching) == (
        EMBEDDED,
        "embedded",
        f"{REPO}@main",
    )
    watcher.check()
    assert live.status().problem == "", "nothing was ever released, and that is no problem"
    before = live.current
    old = before.identifier.identify(photo, whole=True)
    sha = publish(settings, make_bundle(tmp_path / "new", "7.1.0", turn=1))
    watcher.check()
    status = live.status()
    assert (status.version, status.revision, status.repo, status.chosen) == ("7.1.0", sha, REPO, "latest")
    assert (status.before, status.rejected, status.problem) == (EMBEDDED, (), "")
    new = live.current.identifier.identify(photo)
    assert (new.model.revision, new.model.version) == (sha, "7.1.0")
    assert new.pets[0].breeds[0].id != old.pets[0].breeds[0].id, "its labels are other ones"
    assert old.model.version == EMBEDDED
    # A request that holds the old one goes on with it.
    assert before.identifier.identify(photo, whole=True).pets[0].breeds == old.pets[0].breeds
    # The next start loads it from this disk.
    again = LiveModel(settings)
    assert (again.current.version.revision, again.status().chosen) == (sha, "latest")
    assert open_bundle(settings).version.revision == sha


def test_the_next_start_asks_no_hub(live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()

    def unreachable(*_: object) -> None:
        raise AssertionError("a Hub was asked")

    monkeypatch.setattr("smartbreed.hub.client.connect", unreachable)
    monkeypatch.setattr("smartbreed.hub.connection.connect", unreachable)
    assert served(LiveModel(settings)) == "7.1.0"


def test_only_newer_ones_replace_the_embedded_model(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    for version in (EMBEDDED, "0.9.0"):
        publish(settings, make_bundle(tmp_path / version, version, turn=2))
        watcher.check()
        assert live.status().chosen == "embedded"
        assert live.status().problem == ""


def test_a_repo_without_a_release_is_no_problem(
    live: LiveModel, watcher: Watcher, settings: Settings
) -> None:
    ensure_repo(connect(settings), REPO, "model")
    watcher.check()
    assert (live.status().problem, live.status().rejected) == ("", ())


def test_rollback_use_and_latest(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    shas = {}
    for turn, version in enumerate(("7.1.0", "7.2.0"), 1):
        shas[version] = publish(settings, make_bundle(tmp_path / version, version, turn=turn))
        watcher.check()
    assert served(live) == "7.2.0"
    assert live.rollback().version == "7.1.0"
    watcher.check()
    assert (served(live), live.status().chosen, live.status().pin) == ("7.1.0", "pinned", "7.1.0")
    publish(settings, make_bundle(tmp_path / "7.3.0", "7.3.0", turn=3))
    watcher.check()
    assert served(live) == "7.1.0", "a pinned one stays"
    assert served(LiveModel(settings)) == "7.1.0", "after a restart too"
    assert live.rollback().version == EMBEDDED
    watcher.check()
    assert (served(live), live.current.version.repo) == (EMBEDDED, "embedded")
    with pytest.raises(RequestError, match="no release before"):
        live.rollback()
    for wanted, version in (
        (shas["7.2.0"][:7], "7.2.0"),
        ("v7.1.0", "7.1.0"),
        ("7.3.0", "7.3.0"),
        (EMBEDDED, EMBEDDED),
    ):
        live.use(wanted)
        watcher.check()
        assert served(live) == version
    with pytest.raises(BundleError, match=r"no version, tag or commit '6\.0\.0'.*7\.3\.0"):
        live.use("6.0.0")
    assert served(live) == EMBEDDED
    assert live.use("latest") is None
    watcher.check()
    assert (served(live), live.status().chosen, live.status().pin) == ("7.3.0", "latest", "")


def test_a_repo_is_followed_wherever_it_goes(settings: Settings, tmp_path: Path) -> None:
    asked = settings.model_copy(update={"model": "me/cats"})
    with pytest.raises(BundleError, match="me/cats"):
        LiveModel(asked)
    first = publish(asked, make_bundle(tmp_path / "a", "0.2.0"), "me/cats")
    live = LiveModel(asked)
    assert (live.current.version.revision, live.status().watching) == (first, "me/cats@main")
    publish(asked, make_bundle(tmp_path / "b", "0.1.0", turn=1), "me/cats")
    assert served(LiveModel(asked)) == "0.2.0", "a start takes what was served last"
    assert open_bundle(asked).version.version == "0.1.0", "a command asks for the newest"
    Watcher(live).check()
    assert served(live) == "0.1.0", "of a repo that was asked for, whatever it holds"


@pytest.mark.parametrize("kind", ["sha", "tag"])
def test_what_a_setting_pins_is_never_left(settings: Settings, tmp_path: Path, kind: str) -> None:
    sha = publish(settings, make_bundle(tmp_path / "a", "7.1.0"), "me/cats")
    asked = settings.model_copy(update={"model": f"me/cats@{sha if kind == 'sha' else 'v7.1.0'}"})
    live = LiveModel(asked)
    publish(settings, make_bundle(tmp_path / "b", "7.2.0"), "me/cats")
    watcher = Watcher(live)
    watcher.start()
    watcher.check()
    assert served(live) == "7.1.0"
    assert (live.status().chosen, live.status().watching) == ("fixed", "")
    watcher.stop()
    with pytest.raises(RequestError, match="SMARTBREED_MODEL"):
        live.use("7.2.0")
    assert served(LiveModel(asked)) == "7.1.0"


def test_a_folder_is_served_as_it_is(settings: Settings, tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "mine", "3.0.0")
    live = LiveModel(settings.model_copy(update={"model": str(folder)}))
    assert (served(live), live.status().chosen, live.status().watching) == ("3.0.0", "fixed", "")
    for change in (lambda: live.use(EMBEDDED), live.rollback):
        with pytest.raises(RequestError, match="SMARTBREED_MODEL"):
            change()


def test_a_newer_program_brings_its_own_model(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    for module in ("initial_model", "watcher", "pinning"):
        monkeypatch.setattr(f"smartbreed.registry.{module}.embedded_version", lambda: "7.2.0")
    upgraded = LiveModel(settings)
    assert upgraded.status().chosen == "embedded"
    Watcher(upgraded).check()
    assert upgraded.status().chosen == "embedded"


def test_a_rollback_after_a_program_update_never_goes_forward(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    """The state names the embedded model of the program before; going back to it serves the one of today."""
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    old = {"revision": "0" * 64, "version": "0.1.0"}
    live.state.change(
        live.source.key,
        lambda state: state.model_copy(
            update={"known_good": (state.known_good[0], state.known_good[1].model_copy(update=old))}
        ),
    )
    updated = LiveModel(settings)
    assert (served(updated), updated.status().before) == ("7.1.0", EMBEDDED)
    assert updated.rollback().version == EMBEDDED
    Watcher(updated).check()
    status = updated.status()
    assert (status.version, status.pin, status.before) == (EMBEDDED, EMBEDDED, "")
    with pytest.raises(RequestError, match="no release before"):
        updated.rollback()
    with pytest.raises(RequestError, match="no release before"):
        pinning.rollback(settings)  # as a command does
    # The state may have forgotten the embedded model, as after eight releases.
    updated.use("latest")
    updated.state.change(
        updated.source.key, lambda state: state.model_copy(update={"known_good": state.known_good[:1]})
    )
    Watcher(updated).check()
    updated.state.change(
        updated.source.key, lambda state: state.model_copy(update={"known_good": state.known_good[:1]})
    )
    assert updated.rollback().version == EMBEDDED
    Watcher(updated).check()
    assert (served(updated), updated.status().before) == (EMBEDDED, "")


def test_another_process_publishes_and_chooses(
    live: LiveModel, running: Watcher, settings: Settings, tmp_path: Path
) -> None:
    """The trainer and the command line are other processes: here, another store on the same folder."""
    from localhub.embedded import serving
    from localhub.store import HubStore

    store = HubStore(settings.home_dir / "hub")
    with serving(store) as endpoint:
        there = load_settings(home=tmp_path / "other", hub=endpoint)
        publish(there, make_bundle(tmp_path / "new", "7.1.0"))
        until(lambda: served(live) == "7.1.0")
    store.close()
    pinning.use(settings, "embedded")
    until(lambda: live.status().chosen == "pinned")
    assert live.current.version.repo == "embedded"
    pinning.use(settings, "latest")
    until(lambda: served(live) == "7.1.0")


def test_a_poke_is_enough_when_nothing_is_looked_at(settings: Settings, tmp_path: Path) -> None:
    live = LiveModel(settings.model_copy(update={"watch": 0.0}))
    watcher = Watcher(live, tick=0.02)
    watcher.start()
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    live.poke()
    until(lambda: served(live) == "7.1.0")
    watcher.stop()


def test_many_readers_see_one_or_the_other(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, photo: Photo
) -> None:
    """Each answer names the version whose labels it has."""
    stop = threading.Event()
    answers = []

    def ask() -> None:
        while not stop.is_set():
            model = live.current.identifier
            answers.append(model.identify(photo, whole=True))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in (1, 2):
        publish(settings, make_bundle(tmp_path / str(turn), f"7.{turn}.0", turn=turn))
        watcher.check()
    stop.set()
    for thread in threads:
        thread.join()
    named = {answer.model.version: answer.pets[0].breeds[0].id for answer in answers}
    assert set(named) >= {EMBEDDED, "7.1.0"}
    assert len(set(named.values())) == len(named)
    assert all(answer.pets[0].breeds[0].id == named[answer.model.version] for answer in answers)


def test_deeper_explanations_of_an_older_answer_say_so(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path, photo: Photo
) -> None:
    answer = live.current.identifier.identify(photo, whole=True)
    before = live.loaded_for(answer.model)
    deeper, side = before.deeper, live.current.identifier.bundle.config.classifier.input_size
    publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    with pytest.raises(UnavailableError, match=r"now it is 7\.1\.0"):
        live.loaded_for(answer.model)
    with pytest.raises(UnavailableError, match="replaced"):
        deeper.explain(np.zeros((side, side, 3), np.uint8), 0, "gradcam++")
    assert live.loaded_for(ModelVersion(REPO, live.current.version.revision, "7.1.0")) is live.current


def test_old_releases_leave_the_disk(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    for number in range(1, 8):
        publish(settings, make_bundle(tmp_path / str(number), f"7.{number}.0", turn=number))
        watcher.check()
    assert served(live) == "7.7.0"
    snapshots = list((settings.home_dir / "hub-cache").glob("models--*/snapshots/*"))
    assert 2 <= len(snapshots) <= 5
    live.rollback()
    watcher.check()
    assert served(live) == "7.6.0"
    live.use("7.1.0")  # no longer here: it is fetched again
    watcher.check()
    assert served(live) == "7.1.0"


def test_a_card_that_was_edited_is_another_release(
    live: LiveModel, watcher: Watcher, settings: Settings, tmp_path: Path
) -> None:
    """The sums cover the card, too; what answers goes on answering, and a fresh disk finds the tag."""
    asked = settings.model_copy(update={"model": REPO})
    sha = publish(settings, make_bundle(tmp_path / "new", "7.1.0"))
    watcher.check()
    commit_files(connect(settings), REPO, "model", {"README.md": b"# Better words\n"}, title="Words")
    watcher.check()
    assert live.current.version.revision == sha
    assert "README.md does not match" in live.status().problem
    assert LiveModel(asked).current.version.revision == sha
