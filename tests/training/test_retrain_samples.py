"""From shards of the dataset repo to what may be learnt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.photos import jpeg
from support.shards import flag, push, review, settings_in, shard

from smartbreed.core.errors import PhotoError
from smartbreed.dataset.accepted import sample_key as key_of_the_app
from smartbreed.dataset.needs import CROWD, capped
from smartbreed.dataset.schema import shard_path
from smartbreed.hub.client import commit_files, connect
from training.continual.views import VIEWS, crop, views_of
from training.data import flag_dataset
from training.data.accepted_samples import Sample, accepted_samples, sample_key
from training.data.flag_dataset import read_dataset


def labels(flags: list[dict], reviews: list[dict]) -> dict[str, int]:
    return dict(Counter(sample.label for sample in accepted_samples(flags, reviews).samples))


def test_accepting_gives_the_flags_label_or_what_the_model_said_when_that_was_right() -> None:
    flags = [flag(1), flag(2, verdict="correct", label=None), flag(3), flag(4)]
    reviews = [review(1), review(2), review(3, "relabel", label="boxer"), review(4, "reject")]
    assert labels(flags, reviews) == {"pug": 1, "beagle": 1, "boxer": 1}


def test_the_latest_decision_counts_and_undo_takes_it_back() -> None:
    reviews = [
        review(1, "relabel", label="boxer"), review(1, "accept", later=1),
        review(2), review(2, "undo", later=1),
        review(3, "reject"), review(3, "relabel", later=2, label="vizsla"), review(3, "undo", later=1),
    ]  # fmt: skip
    assert labels([flag(1), flag(2), flag(3)], reviews) == {"pug": 1, "vizsla": 1}
    assert labels([flag(1), flag(2), flag(3)], reviews[::-1]) == {"pug": 1, "vizsla": 1}


def test_one_pet_counts_once_with_what_was_decided_last() -> None:
    same = {"sample_id": flag(1)["sample_id"]}
    flags = [flag(1), flag(2, label="boxer", **same), flag(3, box=[1.0, 2.0, 50.0, 60.0], **same)]
    found = accepted_samples(flags, [review(1), review(2), review(3)])
    assert Counter(sample.label for sample in found.samples) == {"boxer": 1, "pug": 1}
    assert found.left_out == {"the same pet twice": 1}


def test_a_new_breed_brings_its_description() -> None:
    decision = review(
        1, "new_breed", label="treeing_cur", name="Treeing Cur", species="dog", group="scent_hound"
    )
    (sample,) = accepted_samples([flag(1, label=None, label_text="treeing cur")], [decision]).samples
    assert (sample.label, sample.name, sample.species, sample.group) == (
        "treeing_cur", "Treeing Cur", "dog", "scent_hound",
    )  # fmt: skip


def test_what_is_left_out_is_counted() -> None:
    flags = [flag(1, consent=False), flag(2, verdict="not_a_pet", label=None), flag(3), flag(4)]
    reviews = [review(1), review(2), review(3, "reject"), review(9)]
    found = accepted_samples(flags, reviews)
    assert found.samples == []
    assert found.left_out == {
        "withdrawn or not published yet": 1, "rejected or undecided": 1, "without consent": 1,
        "about no breed": 1, "not decided yet": 1,
    }  # fmt: skip


def test_keys_are_those_of_the_app() -> None:
    box = [0.1, 33.333333, 100.0, 200.26]
    stored = [float(np.float32(value)) for value in box]
    assert sample_key("abc", stored) == key_of_the_app("abc", box)
    assert sample_key("abc", []) == key_of_the_app("abc", None)
    assert sample_key("abc", []) != sample_key("abc", stored)


def sample(number: int, flagger: str) -> Sample:
    return Sample(f"{number:016x}", b"", None, "pug", flagger=flagger)


def test_a_flood_of_one_person_is_cut_to_a_share() -> None:
    samples = [sample(i, "flood") for i in range(1000)] + [sample(1000 + i, f"p{i}") for i in range(400)]
    kept = Counter(one.flagger for one in capped(samples, share=0.2, floor=50))
    assert kept["flood"] == 100  # a fifth of the 500 that stay
    assert sum(kept.values()) == 500


def test_few_samples_of_one_person_always_count() -> None:
    samples = [sample(i, "keen") for i in range(80)] + [sample(100 + i, f"p{i}") for i in range(5)]
    kept = Counter(one.flagger for one in capped(samples, share=0.2, floor=50))
    assert kept["keen"] == 50


def test_a_single_user_may_give_all_samples() -> None:
    samples = [sample(i, f"p{i % 2}") for i in range(300)]
    assert capped(samples, share=0.2, floor=50) == samples


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 60), max_size=8),
    st.floats(0.05, 0.9),
    st.integers(1, 20),
    st.randoms(use_true_random=False),
)
def test_the_cap_holds_and_does_not_depend_on_the_order(counts, share, floor, random) -> None:
    samples = [
        sample(100 * n + i, who) for n, (who, count) in enumerate(counts.items()) for i in range(count)
    ]
    kept = capped(samples, share=share, floor=floor)
    by_person = Counter(one.flagger for one in kept)
    if len(counts) >= CROWD:
        assert all(count <= max(floor, share * len(kept)) for count in by_person.values())
    assert all(by_person[who] >= min(count, floor) for who, count in counts.items())
    mixed = samples[:]
    random.shuffle(mixed)
    assert {one.key for one in capped(mixed, share=share, floor=floor)} == {one.key for one in kept}


def test_the_repo_is_read_at_one_revision_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    api = connect(settings)
    assert read_dataset(api, settings.dataset, tmp_path / "none").revision == ""
    first = push(settings, "flags", [flag(1, b"x"), flag(2, b"y")])
    push(settings, "reviews", [review(1)], second=1)
    import pyarrow as pa
    import pyarrow.parquet as pq

    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"image": ["no"], "extra": [1]}), other)
    commit_files(
        api, settings.dataset, "dataset",
        {shard_path("flags", "20261121T130000Z", "0" * 12): other, "notes.txt": b"hello",
         shard_path("reviews", "20261121T130001Z", "1" * 12): b"PAR1 and nothing else",
         shard_path("flags", "20261121T130002Z", "2" * 12): shard("flags", [flag(2, b"y"), flag(3, b"z")])},
        title="foreign and again",
    )  # fmt: skip
    rows = read_dataset(api, settings.dataset, tmp_path / "rows")
    assert sorted(row["flag_id"] for row in rows.flags) == ["flag0001", "flag0002", "flag0003"]
    assert [row["decision_id"] for row in rows.reviews] == ["decision0001-0"]
    assert len(rows.skipped) == 3
    assert any("notes.txt" in sentence for sentence in rows.skipped)
    assert len(read_dataset(api, settings.dataset, tmp_path / "first", first).flags) == 2


def test_crops_are_cut_as_the_app_cuts_them() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[20:60, 50:150] = 255
    made = Sample("0" * 16, jpeg(pixels), (50.0, 20.0, 150.0, 60.0), "pug")
    cut = crop(made, 0.0, 64)
    assert cut.shape == (64, 64, 3)
    assert cut.mean() > 240
    assert crop(made, 0.25, 64).mean() < 200  # a margin shows the dark surroundings
    for box in [(300.0, 20.0, 400.0, 60.0), (50.0, 20.0, 51.0, 60.0), (float("nan"), 0.0, 9.0, 9.0)]:
        with pytest.raises(PhotoError):
            crop(Sample("0" * 16, jpeg(pixels), box, "pug"), 0.05, 64)
    with pytest.raises(PhotoError):
        crop(Sample("0" * 16, b"no picture", None, "pug"), 0.05, 64)


def test_views_are_the_same_each_time() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    first, again = views_of(pixels, 7), views_of(pixels, 7)
    assert len(first) == VIEWS
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.array_equal(first[0], pixels)
    assert not np.array_equal(first[2], views_of(pixels, 8)[2])


def test_of_a_large_dataset_only_what_is_looked_at_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    count = 64
    noise = np.random.default_rng(0).bytes(200_000)
    flags = [flag(n, f"{n:06d}".encode() + noise) for n in range(count)]
    for second, start in enumerate(range(0, count, 16)):
        push(settings, "flags", flags[start : start + 16], second)
    push(settings, "reviews", [review(n, "accept" if n % 2 else "reject") for n in range(count)])
    read: list[int] = []
    photos = flag_dataset._photos

    def watched(path: Path, group: int) -> list[bytes]:
        read.append(group)
        return photos(path, group)

    monkeypatch.setattr(flag_dataset, "_photos", watched)
    rows = read_dataset(connect(settings), settings.dataset, tmp_path / "rows")
    samples = accepted_samples(rows.flags, rows.reviews, floor=count).samples
    assert (len(samples), read) == (count // 2, []), "no photo was read so far"
    for one in sorted(samples, key=lambda sample: sample.place):
        number = int(one.photo()[:6])
        assert one.key == sample_key(flags[number]["sample_id"], ())
        assert len(one.photo()) == 200_006
    assert len(read) == 4, "each row group once"
    kept = [photo for value in vars(samples[0].image.photos).values() if isinstance(value, dict)
            for photo in value.values()]  # fmt: skip
    assert sum(map(len, kept)) <= 32


def test_a_shard_damaged_after_it_was_listed_leaves_its_photos_out(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    push(settings, "flags", [flag(1, b"x" * 1000)])
    push(settings, "reviews", [review(1)])
    rows = read_dataset(connect(settings), settings.dataset, tmp_path / "rows")
    (one,) = accepted_samples(rows.flags, rows.reviews).samples
    for path in (tmp_path / "rows").rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    with pytest.raises(PhotoError, match="cannot be read"):
        one.photo()
