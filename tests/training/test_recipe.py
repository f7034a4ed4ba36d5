"""A recipe says everything, and what it says wrong is answered with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from training.common.errors import RecipeError
from training.pipeline.stage import NAMES, choices_of
from training.recipe.file import (
    RECIPES,
    digest,
    keys,
    load_recipe,
    parse_recipe,
    save_recipe,
    with_values,
)
from training.recipe.recipe import Recipe

NAMED = sorted(path.stem for path in RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMED)
def test_every_recipe_reads_and_survives_being_written(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(yaml.safe_load(save_recipe(recipe))) == recipe


def test_the_recipes_that_the_issue_names_are_there() -> None:
    assert {"breeds", "detector", "dogs_vs_cats", "animal_faces", "cifar10"} <= set(NAMED)
    assert load_recipe("dogs_vs_cats_vgg16").model.backbone == "VGG16"


DETECT: dict[str, object] = {"task": "detect", "model": {"backbone": "ssd_mobilenet_v1"}}


def minimal(**more: object) -> dict[str, object]:
    return {"name": "x", "data": {"source": "photos"}, **more}


def test_overrides_are_yaml() -> None:
    recipe = load_recipe(
        "cifar10",
        [
            "train.epochs=3",
            "train.rate=1e-4",
            "model.freeze_till=",
            "train.oversample={cat: 2}",
            "publish.repo=a/b",
        ],
    )
    assert (recipe.train.epochs, recipe.train.rate, recipe.publish.repo) == (3, 1e-4, "a/b")
    assert recipe.train.oversample == {"cat": 2.0}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": {"epoch": 3}},
         "train.epoch is no key of a recipe; did you mean train.epochs. Received: train.epoch=3"),
        ({"trian": {"epochs": 3}}, "trian is no key of a recipe"),
        ({"train": {"epochs": "many"}}, "train.epochs: input should be a valid integer.*Received: 'many'"),
        ({"train": {"epochs": -1}}, "train.epochs: .*greater than or equal to 0. Received: -1"),
        ({"train": {"schedule": "step"}}, "train.schedule: .*'cosine' or 'plateau'. Received: 'step'"),
        ({"train": {"blends": [2.0]}}, "train.blends"),
        ({"train": {"monitor": "f2"}}, "train.monitor must be one of .*Received: f2"),
        ({"train": {"monitor": "map"}}, "train.monitor must be one of top1, .*task classify. Received: map"),
        ({**DETECT, "train": {"monitor": "cats"}}, "must be one of map, ap50, ap75 for task detect.*: cats"),
        ({**DETECT, "train": {"keep": "best"}}, "train.monitor must be one of map, .*Received: top1"),
        ({**DETECT, "train": {"stop_after": 2}}, "train.monitor must be one of map, .*Received: top1"),
        ({**DETECT, "train": {"epochs": 0}}, "train.epochs must be at least 1 for task detect.*Received: 0"),
        ({"train": {"outliers": True}}, "train.outliers needs data.scenes"),
        ({"augment": {"mixup": 0.8, "cutmix": 0.8}}, "mixup and augment.cutmix .*Received: 0.8 and 0.8"),
        ({"split": {"validation": 0.6, "test": 0.5}}, "validation and split.test .*Received: 0.6 and 0.5"),
        ({"split": {"validation": 0}}, "split.validation must be above 0"),
        ({"split": {"folds": 3, "fold": 3}}, "split.fold must be below split.folds.*Received: fold 3 of 3"),
        ({"model": {"start": "none", "freeze_till": 3}}, "model.freeze_till would freeze random weights"),
        ({"model": {"start": "none"}, "train": {"epochs": 0}}, "train.epochs must be at least 1"),
        ({"head": {"rows": "bundle"}}, "head.rows is bundle, so model.start must be a bundle"),
        ({"head": {"rows": "imagenet"}, "model": {"backbone": "VGG16"}}, "only mobilenet_v2"),
        ({"train": {"cache": 2}}, "must name the last of them"),
        (
            {"train": {"cache": 2}, "model": {"freeze_till": "block_2_add"}, "distil": {"views": 1}},
            "cannot both be above 0",
        ),
        ({"head": {"epochs": 0}, "train": {"epochs": 0}}, "cannot both be 0"),
        ({"task": "detect"}, "task detect goes with model.backbone ssd_mobilenet_v1"),
        ({"model": {"backbone": "ssd_mobilenet_v1"}}, "task detect goes with"),
        ({"distil": {"teachers": [{"kind": "tflite"}]}}, "distil.teachers"),
        ({"distil": {"teachers": [{"kind": "imagenet_head", "file": "x"}]}}, "takes no file"),
        ({"export": {"version": "one"}}, "export.version"),
        ({"name": "../x"}, "name: "),
        ({"data": {}}, "data.source is missing"),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_named_with_what_was_received(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as refused:
        parse_recipe({**minimal(), **change})
    assert "Received:" in refused.value.message
    assert "\n" not in refused.value.message


def test_a_recipe_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(RecipeError, match=r"breeds, breeds_small.*Received: bread"):
        load_recipe("bread")
    with pytest.raises(RecipeError, match=r"no recipe file.*Received: bread.yaml"):
        load_recipe("bread.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- 1\n- 2", "A recipe is a mapping"),
        ("name: [", "not YAML"),
        ("extends: nothing\nname: x", "no recipe of that name"),
        ("extends: mine\nname: x", "is circular"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RecipeError, match=sentence):
        load_recipe(tmp_path / "mine.yaml")


def test_a_recipe_can_extend_another_beside_it_or_ours(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "name: base\ndata: {source: photos}\ntrain: {epochs: 4, rate: 0.001}\n"
    )
    (tmp_path / "mine.yaml").write_text("extends: base\nname: mine\ntrain: {epochs: 9}\n")
    mine = load_recipe(tmp_path / "mine.yaml")
    assert (mine.name, mine.train.epochs, mine.train.rate, mine.data.source) == ("mine", 9, 0.001, "photos")
    (tmp_path / "other.yaml").write_text("extends: cifar10\nname: other\n")
    assert load_recipe(tmp_path / "other.yaml").data.source == "keras:cifar10"


def refusal(read: Callable[[], Recipe]) -> str:
    """The sentence a recipe is refused with; "Received" for one that is taken."""
    try:
        read()
    except RecipeError as error:
        return error.message
    return "Received"


@given(st.text(max_size=40))
def test_any_override_is_taken_or_refused_with_a_sentence(text: str) -> None:
    assert "Received" in refusal(lambda: load_recipe("cifar10", [text]))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
                        st.sampled_from(["name", "data", "train", "source", "labels"]), inner, max_size=3),
                    max_leaves=6))  # fmt: skip
def test_any_mapping_is_taken_or_refused_with_a_sentence(value: object) -> None:
    assert "Received" in refusal(lambda: parse_recipe(value if isinstance(value, dict) else {"data": value}))


def test_every_key_is_documented() -> None:
    found = keys()
    assert len(found) > 60
    assert all(description for description, _ in found.values())


def test_a_stage_is_stale_when_a_choice_before_it_changes() -> None:
    recipe = parse_recipe(minimal())
    changes = {
        "train.epochs": "train", "data.margin": "prepare", "calibrate.precision": "calibrate",
        "export.version": "export", "publish.repo": "publish", "augment.mixup": "train", "seed": "prepare",
    }  # fmt: skip
    values = {"train.epochs": 3, "data.margin": 0.2, "calibrate.precision": 0.5, "export.version": "2.0.0",
              "publish.repo": "a/b", "augment.mixup": 0.5, "seed": 8}  # fmt: skip
    for key, first in changes.items():
        changed = with_values(recipe, {key: values[key]})
        stale = [name for name in NAMES if choices_of(name, recipe) != choices_of(name, changed)]
        assert stale == list(NAMES[NAMES.index(first) :]), key
    assert choices_of("publish", with_values(recipe, {"tracking.trackio": "p"})) == choices_of(
        "publish", recipe
    )


def test_a_digest_reads_single_keys_too() -> None:
    recipe = parse_recipe(minimal())
    other = with_values(recipe, {"model.alpha": 0.5})
    assert digest(recipe, ["model.input_size"]) == digest(other, ["model.input_size"])
    assert digest(recipe, ["model"]) != digest(other, ["model"])
    assert isinstance(recipe, Recipe)
