"""Full mode from end to end on tiny networks: base dataset and accepted photos in, a served release out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support.photos import write_pets
from support.retraining import RetrainingWorld
from support.shards import flag, push, review, settings_in
from support.tiny_bundle import BREEDS, SIZE, write_bundle
from support.tiny_data import encoded, pets_dataset, picture

from smartbreed.dataset.needs import LEAST_PICTURES
from smartbreed.hub.client import commit_files, connect, ensure_repo
from smartbreed.inference.bundle import write_config
from smartbreed.inference.pipeline import Identifier, self_test_picture
from smartbreed.inference.stored_embeddings import REPLAY, read_embeddings
from smartbreed.registry.releases import download
from training.common.errors import DataError
from training.common.run_directory import RunDirectory
from training.continual import full
from training.continual.base_dataset import base_folder, extended_dataset
from training.continual.gate import GateResult
from training.continual.plan import Plan, Record, make_plan
from training.continual.run import UNREADABLE
from training.data import load_scenes
from training.data.accepted_samples import Sample
from training.data.crops import load_crops
from training.data.others import load_others
from training.data.prepared import load_prepared
from training.data.rows import files_of
from training.export.gate_set import load_gate
from training.pipeline.runner import run_recipe
from training.recipe.recipe import Recipe

#: What makes the recipe tiny.
TINY = ("model.input_size=64", "model.alpha=0.35", "model.freeze_till=", "train.epochs=1", "train.batch=8",
        "head.least_steps=5", "export.replay=3", "export.form=float16")  # fmt: skip


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pets_dataset(tmp_path_factory.mktemp("pets"), BREEDS)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Introduces itself, has a changelog and a licence, and recognises other animals."""
    folder = write_bundle(tmp_path_factory.mktemp("tiny") / "champion", detector=True)
    (folder / "CHANGELOG.md").write_text("# What each version learnt\n\n## 0.0.1 (2026-11-01)\n\n- first\n")
    (folder / "NOTICE").write_text("The photographs are by many people.\n")
    config = json.loads((folder / "config.json").read_text())
    width = len(Identifier.load(folder).classifier.run(self_test_picture(SIZE)).embedding)
    config["classifier"]["other"] = {"weights": [0.0] * width, "bias": 0.0, "threshold": 1.0}
    write_config(folder, {**config, "about": "Five breeds, for a test"})
    return folder


@pytest.fixture
def world(tmp_path: Path, pets: Path, champion: Path, monkeypatch: pytest.MonkeyPatch) -> RetrainingWorld:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return RetrainingWorld(settings_in(tmp_path / "home", model=str(champion), base_dataset=str(pets)))


def lenient(compare: Any) -> Any:
    """Tiny networks guess: the gate looks, and lets everything pass."""

    def judged(*arguments: Any, **options: Any) -> GateResult:
        found = compare(*arguments, **options)
        return replace(found, checks=[replace(check, passed=True) for check in found.checks])

    return judged


class Enough(Exception):
    """The recipe has begun; no need to train."""


def begun(
    world: RetrainingWorld,
    monkeypatch: pytest.MonkeyPatch,
    look: Callable[[Recipe], Any] = bool,
) -> Recipe:
    """The recipe that a full retraining runs; ``look`` sees it while its data is there. It trains nothing."""
    found: list[Recipe] = []

    def run(recipe: Recipe, run: RunDirectory, parts: tuple[str, ...]) -> None:
        found.append(recipe)
        look(recipe)
        raise Enough

    with monkeypatch.context() as patch:
        patch.setattr("training.pipeline.runner.run_recipe", run)
        with pytest.raises(Enough):
            world.retrain("full", overrides=(*TINY, "data.label_errors=false"))
    return found[0]


def known_and_new(world: RetrainingWorld, new: int) -> None:
    """Accept photos of a breed that the model knows, and some of one that it does not."""
    world.accept(range(100, 140), label="pug")
    world.introduce(range(new))


def with_others(folder: Path) -> Path:
    (folder / "README.md").unlink(missing_ok=True)
    rows = [
        {"image": {"bytes": encoded(picture(number % 5, 50 + number)), "path": None}, "boxes": [],
         "species": [], "kind": "wild", "class": f"wild {number}", "origin": "human"}
        for number in range(30)
    ]  # fmt: skip
    write_pets(folder, list(BREEDS), {"others": {"train": rows}})
    (folder / "README.md").unlink()
    return folder


