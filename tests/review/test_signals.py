"""What the shipped model makes of flags, and that it is made once."""

from __future__ import annotations

import io
import threading
import time
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.clock import until
from support.photos import rows

from smartbreed.core.database import read, write
from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.feedback.flags import FlagService
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.pipeline import Identifier
from smartbreed.review import decisions, scoring
from smartbreed.review.scores import Memory, difference_hash, load_memory, measure, uncertainty
from smartbreed.review.scoring import Background, score_flags
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Signals


@pytest.fixture(scope="module")
def identifier() -> Identifier:
    if not (EMBEDDED_BUNDLE / "config.json").is_file():
        pytest.skip("no model in smartbreed/assets")
    return Identifier.load(EMBEDDED_BUNDLE, threads=1)


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    """A photograph with one large pet whose breed is known."""
    return next(row for row in rows("scenes") if row["breed"] and len(row["boxes"]) == 1)


def test_signals_are_made_once_for_each_model(
    review: ReviewService, flags: FlagService, flag: Any, identifier: Identifier
) -> None:
    ids = [flag(seed) for seed in range(3)]
    assert score_flags(flags, identifier, limit=2) == 2
    assert review.stats().unseen == 1
    assert score_flags(flags, identifier) == 1
    assert score_flags(flags, identifier) == 0
    item = review.item(ids[0])
    assert len(item.top) == 5
    assert item.top[0][1] >= item.top[1][1]
    assert not any("not looked at" in line for line in item.why)


def test_a_photo_that_is_gone_is_said(
    review: ReviewService, flags: FlagService, flag: Any, identifier: Identifier
) -> None:
    gone, there = flag(1), flag(2)
    flags.blobs.delete(review.item(gone).flag.sample_id)
    assert score_flags(flags, identifier) == 2
    assert "is missing" in review.item(gone).why[-1]
    assert review.item(there).top
    assert score_flags(flags, identifier) == 0, "not again at once"


def signals(flags: FlagService) -> set[str]:
    """Ids of the flags that have signals."""
    with read(flags.sessions) as session:
        return set(session.scalars(sa.select(Signals.flag_id)))


