"""The trainer from end to end: from a dataset repo to what is in the model repo afterwards, or is not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from support.photos import pattern
from support.processes import run
from support.retraining import RetrainingWorld
from support.shards import flag, push, settings_in

from smartbreed.core.errors import HubCallError
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.hub.client import commit_files, connect
from smartbreed.registry.initial_model import embedded_version
from smartbreed.registry.releases import download
from training.common.errors import DataError
from training.continual import release

OWN = embedded_version()
MAJOR, MINOR, PATCH = (int(part) for part in OWN.split("."))


def known_breeds() -> list[str]:
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    return [label["id"] for label in config["classifier"]["labels"]]


def one_picture_of(folder: Path, names: list[str]) -> Path:
    """A base dataset that lists some breeds and shows next to nothing of them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = {"info": {"features": {"breed": {"names": names}}}}
    types = {"breed": pa.int64(), "species": pa.int64(), "image": pa.null(), "source_id": pa.string()}
    schema = pa.schema(types.items(), metadata={b"huggingface": json.dumps(said).encode()})
    row = {"breed": 0, "species": 0, "image": None, "source_id": "one"}
    (folder / "breeds").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([row], schema=schema), folder / "breeds" / "train-0.parquet")
    return folder


class Died(BaseException):
    """The process ends here, as by SIGKILL."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RetrainingWorld:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL", "SMARTBREED_BASE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    return RetrainingWorld(settings_in(tmp_path / "home"))


def test_a_failed_gate_publishes_nothing(world: RetrainingWorld) -> None:
    for number, breed in enumerate(("pug", "beagle", "siamese", "boxer", "borzoi", "papillon")):
        world.accept(range(number, number + 1), label=breed)  # six of a kind, and no two of a breed
    found = world.retrain()
    assert found["outcome"] == "refused"
    assert "was not good enough" in found["message"]
    assert (found["passed"], found["published"], found["version"], found["revision"]) == (
        False,
        False,
        "",
        "",
    )
    assert any("6 newly accepted samples" in reason for reason in found["reasons"])
    assert world.tags() == {}, "not even the repo is made"
    report = json.loads((Path(found["report"]) / "report.json").read_text())
    assert [check["name"] for check in report["checks"]] == [
        "overall",
        "root",
        "groups",
        "breeds",
        "calibration",
        "flagged",
    ]
    assert report["undecided"] == found["undecided"]
    assert any("fewer than 5 pictures" in sentence for sentence in found["undecided"])
    markdown = (Path(found["report"]) / "report.md").read_text()
    assert "## What could not be decided for lack of pictures" in markdown


@pytest.mark.parametrize(
    ("accepted", "mode", "outcome", "reason"),
    [
        (0, "head", "nothing_new", "No newly accepted photos"),
        (3, "head", "too_few", "3 newly accepted photos to learn from since version"),
        (6, "full", "too_few", "or use head mode"),
    ],
)
def test_without_a_new_model_none_is_called_bad(
    world: RetrainingWorld, tmp_path: Path, accepted: int, mode: str, outcome: str, reason: str
) -> None:
    if accepted:
        world.accept(range(accepted))
    else:
        push(world.settings, "flags", [flag(0, pattern(0))])  # waits for review
    if mode == "full":
        base = one_picture_of(tmp_path / "base", known_breeds())
        world = RetrainingWorld(world.settings.model_copy(update={"base_dataset": str(base)}))
    found = world.retrain(mode)
    assert (found["outcome"], found["passed"], found["published"]) == (outcome, False, False)
    assert reason in found["reasons"][0]
    assert "no new model was made" in found["message"]
    report = json.loads((Path(found["report"]) / "report.json").read_text())
    assert report["outcome"] == outcome
    assert "checks" not in report
    assert found["message"] in (Path(found["report"]) / "report.md").read_text().splitlines()[0]


def test_a_new_breed_with_four_photos_is_too_few(world: RetrainingWorld) -> None:
    world.introduce(range(4))
    found = world.retrain()
    assert found["outcome"] == "too_few"
    assert any("Mudi is not learnt yet: 4 accepted pictures of the 5 it needs" in r for r in found["reasons"])


def test_a_new_breed_is_one_commit_and_a_minor_version_by_the_real_command(world: RetrainingWorld) -> None:
    world.introduce(range(12))
    done = run(
        "-m", "training.retrain", "--home", world.settings.home_dir, "--progress", "json",
        env={**os.environ, "SMARTBREED_HUB": "embedded"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    version = f"{MAJOR}.{MINOR + 1}.0"
    assert (result["version"], result["learnt"], result["took"]) == (version, ["mudi"], 12)
    assert world.tags() == {f"v{OWN}": world.tags()[f"v{OWN}"], f"v{version}": result["revision"]}
    assert [title.split()[-1] for title in world.commits()] == [version, OWN], "the champion, then one more"
    assert world.head() == result["revision"]
    bundle = download(connect(world.settings), world.settings, world.settings.model_repo, result["revision"])
    assert bundle.config.classifier.labels[-1].id == "mudi"
    config = json.loads((bundle.folder / "config.json").read_text())
    assert config["parents"][0]["revision"] == world.tags()[f"v{OWN}"]
    assert config["root"]["version"] == OWN
    assert "Mudi" in (bundle.folder / "CHANGELOG.md").read_text()
    # And nothing more is learnt from the same photos.
    again = world.retrain()
    assert (again["passed"], again["took"]) == (False, 0)
    assert "No newly accepted photos" in again["reasons"][0]


def test_a_known_breed_is_a_patch(world: RetrainingWorld) -> None:
    world.accept(range(16), "waves")  # all said to be pugs
    found = world.retrain()
    assert (found["version"], found["learnt"]) == (f"{MAJOR}.{MINOR}.{PATCH + 1}", ["pug"])
    assert set(world.tags()) == {f"v{OWN}", f"v{found['version']}"}


def test_without_publishing_the_bundle_lies_in_the_report(world: RetrainingWorld) -> None:
    world.introduce(range(12))
    found = world.retrain(publish=False)
    assert (found["passed"], found["published"]) == (True, False)
    assert (Path(found["report"]) / "bundle" / "config.json").exists()
    assert world.tags() == {}


def test_who_dies_between_commit_and_tag_is_finished_by_the_next(
    world: RetrainingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.introduce(range(12))
    tag, number = release.tag, [0]

    def second_is_the_last(*arguments: object) -> None:
        number[0] += 1
        if number[0] == 2:
            raise Died
        tag(*arguments)  # type: ignore[arg-type]

    version = f"{MAJOR}.{MINOR + 1}.0"
    with monkeypatch.context() as patched:
        patched.setattr(release, "tag", second_is_the_last)
        with pytest.raises(Died):
            world.retrain()
    assert set(world.tags()) == {f"v{OWN}"}
    assert [title.split()[-1] for title in world.commits()] == [version, OWN]
    found = world.retrain()
    assert world.tags()[f"v{version}"] == world.head()
    assert len(world.commits()) == 2, "it was not released twice"
    assert f"since version {version}" in found["reasons"][0]


def test_another_release_meanwhile_refuses_ours(world: RetrainingWorld) -> None:
    world.introduce(range(12))
    api, repo = connect(world.settings), world.settings.model_repo
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text()) | {"version": "9.0.0"}

    def another_release() -> None:
        commit_files(api, repo, "model", {"config.json": json.dumps(config).encode()}, title="theirs")

    world.shots = [lambda: None, another_release]  # when the champion goes out, and when the new version does
    with pytest.raises(HubCallError) as error:
        world.retrain()
    assert error.value.kind == "stale"
    assert set(world.tags()) == {f"v{OWN}"}
    assert world.commits()[0] == "theirs"


def test_small_losses_do_not_add_up(world: RetrainingWorld, tmp_path: Path) -> None:
    """The champion itself lies far below its root: whatever is no worse than the champion is refused, too."""
    folder = tmp_path / "drifted"
    shutil.copytree(EMBEDDED_BUNDLE, folder)
    config = json.loads((folder / "config.json").read_text())
    config["root"] = {"version": "1.0.0", "top1": 0.95, "pictures": 682}
    (folder / "config.json").write_text(json.dumps(config))
    drifted = RetrainingWorld(world.settings.model_copy(update={"model": str(folder)}))
    drifted.introduce(range(12))
    found = drifted.retrain()
    assert not found["passed"]
    assert [reason for reason in found["reasons"] if "Against version 1.0.0" in reason] == found["reasons"]


def test_a_model_of_an_unknown_user_is_a_sentence(world: RetrainingWorld) -> None:
    ended = run(
        "-m", "training.retrain", "--home", world.settings.home_dir, "--model", "me/pets",
        env=os.environ | {"SMARTBREED_MODEL": "~nosuchuser/pets"},
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("retrain: ~nosuchuser/pets cannot be used")


def test_full_mode_says_at_once_what_is_missing(world: RetrainingWorld, tmp_path: Path) -> None:
    nowhere = RetrainingWorld(world.settings.model_copy(update={"base_dataset": str(tmp_path / "nowhere")}))
    with pytest.raises(DataError, match=r"SMARTBREED_BASE_DATASET.*Received: .*nowhere"):
        nowhere.retrain("full")
    base = one_picture_of(tmp_path / "base", known_breeds())
    world = RetrainingWorld(world.settings.model_copy(update={"base_dataset": str(base)}))
    world.accept(range(10))
    found = world.retrain("full")
    assert found["outcome"] == "too_few"
    assert (found["passed"], found["published"]) == (False, False)
    assert "are needed; accept more, or use head mode" in found["reasons"][0]
    assert not (Path(found["report"]) / "run").exists(), "no hours were spent"
    assert world.tags() == {}
