"""A bundle is judged through its served files: figures, plots, sheets of mistakes, stored figures checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from datasets import Dataset
from PIL import Image
from support.tiny_bundle import BREEDS, SIZE, crops, write_bundle
from support.tiny_data import pets_dataset

from smartbreed.inference.boxes import iou
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.evaluation import FILE, Evaluation, evaluation_of
from smartbreed.inference.pipeline import Identifier
from training.common.errors import DataError
from training.common.run_directory import RunDirectory
from training.data import Crops, Scene
from training.data.labels import describe_labels
from training.evaluate import main as evaluate
from training.evaluate import read
from training.evaluation import evaluate_bundle
from training.evaluation.answers import ask
from training.evaluation.check import agreement, difference
from training.evaluation.out_of_distribution import kind_of
from training.evaluation.whole_photographs import as_photo, other_photograph_metrics, stem
from training.pipeline.runner import run_recipe
from training.pipeline.stage import Context
from training.pipeline.stages import evaluate as evaluate_stage
from training.recipe.file import load_recipe
from training.recipe.recipe import Data


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("evaluated") / "bundle", detector=True)


def scene(number: int, breed: str = "", boxes: int = 1, file: str = "") -> Scene:
    rng = np.random.default_rng(number)
    image = rng.integers(0, 255, (90, 120, 3)).astype(np.uint8)
    box = np.array([[10, 10, 80, 70]] * boxes, np.float32).reshape(-1, 4)
    return Scene(
        image, box, np.ones(boxes, np.int64), "dog" if boxes else "negative", "human", "", breed, file
    )


@pytest.mark.slow
def test_everything_is_written_and_the_same_twice(bundle: Path, tmp_path: Path) -> None:
    scenes = [scene(n, "pug", file=f"pug_{n}.webp") for n in range(3)]
    empty = [
        scene(9, boxes=0, file="n02447366_badger.webp"),
        scene(10, boxes=0, file="n04277352_spindle.webp"),
    ]
    first, second = (
        evaluate_bundle(
            bundle, crops(), tmp_path / name, scenes=scenes, empty=empty, robustness=4, trained=["pug_1.jpg"]
        )
        for name in ("a", "b")
    )
    assert first == second
    assert json.loads((tmp_path / "a/scores.json").read_text()) == first
    assert first["classifier"]["pictures"] == 30
    assert sum(row["pictures"] for row in first["per_label"].values()) == 30
    assert set(first["per_label"]) == set(BREEDS)
    assert {row["group"] for row in first["groups"]} == {"pointed_cat", "schnauzer"}
    assert set(first["strangers"]["kinds"]) == {"mammal", "no animal"}
    assert first["pipeline"]["breed_photographs"] == 2
    assert first["pipeline"]["breed_trained_on"] == 1
    assert len(first["robustness"]["curves"]) == 10
    worst = first["robustness"]["curves"]["night_camera"]["points"][-1]
    assert 0 <= worst["named"] <= 1
    assert sum(row["chosen"] for row in first["thresholds"]) == 1
    drawn = {path.stem for path in (tmp_path / "a/plots").glob("*.png")}
    # Of so few labels the whole matrix is written out, and no plot of the most confused is drawn.
    assert drawn == {
        "reliability", "coverage", "confusion", "hardest_breeds", "groups", "roc", "robustness", "detector",
    }  # fmt: skip
    for path in (tmp_path / "a/plots").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "b/plots" / path.name).read_bytes()
    assert {"mistakes-1.png"} <= {path.name for path in (tmp_path / "a/mistakes").iterdir()}
    curves = json.loads((tmp_path / "a/curves.json").read_text())
    assert set(curves) == {"confusion", "roc", "risk_coverage", "detector"}
    assert curves["detector"]["score"] == first["detector"]["score"]


def test_accuracy_is_what_counting_gives(bundle: Path, tmp_path: Path) -> None:
    shown = crops()
    identifier = Identifier.load(bundle)
    said = [identifier.classifier.run(image).logits.argmax() for image in shown.images]
    scores = evaluate_bundle(bundle, shown, tmp_path)
    assert scores["classifier"]["top1"] == pytest.approx((np.array(said) == shown.labels).mean(), abs=1e-4)
    assert "detector" not in scores
    assert "robustness" not in scores


def test_the_bundles_own_figures_are_what_counting_gives(bundle: Path, tmp_path: Path) -> None:
    shown, identifier = crops(), Identifier.load(bundle)
    scores = evaluate_bundle(bundle, shown, tmp_path)
    found = Evaluation.model_validate_json((tmp_path / FILE).read_bytes())
    answers = [identifier.identify(as_photo(image), whole=True).pets[0] for image in shown.images]
    for number, name in enumerate(BREEDS):
        mine = [pet for pet, label in zip(answers, shown.labels, strict=True) if label == number]
        row = found.labels[name]
        assert row.pictures == len(mine) == 6
        assert row.recall == pytest.approx(np.mean([pet.breeds[0].id == name for pet in mine]), abs=1e-4)
        assert row.abstained == pytest.approx(np.mean([pet.verdict != "breed" for pet in mine]), abs=1e-4)
        assert row.confidence == pytest.approx(np.mean([pet.breeds[0].probability for pet in mine]), abs=1e-3)
        assert row.precision == scores["per_label"][name]["precision"]
    assert found.version == "0.0.1"
    assert found.data == "test pictures of unknown"


@pytest.mark.slow
def test_the_command_puts_them_into_the_bundle_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ("siamese", "pug", "beagle")
    data = pets_dataset(tmp_path / "pets", shown)
    folder = write_bundle(tmp_path / "bundle", labels=[{"id": name} for name in (*shown, "boxer", "chow")])
    before = json.loads((folder / "config.json").read_text())
    evaluate(data=str(data), bundle=folder, out=tmp_path / "out", crops_only=True)
    after = json.loads((folder / "config.json").read_text())
    assert set(after["files"]) - set(before["files"]) == {FILE}
    assert {**after, "files": {}} == {**before, "files": {}}
    found = evaluation_of(load_bundle(folder))
    assert found is not None
    assert set(found.labels) == set(shown)
    assert not (folder / "README.md").exists()
    after["metrics"] = {"classifier": {"pictures": 1}}
    write_config(folder, after)
    stale = (folder / FILE).read_bytes()
    with pytest.raises(typer.Exit):  # figures of other networks stand in this bundle
        evaluate(data=str(data), bundle=folder, out=tmp_path / "out", crops_only=True)
    assert "classifier.pictures differs" in capsys.readouterr().err
    assert (folder / FILE).read_bytes() == stale


def test_labels_are_matched_by_name_and_pictures_resized(bundle: Path) -> None:
    shown = crops(size=SIZE)
    turned = crops(size=SIZE, names=BREEDS[::-1])
    identifier = Identifier.load(bundle)
    assert ask(identifier, shown).truth.tolist() == sorted(shown.labels.tolist())
    assert ask(identifier, turned).truth.tolist() == sorted(shown.labels.tolist(), reverse=True)
    assert ask(identifier, crops(per_label=1, size=50)).logits.shape == (5, 5)


@pytest.mark.slow
def test_a_bundle_about_other_things_is_judged_too(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", species=False)
    names = tuple(f"thing_{n}" for n in range(5))
    scores = evaluate_bundle(folder, crops(names=names), tmp_path / "out")
    assert "species" not in scores["classifier"]
    assert not any(key.startswith("top1_cat") for key in scores["classifier"])
    assert scores["groups"] == []


def test_an_unknown_label_and_no_pictures_are_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Received: kuvasz"):
        evaluate_bundle(bundle, crops(names=("pug", "kuvasz")), tmp_path)
    with pytest.raises(DataError, match="0 pictures"):
        evaluate_bundle(bundle, crops(per_label=0), tmp_path)
    with pytest.raises(DataError, match="Received: none"):
        evaluate_bundle(bundle, None, tmp_path)


def test_groups_and_what_is_no_pet_are_judged_apart(bundle: Path) -> None:
    """What the app answers is counted here once more, by hand."""
    identifier = Identifier.load(bundle)
    others = [scene(20, boxes=2), scene(21, boxes=2), scene(22), scene(23, boxes=0), scene(24, boxes=0)]
    others[4] = replace(others[4], kind="toy")
    found = other_photograph_metrics(identifier, others)
    assert (found["groups"]["photographs"], found["groups"]["boxes"]) == (2, 4)
    score = identifier.detector.config.score
    hits = 0
    for one in others[:2]:
        pets = identifier.identify_many([as_photo(one.image)], score=0.001)[0].pets
        boxes = np.array([pet.box for pet in pets if pet.score >= score]).reshape(-1, 4)
        hits += bool(len(boxes)) and bool((iou(boxes, one.boxes[:1]) >= 0.5).any())
    assert found["groups"]["recall"] == hits / 4, "two true boxes at one place are one find"
    assert set(found["no_pets"]) == {"negative", "toy"}
    for kind, one in (("negative", others[3]), ("toy", others[4])):
        answer = identifier.identify_many([as_photo(one.image)])[0]
        named = any(pet.verdict == "breed" for pet in answer.pets)
        assert found["no_pets"][kind] == {"photographs": 1, "found": bool(answer.pets), "named": named}
    assert other_photograph_metrics(identifier, others[2:3]) == {}


def test_labels_of_a_bundle_may_be_known_in_part(tmp_path: Path) -> None:
    """What `describe_labels` makes of such a folder is served and judged: two dogs, a cat and two things."""
    described = describe_labels(["pug", "beagle", "siamese", "mittens", "teapot"], Data(source="x"))
    folder = write_bundle(tmp_path / "bundle", labels=described)
    identifier = Identifier.load(folder)
    assert [breed.species for breed in identifier.known.breeds] == ["dog", "dog", "cat", "", ""]
    answer = identifier.identify(as_photo(crops(per_label=1).images[0]), whole=True)
    assert answer.pets[0].species in ("cat", "dog", "")
    assert {guess.id for guess in answer.pets[0].breeds} == {label["id"] for label in described}
    scores = evaluate_bundle(folder, crops(names=tuple(identifier.labels)), tmp_path / "out")
    assert scores["classifier"]["cats"] == 6
    assert scores["classifier"]["dogs"] == 12
    assert 0 <= scores["classifier"]["species"] <= 1


def test_one_broken_photograph_does_not_stop_the_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from datasets import Image as ImageFeature
    from datasets import load_dataset

    data = pets_dataset(tmp_path / "pets")
    for name, split in (("scenes", "test"), ("scenes", "train"), ("breeds", "test")):
        path = data / name / f"{split}-00000-of-00001.parquet"
        table = load_dataset("parquet", data_files={split: str(path)}, split=split)
        rows = list(table.cast_column("image", ImageFeature(decode=False)))
        rows[1]["image"] = {"bytes": rows[1]["image"]["bytes"][:90], "path": f"half of {name}.png"}
        Dataset.from_list(rows, features=table.features).to_parquet(path)
    shown, scenes, empty, train = read(str(data), False)
    assert len(shown) == 14
    assert (len(scenes), len(train)) == (3, 72)
    assert all(not len(one.boxes) for one in empty)
    said = capsys.readouterr().err
    assert said.count("left out half of scenes.png: ") == 2
    assert "left out half of breeds.png: " in said


def test_without_test_photographs_the_crops_are_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command and by a recipe's stage alike."""
    data = pets_dataset(tmp_path / "pets")
    (data / "README.md").unlink()
    (data / "scenes" / "test-00000-of-00001.parquet").unlink()
    shown, scenes, empty, _ = read(str(data), False)
    assert (len(shown), len(scenes), len(empty) > 0) == (15, 0, True)
    recipe = load_recipe("image_folder", [
        f"data.source={data}", "data.config=breeds", "data.label=breed", "data.scenes=scenes",
        "data.label_errors=false", "model.input_size=32", "model.backbone=small_cnn", "model.start=none",
        "model.freeze_till=", "train.epochs=1", "evaluate.robustness=0",
    ])  # fmt: skip
    run = RunDirectory(tmp_path / "run", quiet=True)
    run_recipe(recipe, run, ("prepare",))
    evaluated: list[dict[str, Any]] = []

    def evaluate_bundle(bundle: Path, crops: Crops, out: Path, **given: Any) -> dict[str, Any]:
        evaluated.append({"crops": len(crops), "scenes": given["scenes"], "empty": len(given["empty"])})
        return {}

    monkeypatch.setattr(evaluate_stage, "evaluate_bundle", evaluate_bundle)
    evaluate_stage.run(Context(recipe, run, run))
    assert evaluated == [{"crops": 15, "scenes": [], "empty": len(empty)}]


