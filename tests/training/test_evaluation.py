"""A bundle is judged through its served files: figures, plots, sheets of mistakes, stored figures checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_bundle import BREEDS, SIZE, crops, write_bundle

from smartbreed.vision.identify import Identifier
from training.data import Scene
from training.errors import DataError
from training.evaluation import evaluate_bundle
from training.evaluation.answers import ask
from training.evaluation.check import difference
from training.evaluation.strangers import kind_of
from training.evaluation.whole_photographs import stem


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
    assert len(first["robustness"]["curves"]) == 7
    assert sum(row["chosen"] for row in first["thresholds"]) == 1
    drawn = {path.stem for path in (tmp_path / "a/plots").glob("*.png")}
    assert drawn == {
        "reliability", "coverage", "confusion", "confused_labels", "hardest_breeds", "groups", "roc",
        "robustness",
    }  # fmt: skip
    for path in (tmp_path / "a/plots").glob("*.png"):
        assert path.read_bytes() == (tmp_path / "b/plots" / path.name).read_bytes()
    assert [path.name for path in (tmp_path / "a/mistakes").iterdir()] == ["mistakes-1.png"]


def test_accuracy_is_what_counting_gives(bundle: Path, tmp_path: Path) -> None:
    shown = crops()
    identifier = Identifier.load(bundle)
    said = [identifier.classifier.run(image).logits.argmax() for image in shown.images]
    scores = evaluate_bundle(bundle, shown, tmp_path)
    assert scores["classifier"]["top1"] == pytest.approx((np.array(said) == shown.labels).mean(), abs=1e-4)
    assert "detector" not in scores
    assert "robustness" not in scores


def test_labels_are_matched_by_name_and_pictures_resized(bundle: Path) -> None:
    shown = crops(size=SIZE)
    turned = crops(size=SIZE, names=BREEDS[::-1])
    identifier = Identifier.load(bundle)
    assert ask(identifier, shown).truth.tolist() == sorted(shown.labels.tolist())
    assert ask(identifier, turned).truth.tolist() == sorted(shown.labels.tolist(), reverse=True)
    assert ask(identifier, crops(per_label=1, size=50)).logits.shape == (5, 5)


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


def test_the_breed_is_not_judged_when_nobody_knows_what_was_trained_on(bundle: Path, tmp_path: Path) -> None:
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
    assert difference(stored, {"classifier": {"top1": 0.9019, "pictures": 5}}) is None
    assert "classifier.top1" in (difference(stored, {"classifier": {"top1": 0.903, "pictures": 5}}) or "")
    assert "nothing" in (difference(stored, {"classifier": {"pictures": 5}}) or "")
    faster = {**stored, "forms": {"classifier": {"milliseconds": 1.0}}}
    assert difference(stored, faster) is None


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
        if corruption.name not in ("rotation", "box_jitter"):  # on noise, any move changes as much
            assert changes == sorted(changes), corruption.name
