"""The queue through its service: filters, words, near-duplicates, numbers."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pytest

from smartbreed.core.database import write
from smartbreed.core.errors import ReviewError
from smartbreed.review import decisions
from smartbreed.review.near_duplicates import Picture, near_duplicates
from smartbreed.review.queue import Filters
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Signals

ANN = "a" * 64
Make = Any


def signals(review: ReviewService, flag_id: str, direction: int, **values: Any) -> None:
    """What a model would have made of a flag: an embedding along an axis, unless said otherwise."""
    embedding = np.eye(16, dtype=np.float16)[direction % 16]
    row: dict[str, Any] = {
        "model": "m", "embedding": embedding.tobytes(), "phash": f"{direction * 0x1111111111:016x}",
        "top": json.dumps([["birman", 0.9], ["siamese", 0.05]]), "uncertainty": 0.1, "suspicion": 0.0,
        "novelty": 0.0, "given": 0.05, "support": 0.5, "looked_at": dt.datetime.now(dt.UTC),
    }  # fmt: skip
    with write(review.sessions) as session:
        session.add(Signals(flag_id=flag_id, **(row | values)))


def test_the_most_useful_flag_comes_first_and_says_why(review: ReviewService, flag: Make) -> None:
    dull, torn, doubtful, strange, debated = (flag(seed) for seed in range(5))
    flag(4, "bob", label="persian")
    signals(review, dull, 0)
    signals(review, torn, 1, uncertainty=0.9, top=json.dumps([["birman", 0.4], ["ragdoll", 0.38]]))
    signals(review, doubtful, 2, suspicion=1.0, given=0.001, support=0.0)
    signals(review, strange, 3, novelty=1.0)
    signals(review, debated, 4)
    found = review.queue()
    why = {item.id: " ".join(item.why) for item in found}
    places = [item.id for item in found]
    assert places[-1] == dull
    assert set(places[:3]) >= {torn, debated}
    assert "torn between Birman (40 %) and Ragdoll (38 %)" in why[torn]
    assert "People disagree: Persian (1), Siamese (1)" in why[debated]
    assert "gives Siamese less than 1 %, and none of the most similar known photos is one" in why[doubtful]
    assert "unlike every photo" in why[strange]
    assert all(item.why for item in found)


def test_a_rare_breed_comes_before_a_common_one(review: ReviewService, flag: Make) -> None:
    common = [flag(seed) for seed in range(10)]
    review.decide(common[:9], decisions.accept(), ANN)
    rare = flag(50, label="pug", species="dog")
    assert [item.id for item in review.queue()] == [rare, common[9]]
    assert any("No photo of Pug" in line for line in review.item(rare).why)


def test_filters(review: ReviewService, flag: Make) -> None:
    first, second = flag(1), flag(2, "bob", verdict="not_a_pet", label=None, predicted="pug")
    third = flag(3, "bob", label="persian", predicted=None)
    review.decide([first], decisions.relabel("Boston Terrier", {}), ANN)
    bob = review.item(second).flag.flagger

    def found(**wanted: str) -> set[str]:
        return {item.id for item in review.queue(Filters(**wanted))}

    assert found() == {second, third}
    assert found(state="decided") == found(state="relabelled") == {first}
    assert found(state="all") == {first, second, third}
    assert found(verdict="not_a_pet") == {second}
    assert found(breed="Pug") == {second}
    assert found(state="all", breed="boston_bull") == {first}
    assert found(flagger=bob[:8]) == {second, third}
    assert found(flagger=bob[:8], verdict="wrong") == {third}
    for wrong in (
        {"state": "lost"}, {"verdict": "maybe"}, {"breed": "Unicorn"}, {"flagger": "ab"}, {"flagger": "%%%%"},
    ):  # fmt: skip
        with pytest.raises(ReviewError, match="Received"):
            found(**wrong)


def test_near_duplicates_are_found_and_decided_together(review: ReviewService, flag: Make) -> None:
    same = [flag(seed) for seed in range(3)]
    other = flag(9)
    for seed, flag_id in enumerate(same):
        close = np.eye(16, dtype=np.float32)[3] + 0.02 * seed
        signals(review, flag_id, 3, embedding=(close / np.linalg.norm(close)).astype(np.float16).tobytes())
    signals(review, other, 4)
    groups = {item.id: set(item.group) for item in review.queue()}
    assert groups == {other: {other}} | {flag_id: set(same) for flag_id in same}
    lead = next(item for item in review.queue() if item.id in same)
    review.decide(lead.group, decisions.accept(), ANN, together=True)
    assert [item.id for item in review.queue()] == [other]


def test_a_flag_without_scores_is_in_no_group(review: ReviewService, flag: Make) -> None:
    first = flag(1)
    assert review.item(first).group == (first,)
    assert "not looked at it yet" in review.item(first).why[-1]


def test_likeness_does_not_spread_along_a_chain() -> None:
    angles = np.linspace(0, 1.4, 8)  # each like its neighbour, the ends at right angles
    pictures = [
        Picture(str(n), "m", np.array([np.cos(a), np.sin(a)], np.float32), f"{2**n - 1:032x}"[-16:])
        for n, a in enumerate(angles * 1.0)
    ]
    groups = near_duplicates([Picture(p.flag_id, p.model, p.embedding, "f" * 16 if n % 2 else "0" * 16)
                              for n, p in enumerate(pictures)])  # fmt: skip
    for flag_id, group in groups.items():
        assert flag_id in group
        assert all(groups[member] == group for member in group)
    assert near_duplicates([]) == {}


def test_embeddings_of_different_models_are_not_compared() -> None:
    vector = np.array([1.0, 0.0], np.float32)
    groups = near_duplicates([Picture("1", "old", vector, "0" * 16), Picture("2", "new", vector, "0" * 16)])
    assert groups == {"1": ("1",), "2": ("2",)}


def test_numbers(review: ReviewService, flag: Make) -> None:
    ids = [flag(seed) for seed in range(4)]
    review.decide(ids[:2], decisions.accept(), ANN)
    review.decide([ids[2]], decisions.reject(), ANN)
    signals(review, ids[3], 1)
    found = review.stats()
    assert (found.open, found.decided) == (1, 3)
    assert found.states == {"accepted": 2, "rejected": 1, "open": 1}
    assert found.by_reviewer == {"maintainers": 3}
    assert (found.gold, found.unseen) == (0, 0)