def test_what_the_plan_admits_the_recipe_prepares(
    world: RetrainingWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a new breed with fewer pictures than a class of a recipe needs otherwise."""
    known_and_new(world, LEAST_PICTURES)
    run = RunDirectory(tmp_path / "run", quiet=True)
    begun(world, monkeypatch, lambda recipe: run_recipe(recipe, run, ("prepare",)))
    assert [label["id"] for label in load_prepared(run).labels] == [*BREEDS, "mudi"]


def test_a_breed_without_any_picture_is_refused_at_once(
    world: RetrainingWorld, pets: Path, tmp_path: Path
) -> None:
    """As one that was learnt from photos that were withdrawn since."""
    base = copied(pets, tmp_path / "base", "README.md")
    for shard in (base / "breeds").glob("train-*.parquet"):
        table = pq.read_table(shard)
        pq.write_table(table.filter(pc.field("breed") != BREEDS.index("siamese")), shard)
    known_and_new(world, 20)
    with pytest.raises(DataError, match=r"cannot train Siamese: neither .* Received: siamese$"):
        on(world, base).retrain("full", overrides=TINY)
    assert world.tags() == {}


def test_the_recipe_is_shown_other_animals_that_the_base_dataset_has(
    world: RetrainingWorld, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_and_new(world, 5)
    assert begun(world, monkeypatch).data.others == ""
    found: list[int] = []
    begun(
        on(world, with_others(copied(pets, tmp_path / "base"))), monkeypatch,
        lambda recipe: found.append(len(load_others(recipe.data.source, recipe.data.others, 16))),
    )  # fmt: skip
    assert found == [30]


def test_a_home_may_have_any_name(
    pets: Path, champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SMARTBREED_MODEL"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / 'Anna\'s #1 "home" – 🐶'
    place.mkdir()
    shutil.copytree(champion, place / "champion")
    settings = settings_in(place / "home", model=str(place / "champion"), base_dataset=str(pets))
    world = RetrainingWorld(settings)
    world.accept(range(40), label="pug")
    recipe = begun(world, monkeypatch)
    assert recipe.model.start == f"bundle:{place / 'champion'}"
    assert recipe.train.soup == recipe.export.detector == str(place / "champion")
    assert [teacher.file for teacher in recipe.distil.teachers] == [str(place / "champion")]
    assert Path(recipe.data.source).is_relative_to(place)


def test_what_is_not_learnt_yet_is_reported(world: RetrainingWorld) -> None:
    world.introduce(range(LEAST_PICTURES - 1))
    found = world.retrain("full", overrides=TINY)
    assert found["outcome"] == "too_few"
    assert any(reason.startswith("Mudi is not learnt yet: 4 ") for reason in found["reasons"])


@pytest.mark.parametrize("mode", ["head", "full"])
def test_unreadable_photos_leave_counts_and_remarks_right(world: RetrainingWorld, mode: str) -> None:
    world.accept(range(100, 104), label="pug")
    world.introduce(range(LEAST_PICTURES - 1))
    damaged = range(200, 240)
    push(world.settings, "flags", [flag(n, b"no picture") for n in damaged], 200)
    push(world.settings, "reviews", [review(n, label="pug") for n in damaged], 200)
    found = world.retrain(mode)
    report = json.loads((Path(found["report"]) / "report.json").read_text())
    assert report["left_out"][UNREADABLE] == len(damaged)
    assert report["counts"]["accepted samples"] == report["counts"]["new since the parent"] == 4
    assert report["counts"]["held out"] <= 4
    assert found["outcome"] == "too_few"
    assert any(reason.startswith("Mudi is not learnt yet: 4 ") for reason in found["reasons"])


def test_the_held_out_share_is_that_of_the_mode(world: RetrainingWorld) -> None:
    world.accept(range(60), label="pug")
    plans: list[Plan] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full, "enough", lambda work, plan: bool(plans.append(plan)))
        found = world.retrain("full")
    report = json.loads((Path(found["report"]) / "report.json").read_text())
    assert report["counts"]["held out"] == plans[0].held_out.sum() > 0.12 * 60


@pytest.mark.parametrize("species", ["text", "number", "class", "class, dogs first"])
def test_any_column_of_species_is_extended(pets: Path, tmp_path: Path, species: str) -> None:
    from datasets import ClassLabel, Sequence, Value, load_dataset

    types: dict[str, tuple[Any, list[Any]]] = {
        "text": (Value("string"), ["cat", "dog"]),
        "number": (Value("int64"), [0, 1]),
        "class": (ClassLabel(names=["cat", "dog"]), [0, 1]),
        "class, dogs first": (ClassLabel(names=["dog", "cat"]), [1, 0]),
    }
    kind, held = types[species]
    base = tmp_path / "base"
    for config in ("breeds", "scenes"):
        (base / config).mkdir(parents=True)
        rows = load_dataset("parquet", data_files=str(next((pets / config).glob("train-*"))), split="train")
        features = rows.features.copy()
        features["species"] = kind if config == "breeds" else Sequence(kind)
        if config == "scenes" and species.startswith("class"):
            features["kind"] = ClassLabel(names=["negative", "cat", "dog"])

        def changed(row: dict[str, Any], features: Any = features) -> dict[str, Any]:
            given = row["species"]
            row["species"] = [held[one] for one in given] if isinstance(given, list) else held[given]
            if isinstance(features.get("kind"), ClassLabel):
                row["kind"] = features["kind"].str2int(row["kind"])
            return row

        path = base / config / "train-00000-of-00001.parquet"
        rows.map(changed, features=features, load_from_cache_file=False).to_parquet(str(path))
    labels = [{"id": name, "species": "cat" if name in BREEDS[:2] else "dog"} for name in BREEDS]
    samples = [Sample(f"{n:016x}", b"", None, label) for n, label in enumerate(("siamese", "pug"))]
    plan = replace(make_plan(labels, len(labels), samples, Record()), held_out=np.zeros(2, bool))
    crops = {sample.key: encoded(picture(0, 900 + n), "JPEG") for n, sample in enumerate(samples)}
    before = load_scenes(str(base), "train")
    scene = replace(next(one for one in before if one.species.tolist() == [1, 0]), origin="flags")
    data = extended_dataset(base, tmp_path / "data", plan, crops, [scene])
    assert load_crops(str(data), "train").species[-2:].tolist() == [0, 1]
    (added,) = [one for one in load_scenes(str(data), "train") if one.origin == "flags"]
    assert (added.species.tolist(), added.kind) == ([1, 0], scene.kind)
    assert {one.kind for one in before} == {"negative", "cat", "dog"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", ["with scenes and others", "breeds alone"])
def test_a_new_breed_in_everything(
    world: RetrainingWorld,
    pets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    if what == "breeds alone":
        world = on(world, copied(pets, tmp_path / "base", "README.md"))
        shutil.rmtree(tmp_path / "base" / "scenes")
    else:
        world = on(world, with_others(copied(pets, tmp_path / "base")))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setattr(full, "compare", lenient(full.compare))
    world.introduce(range(40))
    found = world.retrain("full", overrides=TINY)
    each_stage_moves(capsys.readouterr().out)
    assert (found["published"], found["version"], found["learnt"]) == (True, "0.1.0", ["mudi"])
    assert set(world.tags()) == {"v0.0.1", "v0.1.0"}
    assert world.tags()["v0.1.0"] == found["revision"] == world.head()
    bundle = download(connect(world.settings), world.settings, world.settings.model_repo, found["revision"])
    assert [label.id for label in bundle.config.classifier.labels] == [*BREEDS, "mudi"]
    config = json.loads((bundle.folder / "config.json").read_text())
    assert config["root"]["version"] == "0.1.0", "head mode is held against it from now on"
    assert config["retraining"]["held_out"] + config["retraining"]["samples"] == 40
    learnt = json.loads((bundle.folder / "learnt.json").read_text())
    assert len(learnt["held_out"]) >= 5
    home = world.settings.home_dir
    assert not [path for kind in ("*.parquet", "*.npy") for path in (home / "retraining").rglob(kind)]
    assert not (tmp_path / "datasets").exists(), "no photo outside the home"
    assert (config["about"], (bundle.folder / "NOTICE").is_file()) == ("Five breeds, for a test", True)
    changes = (bundle.folder / "CHANGELOG.md").read_text()
    assert changes.count("# What each version learnt") == 1
    assert changes.index("## 0.1.0") < changes.index("## 0.0.1")
    # Only with others/*.parquet can a new network learn to recognise other animals.
    lost = "It does not recognise other animals any more"
    assert (bundle.config.classifier.other is None) == (what == "breeds alone") == (lost in changes)
    assert any(reason.startswith(lost) for reason in found["reasons"]) == (what == "breeds alone")
    # What a later version leaves out when it was erased: everything of an accepted sample is marked.
    remembered = read_embeddings(bundle.folder / REPLAY)
    gate = load_gate(bundle)
    assert gate is not None
    assert bool(len(gate.out_of_distribution)) == (what != "breeds alone"), (
        "what shows no breed goes on being known"
    )
    assert config["root"]["pictures"] == gate.base.sum()
    assert {*remembered.origins, *gate.origins} - {""} <= {*learnt["samples"]}
    assert set(remembered.labels[remembered.origins != ""]) == {len(BREEDS)}, "of accepted samples alone"


def each_stage_moves(output: str) -> None:
    """What takes long says more than that it has begun and that it is done."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"stage"')]
    for stage in ("embed", "fit", "calibrate", "gate"):
        shares = [line["done"] / line["of"] for line in lines if line["stage"] == stage]
        assert len({share for share in shares if 0 < share < 1}) >= 3, (stage, shares)
        steps = [line for line in lines if line["stage"] == stage and line["of"] != 40]  # 40: cut before
        reported = [line["done"] / line["of"] for line in steps[1:]]
        assert reported == sorted(reported) or stage == "embed", (stage, reported)
    said = [line["message"] for line in lines if line["stage"] == "fit"]
    assert any(message.startswith("Epoch 1 of 1: step") for message in said), said
    last_look = max(
        (line["done"] / line["of"] for line in lines if line["message"].startswith("Looking at 1")), default=0
    )
    assert last_look < 0.9, "an epoch is work too"


def copied(pets: Path, folder: Path, *without: str) -> Path:
    shutil.copytree(pets, folder)
    for name in without:
        (folder / name).unlink()
    return folder


def on(world: RetrainingWorld, base: Path | str) -> RetrainingWorld:
    return RetrainingWorld(world.settings.model_copy(update={"base_dataset": str(base)}))


def test_a_folder_needs_no_readme(pets: Path, tmp_path: Path) -> None:
    """The README may be missing, or not name the configuration; files without a split are trained on."""
    bare = copied(pets, tmp_path / "bare", "README.md")
    other = copied(pets, tmp_path / "other")
    (other / "README.md").write_text("---\nconfigs:\n- config_name: birds\n  data_files: x/*.parquet\n---\n")
    unnamed = copied(pets, tmp_path / "unnamed", "README.md")
    (unnamed / "breeds" / "test-00000-of-00001.parquet").unlink()
    (unnamed / "breeds" / "train-00000-of-00001.parquet").rename(unnamed / "breeds" / "pictures.parquet")
    wanted = load_crops(str(pets), "train")
    for folder in (bare, other, unnamed):
        found = load_crops(str(folder), "train")
        assert found.hashes == wanted.hashes
        assert found.names == wanted.names
    assert len(load_scenes(str(bare), "train")) == len(load_scenes(str(pets), "train"))
    assert {split: len(files) for split, files in files_of(str(unnamed), "breeds").items()} == {"train": 1}
    assert set(files_of(str(pets), "breeds")) == set(files_of(str(bare), "breeds")) == {"train", "test"}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nowhere", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("a file", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("no breeds", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("no such repo", "set SMARTBREED_BASE_DATASET, or --data, to a folder with breeds"),
        ("damaged", "A file of the base dataset cannot be read"),
        ("no species", "no species"),
        ("no names", "its column breed must be a ClassLabel"),
        ("other breeds", "lists other breeds than the model"),
        ("others without a kind", "The other animals of the base dataset need the columns .*; no kind"),
        ("others to test on", "need a split train. Received: others with test"),
    ],
)
def test_a_base_dataset_of_no_use_is_refused_at_once(
    world: RetrainingWorld, pets: Path, tmp_path: Path, what: str, said: str
) -> None:
    base: Path | str = copied(pets, tmp_path / "base", "README.md")
    shard = tmp_path / "base" / "breeds" / "train-00000-of-00001.parquet"
    table = pq.read_table(shard)
    if what == "nowhere":
        base = tmp_path / "nowhere"
    elif what == "a file":
        base = shard
    elif what.startswith("others"):
        others = with_others(tmp_path / "base") / "others"
        (path,) = others.glob("*.parquet")
        if what == "others to test on":
            path.rename(others / "test-00000.parquet")
        else:
            pq.write_table(pq.read_table(path).drop_columns(["kind"]), path)
    elif what == "no breeds":
        shutil.rmtree(tmp_path / "base" / "breeds")
    elif what == "no such repo":
        base = "me/nothing"
    elif what == "damaged":
        shard.write_bytes(shard.read_bytes()[:-200])
    elif what == "no species":
        pq.write_table(table.drop_columns(["species"]), shard)
    elif what == "no names":
        for path in shard.parent.glob("*.parquet"):
            pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    else:
        shutil.rmtree(tmp_path / "base")
        base = pets_dataset(tmp_path / "base", ("pug", "beagle"))
    world.introduce(range(40))
    with pytest.raises(DataError, match=said):
        on(world, base).retrain("full", overrides=TINY)
    assert world.tags() == {}


def test_the_base_dataset_may_lie_in_a_repo(world: RetrainingWorld, pets: Path) -> None:
    api = connect(world.settings)
    ensure_repo(api, "me/base", "dataset")
    files: dict[str, bytes | Path] = {
        str(path.relative_to(pets)): path for path in pets.rglob("*") if path.is_file()
    }
    commit_files(api, "me/base", "dataset", files, title="pictures")
    asked = world.settings.model_copy(update={"base_dataset": "me/base"})
    folder = base_folder(api, asked)
    assert sorted(str(path.relative_to(folder)) for path in (folder / "breeds").glob("*")) == sorted(
        str(path.relative_to(pets)) for path in (pets / "breeds").glob("*")
    )
