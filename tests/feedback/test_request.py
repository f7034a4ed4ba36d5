"""What may be sent as a flag, and what becomes of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.flags import flag_request

from smartbreed.core.errors import FlagError
from smartbreed.feedback.flags import FlagRequest, FlagService
from smartbreed.feedback.request import check, clip_box
from smartbreed.feedback.tables import VERDICTS, Flag

fuzz = hypothesis_settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


def only(service: FlagService) -> Flag:
    (flag,) = service.recent()
    return flag


def photos(service: FlagService) -> set[str]:
    return set(service.blobs.older_than(-60))


def refusal(service: FlagService, request: FlagRequest) -> str:
    with pytest.raises(FlagError) as caught:
        service.save(request)
    assert caught.value.status in (404, 422)
    assert service.count() == 0
    assert photos(service) == set()
    return caught.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"consent": False}, "consent_required"),
        ({"consent": "yes"}, "consent_required"),
        ({"consent": None}, "consent_required"),
        ({"verdict": "maybe"}, "unknown_verdict"),
        ({"verdict": ""}, "unknown_verdict"),
        ({"label": None}, "label_required"),
        ({"label": "", "label_text": " \n\u202e"}, "label_required"),
        ({"label": "moon cat"}, "unknown_breed"),
        ({"label": "moon cat", "label_text": "a cat from the moon"}, "unknown_breed"),
        ({"label": "moon cat", "verdict": "unsure"}, "unknown_breed"),
        ({"label": "moon cat", "verdict": "missed"}, "unknown_breed"),
        ({"verdict": "correct", "predicted": None}, "label_required"),
        ({"box": (5, 5, 5, 20)}, "bad_box"),
        ({"box": (20, 5, 5, 20)}, "bad_box"),
        ({"box": (64, 0, 90, 20)}, "bad_box"),
        ({"box": (math.nan, 0, 9, 9)}, "bad_box"),
        ({"box": (0, 0, math.inf, 9)}, "bad_box"),
        ({"box": (0, 0, 9)}, "bad_box"),
        ({"box": "abcd"}, "bad_box"),
        ({"box": 7}, "bad_box"),
        ({"label": None, "label_text": "x" * 81}, "text_too_long"),
        ({"label": "x" * 100_000}, "text_too_long"),
        ({"note": "x" * 501}, "text_too_long"),
        ({"model_revision": "x" * 201}, "text_too_long"),
        ({"probability": 1.01}, "bad_probability"),
        ({"probability": math.nan}, "bad_probability"),
        ({"probability": "0.5"}, "bad_probability"),
        ({"pet_index": 0}, "bad_pet_index"),
        ({"pet_index": 1.5}, "bad_pet_index"),
        ({"species": "fish"}, "unknown_species"),
        ({"flagger_token": ""}, "flagger_required"),
        ({"pixels": None}, "bad_photo"),
        ({"pixels": np.zeros((8, 8), np.uint8)}, "bad_photo"),
        ({"pixels": np.zeros((8, 8, 4), np.uint8)}, "bad_photo"),
        ({"pixels": np.zeros((8, 8, 3), np.float32)}, "bad_photo"),
        ({"pixels": np.zeros((0, 8, 3), np.uint8)}, "bad_photo"),
    ],
)
def test_what_is_refused_leaves_no_trace(service: FlagService, change: dict[str, Any], code: str) -> None:
    assert refusal(service, flag_request(**change)) == code


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"label": "Aby"}, ("wrong", "abyssinian", None, "cat")),
        ({"label": "border terrier"}, ("wrong", "border_terrier", None, "dog")),  # the label decides
        ({"label": None, "label_text": " a\tmoon\u0000 \u202ecat "}, ("wrong", None, "a moon cat", "cat")),
        ({"label": None, "label_text": "Cafe\u0301 cat"}, ("wrong", None, "Café cat", "cat")),
        ({"label": None, "label_text": "bad \ud800 surrogate"}, ("wrong", None, "bad surrogate", "cat")),
        ({"label": None, "label_text": "BORDER-TERRIER"}, ("wrong", "border_terrier", None, "dog")),
        ({"label": "Birman"}, ("correct", "birman", None, "cat")),  # "wrong", and yet the prediction
        ({"verdict": "correct", "label": "siamese"}, ("correct", "birman", None, "cat")),
        ({"verdict": "correct", "predicted": "moon_cat"}, ("correct", "moon_cat", None, "cat")),
        ({"verdict": "not_a_pet", "label_text": "a rug"}, ("not_a_pet", None, None, None)),
        ({"verdict": "missed"}, ("missed", "siamese", None, "cat")),
        ({"verdict": "missed", "label": None, "box": None, "species": None}, ("missed", None, None, None)),
        ({"verdict": "unsure", "label": None}, ("unsure", None, None, "cat")),
    ],
)
def test_what_is_said_is_made_to_agree(
    service: FlagService, change: dict[str, Any], kept: tuple[str | None, ...]
) -> None:
    service.save(flag_request(**change))
    flag = only(service)
    assert (flag.verdict, flag.label, flag.label_text, flag.species) == kept


number = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.integers(-50, 700)


@fuzz
@given(box=st.tuples(number, number, number, number), width=st.integers(1, 500), height=st.integers(1, 500))
def test_a_clipped_box_lies_in_the_photo(box: Any, width: int, height: int) -> None:
    try:
        x0, y0, x1, y1 = clip_box(box, width, height)
    except FlagError:
        return
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert clip_box((x0, y0, x1, y1), width, height) == (x0, y0, x1, y1)


texts = st.none() | st.text(max_size=100) | st.sampled_from(["siamese", "Birman", "\ud800", "\x00"])


@fuzz
@given(
    verdict=st.sampled_from([*VERDICTS, "no"]),
    label=texts,
    label_text=texts,
    predicted=texts,
    note=texts,
    token=st.text(min_size=1, max_size=20),
    probability=st.none() | st.floats(0, 1) | number,
    index=st.none() | st.integers(-1, 9),
)
def test_anything_is_kept_or_refused_with_a_reason(
    service: FlagService, token: str, index: int | None, **said: Any
) -> None:
    request = flag_request(flagger_token=token, pet_index=index, **said)
    try:
        checked = check(request)
    except FlagError:
        return
    receipt = service.save(request)
    flag = next(flag for flag in service.recent(1000) if flag.id == receipt.flag_id)
    assert (flag.verdict, flag.label, flag.label_text) == (checked.verdict, checked.label, checked.label_text)
    assert all(text is None or text.isprintable() for text in (flag.label, flag.label_text))