def test_what_was_computed_from_a_photo_goes_with_its_flag(
    review: ReviewService,
    flags: FlagService,
    flag: Any,
    identifier: Identifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, gone, back = flag(1), flag(2), flag(3)
    review.decide([kept, gone, back], decisions.accept(), "a" * 64)
    assert score_flags(flags, identifier) == 3
    with read(flags.sessions) as session:
        before = session.get(Signals, back)
    flags.withdraw(gone, "ann")
    assert signals(flags) == {kept, back}
    flags.withdraw(back, "ann")
    with write(flags.sessions) as session:
        session.merge(before)  # as an earlier version left it
    examples = []

    def measured(identifier: Identifier, memory: Memory, *rest: Any) -> Any:
        examples.append(len(memory.labels) - len(load_memory(identifier.bundle).labels))
        flags.withdraw(late, "ann")  # while its photo is looked at
        return measure(identifier, memory, *rest)

    late = flag(4)
    monkeypatch.setattr(scoring, "measure", measured)
    assert score_flags(flags, identifier) == 1
    assert examples == [1], "only the flag that is kept is a known example"
    assert signals(flags) == {kept, back}
    flags.forget_leftovers()
    assert signals(flags) == {kept}


def test_a_wrong_label_is_suspected_and_a_right_one_is_not(
    identifier: Identifier, scene: dict[str, Any]
) -> None:
    photo = read_photo(scene["image"]["bytes"])
    box = tuple(scene["boxes"][0])
    memory = load_memory(identifier.bundle)
    assert len(memory.vectors) == len(memory.labels) > 0
    right = measure(identifier, memory, photo, box, scene["breed"])
    other = "great_dane" if right.top[0][0] != "great_dane" else "pug"
    wrong = measure(identifier, memory, photo, box, other)
    assert wrong.label_quality < 0.1 < right.label_quality
    assert wrong.support == 0.0
    assert (wrong.uncertainty, wrong.outlier_score, wrong.phash) == (
        right.uncertainty,
        right.outlier_score,
        right.phash,
    )
    unknown = measure(identifier, memory, photo, box, "mudi")
    assert (unknown.given, unknown.support, unknown.label_quality) == (None, None, 1.0)


def test_nothing_vouches_for_itself(identifier: Identifier, scene: dict[str, Any]) -> None:
    photo = read_photo(scene["image"]["bytes"])
    box = tuple(scene["boxes"][0])
    memory = load_memory(identifier.bundle)
    before = measure(identifier, memory, photo, box, "great_dane")
    vector = before.embedding.astype(np.float32)
    lying = memory.with_samples([vector] * 12, ["great_dane"] * 12)
    after = measure(identifier, lying, photo, box, "great_dane")
    assert (after.support, after.label_quality, after.outlier_score) == (
        before.support,
        before.label_quality,
        before.outlier_score,
    )


def test_noise_is_novel(identifier: Identifier, scene: dict[str, Any]) -> None:
    memory = load_memory(identifier.bundle)
    noise = read_photo(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    known = read_photo(scene["image"]["bytes"])
    strange = measure(identifier, memory, noise, None, None)
    usual = measure(identifier, memory, known, tuple(scene["boxes"][0]), None)
    assert strange.outlier_score > usual.outlier_score + 0.3


def test_without_a_memory_nothing_is_claimed(identifier: Identifier) -> None:
    noise = read_photo(np.full((64, 64, 3), 120, np.uint8))
    empty = Memory(np.zeros((0, 0), np.float32), np.array([], dtype=object))
    looked = measure(identifier, empty, noise, None, "siamese")
    assert (looked.outlier_score, looked.support) == (0.0, None)


def test_the_background_looks_settles_and_stops(
    review: ReviewService, flag: Any, identifier: Identifier
) -> None:
    review.decide([flag(1000 + n, "ann") for n in range(5)], decisions.accept(), "a" * 64)
    flag(1, "ann"), flag(1, "bob")
    background = Background(review, lambda: identifier, every_s=0.05)
    background.start()
    until(lambda: not (review.stats().unseen or review.stats().open))
    assert (review.stats().unseen, review.stats().open) == (0, 0)
    background.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "review"]


def test_a_stop_is_heard_between_two_photos(
    review: ReviewService, flag: Any, identifier: Identifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        flag(2000 + number, "ann")
    looked, look = threading.Event(), scoring.measure

    def slow(*arguments: Any) -> Any:
        looked.set()
        time.sleep(0.3)
        return look(*arguments)

    monkeypatch.setattr(scoring, "measure", slow)
    background = Background(review, lambda: identifier)
    background.start()
    assert looked.wait(60)
    background.stop()
    assert 1 <= 12 - review.stats().unseen < 12, "what was made is kept"


@given(st.lists(st.floats(1e-6, 1), min_size=2, max_size=40))
def test_uncertainty_is_a_share(weights: list[float]) -> None:
    probabilities = np.array(weights) / np.sum(weights)
    assert 0 <= uncertainty(probabilities) <= 1


def test_uncertainty_of_the_extremes() -> None:
    assert uncertainty(np.array([1.0, 0.0, 0.0])) == 0
    assert uncertainty(np.full(133, 1 / 133)) == 1
    assert uncertainty(np.array([1.0])) == 0


def test_the_hash_survives_recompression() -> None:
    ramp = np.add.outer(np.arange(120) ** 2 % 251, np.arange(160) * 3 % 241).astype(np.uint8)
    picture = Image.fromarray(np.stack([ramp] * 3, axis=2))
    buffer = io.BytesIO()
    picture.resize((120, 90)).save(buffer, "JPEG", quality=70)
    first, second = (int(difference_hash(p), 16) for p in (picture, Image.open(buffer)))
    assert (first ^ second).bit_count() <= 5
    assert len(difference_hash(picture)) == 16
