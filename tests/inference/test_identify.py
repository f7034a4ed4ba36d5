"""The pipeline on the tiny model: what must hold whatever the network has learnt."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import edit_config

from smartbreed.core.errors import RequestError
from smartbreed.imaging.photo import Photo, read_photo
from smartbreed.inference.grad_cam import grad_cam
from smartbreed.inference.pipeline import Identifier, agrees, self_test_picture
from smartbreed.inference.results import Identification

SIZE, BREEDS = 64, 5


def plain(answer: Identification) -> dict[str, Any]:
    """Everything but the time it took."""
    return {key: value for key, value in answer.as_dict().items() if key != "milliseconds"}


def test_an_answer_is_well_formed(identifier: Identifier, photos: list[Photo]) -> None:
    for photo in photos:
        answer = identifier.identify(photo)
        assert (answer.image, answer.sha256) == (photo.name, photo.sha256)
        assert (answer.width, answer.height) == (photo.width, photo.height)
        assert answer.milliseconds > 0
        assert 1 <= len(answer.pets) <= 4  # the bundle's `most`
        assert [pet.score for pet in answer.pets] == sorted((pet.score for pet in answer.pets), reverse=True)
        for pet in answer.pets:
            x0, y0, x1, y1 = pet.box
            assert 0 <= x0 < x1 <= photo.width
            assert 0 <= y0 < y1 <= photo.height
            assert pet.crop[0] <= x0
            assert pet.crop[1] <= y0
            assert pet.crop[2] >= x1
            assert pet.crop[3] >= y1
            assert pet.score >= 0.3
            assert pet.species in ("cat", "dog")
            assert len(pet.breeds) == BREEDS
            assert sum(guess.probability for guess in pet.breeds) == pytest.approx(1)
            assert pet.logits.shape == (BREEDS,)
            assert pet.class_maps.shape == (SIZE // 32, SIZE // 32, BREEDS)
            assert pet.embedding.shape == (1280,)
            np.testing.assert_allclose(pet.class_maps.mean((0, 1)), pet.logits, atol=1e-4)


@pytest.mark.parametrize(("top_k", "listed"), [(1, 1), (3, 3), (5, 5), (1000, 5)])
def test_top_k(identifier: Identifier, photos: list[Photo], top_k: int, listed: int) -> None:
    for pet in identifier.identify(photos[0], top_k=top_k).pets:
        assert len(pet.breeds) == listed
        assert sum(guess.probability for guess in pet.breeds) <= 1 + 1e-6


def test_many_photos_get_the_answers_of_each(identifier: Identifier, photos: list[Photo]) -> None:
    alone = [identifier.identify(photo) for photo in photos]
    together = identifier.identify_many(photos)
    assert [plain(answer) for answer in together] == [plain(answer) for answer in alone]
    for a, b in zip(alone, together, strict=True):
        for pet, twin in zip(a.pets, b.pets, strict=True):
            np.testing.assert_array_equal(pet.logits, twin.logits)
    assert identifier.identify_many([]) == []
    whole = identifier.identify_many(photos[:2], whole=True, top_k=2)
    assert [plain(a) for a in whole] == [
        plain(identifier.identify(p, whole=True, top_k=2)) for p in photos[:2]
    ]


def test_eight_threads_at_once(identifier: Identifier, photos: list[Photo]) -> None:
    expected = [plain(identifier.identify(photo)) for photo in photos]
    barrier = threading.Barrier(8)

    def visitor(number: int) -> list[dict[str, Any]]:
        barrier.wait()
        if number % 2:
            return [plain(answer) for answer in identifier.identify_many(photos)]
        return [plain(identifier.identify(photo)) for photo in photos]

    with ThreadPoolExecutor(8) as pool:
        assert all(answers == expected for answers in pool.map(visitor, range(8)))


def test_the_whole_picture(identifier: Identifier, photos: list[Photo]) -> None:
    answer = identifier.identify(photos[2], whole=True)
    (pet,) = answer.pets
    assert pet.box == pet.crop == (0, 0, photos[2].width, photos[2].height)
    assert pet.score == 1
    assert answer.as_dict()["whole"] is True
    assert "whole" not in identifier.identify(photos[2]).as_dict()
    outputs = identifier.classifier.classify(photos[2].to_pil(), pet.box)
    np.testing.assert_array_equal(pet.logits, outputs.logits)


def test_a_bundle_without_a_detector(bundle_copy: Path, identifier: Identifier, photos: list[Photo]) -> None:
    edit_config(bundle_copy, lambda config: config.pop("detector"))
    alone = Identifier.load(bundle_copy, threads=1)
    assert alone.detector is None
    answer, expected = alone.identify(photos[0]), identifier.identify(photos[0], whole=True)
    assert answer.whole
    assert [pet.as_dict() for pet in answer.pets] == [pet.as_dict() for pet in expected.pets]


def test_a_stricter_score_finds_fewer(identifier: Identifier, photos: list[Photo]) -> None:
    usual = identifier.identify(photos[0]).pets
    bar = (usual[0].score + usual[1].score) / 2
    assert [pet.box for pet in identifier.identify(photos[0], score=bar).pets] == [usual[0].box]
    nothing = identifier.identify(photos[0], score=0.99)
    assert nothing.as_dict()["pets"] == []


def test_several_photos_of_one_pet(identifier: Identifier, photos: list[Photo]) -> None:
    answers = [identifier.identify(photo, whole=True) for photo in photos[:3]]
    nothing = identifier.identify(photos[3], score=0.99)
    pet = identifier.combine([nothing, *answers], top_k=2)
    mean = np.mean([answer.pets[0].logits for answer in answers], axis=0)
    np.testing.assert_allclose(pet.logits, mean, rtol=1e-6)
    assert len(pet.breeds) == 2
    assert pet.breeds[0].id == identifier.labels[int(mean.argmax())]
    assert pet.breeds[0].probability == pytest.approx(identifier.classifier.probabilities(mean).max())
    for none in ([], [nothing]):
        with pytest.raises(RequestError) as caught:
            identifier.combine(none)
        assert caught.value.code == "no_pet"


def test_heat_of_any_breed(identifier: Identifier, photos: list[Photo]) -> None:
    pet = identifier.identify(photos[1]).pets[0]
    bias = identifier.bundle.config.classifier.bias
    for index, breed in enumerate(identifier.labels):
        expected = np.maximum(pet.class_maps[:, :, index] - bias[index], 0)
        np.testing.assert_allclose(identifier.heat(pet, breed) * expected.max(), expected, atol=1e-5)
    np.testing.assert_array_equal(identifier.heat(pet), identifier.heat(pet, pet.breeds[0].id))
    with pytest.raises(RequestError) as caught:
        identifier.heat(pet, "dragon")
    assert caught.value.code == "unknown_breed"
    assert not grad_cam(np.full((2, 2, 1), -1.0), 0).any()  # nothing speaks for it: no division by 0


def test_a_crop_keeps_its_proportions_and_its_overlay_lies_on_it(
    identifier: Identifier, photos: list[Photo]
) -> None:
    for photo in photos:
        pet = identifier.identify(photo).pets[0]
        crop, overlay = identifier.crop(photo, pet), identifier.explain(photo, pet)
        assert crop.shape == overlay.shape
        assert crop.dtype == overlay.dtype == np.uint8
        assert max(crop.shape) == 320
        width, height = pet.crop[2] - pet.crop[0], pet.crop[3] - pet.crop[1]
        assert crop.shape[1] / crop.shape[0] == pytest.approx(width / height, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (8, 8), (3, 2000)])
def test_odd_shapes_are_no_problem(identifier: Identifier, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (*shape, 3), dtype=np.uint8)
    photo = Photo(pixels, "", "strip")
    for whole in (False, True):
        answer = identifier.identify(photo, whole=whole)
        for pet in answer.pets:
            assert identifier.explain(photo, pet).size


def test_the_self_test_notices_another_network(identifier: Identifier) -> None:
    logits = identifier.classifier.run(self_test_picture(SIZE)).logits
    assert agrees(logits, None)
    assert agrees(logits, [float(v) for v in logits])
    assert agrees(logits, list(logits + 0.01))
    assert not agrees(logits, list(logits + 0.5))
    assert not agrees(logits, list(logits[:-1]))
    assert not agrees(logits, {"a": 1})
    assert not agrees(logits, list(logits * np.nan))


def test_a_read_photo_is_what_its_pixels_are(identifier: Identifier, photos: list[Photo]) -> None:
    """The name and the way it came make no difference to the answer."""
    again = read_photo(photos[0].to_pil(), name="other")
    assert plain(identifier.identify(again))["pets"] == plain(identifier.identify(photos[0]))["pets"]