def test_evaluating_on_nothing_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        evaluate(data="/nowhere", write=False, forms=False)
    said = capsys.readouterr().err
    assert said.startswith("The dataset could not be loaded")
    assert said.count("\n") == 1


def test_the_breed_is_not_evaluated_when_the_training_pictures_are_unknown(
    bundle: Path, tmp_path: Path
) -> None:
    scores = evaluate_bundle(bundle, None, tmp_path, scenes=[scene(0, "pug", file="pug_0.webp")])
    assert scores["pipeline"]["breed"] is None
    assert "classifier" not in scores


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("imagenet/n02447366_badger.webp", "mammal"),
        ("imagenet/n02510455_giant_panda.webp", "mammal"),
        ("imagenet/n01882714_koala.webp", "mammal"),
        ("imagenet/n01667114_mud_turtle.webp", "other animal"),
        ("imagenet/n02165456_ladybug.webp", "other animal"),
        ("imagenet/n02056570_king_penguin.webp", "other animal"),
        ("imagenet/n04277352_spindle.webp", "no animal"),
        ("rex.jpg", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_an_imagenet_file_shows(file: str, kind: str) -> None:
    assert kind_of(file) == kind


def test_stems() -> None:
    assert stem("oxford_iiit_pet/Bengal_157.webp") == stem("Bengal_157.jpg") == "Bengal_157"


def test_the_check_names_the_first_figure_that_differs() -> None:
    stored = {"classifier": {"top1": 0.9, "pictures": 5}, "forms": {"classifier": {"milliseconds": 3.0}}}
    assert difference(stored, stored) is None
    assert "The bundle is what it says" in agreement(stored, stored)
    assert "Nothing was compared" in agreement(stored, {})
    assert difference(stored, {"classifier": {"top1": 0.9019, "pictures": 5}}) is None
    assert "classifier.top1" in (difference(stored, {"classifier": {"top1": 0.903, "pictures": 5}}) or "")
    assert "nothing" in (difference(stored, {"classifier": {"pictures": 5}}) or "")
    faster = {**stored, "forms": {"classifier": {"milliseconds": 1.0}}}
    assert difference(stored, faster) is None


@pytest.mark.parametrize("size", [32, 160])
def test_faults_of_a_smaller_crop_are_as_strong_as_of_a_large_one(size: int) -> None:
    """Blur and lost detail shrink with the crop; so they do nothing that the crop of 224 would not show."""
    from training.evaluation.robustness import CORRUPTIONS

    faults = {one.name: one for one in CORRUPTIONS}
    y, x = np.mgrid[:1120, :1120] / 1120
    smooth = np.stack([120 + 100 * np.sin(9 * x), 120 + 100 * np.cos(7 * y), 255 * x * y], axis=2)
    wide = Image.fromarray(smooth.astype(np.uint8))
    rng = np.random.default_rng(0)
    for sigma in faults["blur"].strengths:
        large, small = (
            np.asarray(faults["blur"].apply(wide.resize((side, side)), sigma, rng).resize((16, 16)), float)
            for side in (224, size)
        )
        assert np.abs(large - small).mean() < 0.6, sigma
    picture = wide.resize((size, size))
    for side in faults["small_box"].strengths:
        pixels = int(side * size / 224)
        assert pixels < size
        again = picture.resize((pixels, pixels), Image.Resampling.BILINEAR)
        again = again.resize(picture.size, Image.Resampling.BILINEAR)
        assert faults["small_box"].apply(picture, side, rng) == again


def test_faults_of_a_full_sized_crop_are_what_they_were() -> None:
    from PIL import ImageFilter

    from training.evaluation.robustness import CORRUPTIONS

    picture, rng = Image.fromarray(crops(per_label=1, size=224).images[0]), np.random.default_rng(0)
    faults = {one.name: one for one in CORRUPTIONS}
    for sigma in faults["blur"].strengths:
        assert faults["blur"].apply(picture, sigma, rng) == picture.filter(ImageFilter.GaussianBlur(sigma))
    for side in faults["small_box"].strengths:
        small = picture.resize((int(side), int(side)), Image.Resampling.BILINEAR)
        again = small.resize(picture.size, Image.Resampling.BILINEAR)
        assert faults["small_box"].apply(picture, side, rng) == again
    tiny = Image.fromarray(crops(per_label=1, size=20).images[0])
    assert faults["small_box"].apply(tiny, 2000, rng) == tiny  # never enlarged in between


def test_every_fault_keeps_the_size_and_grows_worse() -> None:
    from training.evaluation.robustness import CORRUPTIONS

    picture = Image.fromarray(crops(per_label=1, size=224).images[0])
    for corruption in CORRUPTIONS:
        changes = []
        for strength in corruption.strengths:
            worse = corruption.apply(picture, strength, np.random.default_rng(0))
            assert worse.size == picture.size
            assert worse.mode == "RGB"
            changes.append(np.abs(np.asarray(worse, np.float32) - np.asarray(picture)).mean())
        assert changes[0] > 0, corruption.name
        if corruption.name not in ("rotation", "box_jitter", "night_camera"):  # here any move changes as much
            assert changes == sorted(changes), corruption.name
