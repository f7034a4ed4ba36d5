"""The pictures that stand in for the public photographs show what they say, to the bundle that ships."""

from __future__ import annotations

import pytest
from support.photos import made_cat, made_negative, opened

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.review.claims import overlap

pytest.importorskip("skimage", reason="scikit-image is not installed")


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    return Identifier.load(EMBEDDED_BUNDLE)


@pytest.mark.parametrize("number", range(12))
def test_a_cat_is_found_where_it_is(identifier: Identifier, number: int) -> None:
    row = made_cat(number)
    [pet] = identifier.identify(read_photo(opened(row))).pets
    assert pet.species == "cat"
    assert overlap(pet.box, tuple(row["boxes"][0])) > 0.5


@pytest.mark.parametrize("number", range(6))
def test_no_pet_is_found_where_none_is(identifier: Identifier, number: int) -> None:
    assert identifier.identify(read_photo(opened(made_negative(number)))).pets == ()
