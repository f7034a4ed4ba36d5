"""A quantised ImageNet network as a teacher: its own scores, and a head on its features for other labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.photos import PUBLIC, needs_public
from support.processes import ROOT
from support.tiny_data import pets_dataset

from smartbreed.core.settings import EMBEDDED_BUNDLE
from training.common.errors import RecipeError
from training.data import Crops, load_crops
from training.data.imagenet import imagenet_classes
from training.distillation.targets import mean_opinion
from training.distillation.teachers import Asked, teacher_for
from training.models.initial_network import Start
from training.models.small_cnn import build_small_cnn
from training.recipe.recipe import Teacher

FILE = ROOT.parent / "shared/weights/mobilenet_edgetpu_224_1.0_uint8.tflite"
#: Two breeds ImageNet knows, three it lacks.
BREEDS = ("beagle", "pug", "bengal", "british_shorthair", "american_bulldog")


needs_weights = pytest.mark.skipif(not FILE.is_file(), reason="needs the network of ../shared/weights")


@pytest.fixture(scope="module")
def crops() -> Crops:
    everything = load_crops(str(PUBLIC), "test")
    chosen = [np.flatnonzero(everything.labels == everything.names.index(breed))[:10] for breed in BREEDS]
    return everything.take(np.concatenate(chosen))


def teacher(crops: Crops, **choices: object) -> Asked:
    start = Start(build_small_cnn(len(crops.names), input_size=32))
    return teacher_for(Teacher(kind="tflite", file=str(FILE), **choices), start, crops)


@needs_public
@needs_weights
def test_without_a_head_it_knows_imagenets_dogs_only(crops: Crops) -> None:
    asked = teacher(crops)
    assert sorted(crops.names[label] for label in asked.known) == ["beagle", "pug"]
    chance = asked.ask(crops.images, crops.labels)
    np.testing.assert_allclose(chance.sum(1), 1, atol=1e-5)
    dogs = np.isin(crops.labels, asked.known)
    right = np.array(asked.known)[chance.argmax(1)] == crops.labels
    assert right[dogs].mean() >= 0.9


@needs_public
@needs_weights
def test_with_a_head_it_has_an_opinion_about_every_label(crops: Crops) -> None:
    asked = teacher(crops, head=True)
    assert sorted(crops.names[label] for label in asked.known) == sorted(BREEDS)
    chance = asked.ask(crops.images, crops.labels)
    np.testing.assert_allclose(chance.sum(1), 1, atol=1e-5)
    assert (np.array(asked.known)[chance.argmax(1)] == crops.labels).mean() >= 0.9
    # One head is asked about a picture: a dog that ImageNet knows is never said to be a cat.
    dogs = np.isin(crops.labels, list(imagenet_classes(crops)))
    columns = [crops.names[label] in ("beagle", "pug") for label in asked.known]
    assert chance[dogs][:, ~np.array(columns)].max() == 0
    opinion, known = mean_opinion([(asked.known, chance)], crops.labels, len(crops.names))
    assert known.all()
    np.testing.assert_allclose(opinion.sum(1), 1, atol=1e-5)


@pytest.fixture
def tiny(tmp_path: Path) -> Crops:
    return load_crops(str(pets_dataset(tmp_path)), "test")


def test_another_network_is_refused_with_a_sentence(tiny: Crops) -> None:
    file = EMBEDDED_BUNDLE / "classifier.tflite"
    with pytest.raises(
        RecipeError, match=r"uint8 ImageNet classifier of 1001 classes.*Received: .*classifier"
    ):
        teacher_for(Teacher(kind="tflite", file=str(file)), Start(build_small_cnn(5, input_size=32)), tiny)


def test_a_missing_file_is_named(tiny: Crops) -> None:
    with pytest.raises(RecipeError, match=r"no such file. Received: nowhere.tflite"):
        teacher_for(
            Teacher(kind="tflite", file="nowhere.tflite"),
            Start(build_small_cnn(5, input_size=32)),
            tiny,
        )
