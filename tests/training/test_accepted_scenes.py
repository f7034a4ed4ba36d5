"""Accepted missed pets as whole photographs for the detector: every pet has its box, or nothing is learnt."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.photos import rows as photo_rows
from support.shards import flag, push, review, settings_in, shard

from smartbreed.dataset.schema import shard_path
from training.common.errors import DataError
from training.continual.base_dataset import _add_scenes
from training.data import Scene, load_scenes
from training.data.accepted_samples import accepted_samples
from training.data.accepted_scenes import accepted_scenes, labelled_photos, scenes_of
from training.data.detector_photos import detector_photos

MISSED, FOUND, THIRD = [10.0, 10.0, 60.0, 60.0], [100.0, 20.0, 180.0, 90.0], [20.0, 90.0, 70.0, 118.0]


def missed(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A missed dog of no known breed, beside a cat that was found."""
    said = {
        "verdict": "missed", "label": None, "predicted": None, "probability": None, "species": "dog",
        "box": MISSED, "found_boxes": [FOUND], "found_species": ["cat"],
    }  # fmt: skip
    return flag(number, jpeg(number), **{**said, **changes})


def jpeg(seed: int, size: tuple[int, int] = (200, 120)) -> bytes:
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).resize(size)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def beside(number: int, **changes: Any) -> dict[str, Any]:
    """Another flag of the photo of flag 0."""
    return flag(number, jpeg(0), **{"sample_id": missed()["sample_id"], "flagger": "someone", **changes})


def labels(
    flags: list[dict[str, Any]], reviews: list[dict[str, Any]]
) -> list[tuple[list[float], str]] | None:
    found = labelled_photos(flags, reviews)
    if not found.photos:
        return None
    (photo,) = found.photos
    return [(list(box), kind) for box, kind in zip(photo.boxes, photo.species, strict=True)]


def test_the_other_pets_of_the_photo_have_their_boxes_too() -> None:
    assert labels([missed()], [review(0)]) == [(MISSED, "dog"), (FOUND, "cat")]
    corrected = [12.0, 12.0, 66.0, 66.0]
    assert labels([missed()], [review(0, box=corrected)]) == [(corrected, "dog"), (FOUND, "cat")]
    assert labels([missed(label="siamese")], [review(0)]) == [(MISSED, "cat"), (FOUND, "cat")]
    named = review(0, "new_breed", label="mudi", name="Mudi", species="dog")
    assert labels([missed(species=None)], [named]) == [(MISSED, "dog"), (FOUND, "cat")]


def test_nothing_but_accepted_missed_pets_with_a_box() -> None:
    assert labels([missed()], []) is None
    assert labels([missed()], [review(0, "reject")]) is None
    assert labels([missed()], [review(0), review(0, "undo", later=1)]) is None
    assert labels([missed(box=[])], [review(0)]) is None
    assert labels([missed(consent=False)], [review(0)]) is None
    assert labels([flag(0, box=MISSED)], [review(0)]) is None


def test_a_found_pet_that_is_none_has_no_box() -> None:
    none = beside(1, verdict="not_a_pet", label=None, species=None, box=FOUND)
    assert labels([missed(), none], [review(0), review(1)]) == [(MISSED, "dog")]
    assert labels([missed(), none], [review(0), review(1, "reject")]) == [(MISSED, "dog"), (FOUND, "cat")]


def test_a_photo_waits_while_another_pet_of_it_is_not_decided() -> None:
    """What has no box is learnt as background, so nothing is learnt before it is decided."""
    doubt = beside(1, verdict="not_a_pet", label=None, species=None, box=FOUND)
    third = beside(2, verdict="missed", label=None, box=THIRD, found_boxes=[FOUND], found_species=["cat"])
    again = beside(3, verdict="missed", label=None, box=[11.0, 11.0, 61.0, 61.0])
    for other in (doubt, third):
        found = labelled_photos([missed(), other], [review(0)])
        assert (found.photos, found.left_out) == (
            [], {"with another flag of the photo not decided yet": 1},
        )  # fmt: skip
    assert labels([missed(), again], [review(0)]) == [(MISSED, "dog"), (FOUND, "cat")], "it is the same pet"
    both = labels([missed(), third], [review(0), review(2)])
    assert both == [(MISSED, "dog"), (THIRD, "dog"), (FOUND, "cat")]


def test_other_accepted_flags_say_more_than_what_was_found() -> None:
    relabelled = beside(1, box=FOUND, label="pug", species="dog")
    assert labels([missed(), relabelled], [review(0), review(1)]) == [(MISSED, "dog"), (FOUND, "dog")]


def test_of_two_flags_of_a_missed_pet_the_one_decided_last_counts() -> None:
    again = beside(
        1, verdict="missed", label=None, species="cat", box=MISSED, found_boxes=[], found_species=[]
    )
    flags = [missed(), again]
    assert labels(flags, [review(0), review(1, later=1)]) == [(MISSED, "cat"), (FOUND, "cat")]
    decided = [review(0), review(1, later=1), review(0, "undo", later=2), review(0, later=3)]
    assert labels(flags, decided) == [(MISSED, "dog"), (FOUND, "cat")]
    assert labels(flags[::-1], decided[::-1]) == [(MISSED, "dog"), (FOUND, "cat")]
    others = [beside(2, box=FOUND, label="pug"), beside(3, box=FOUND, label="siamese", species="cat")]
    both = [review(0), review(2, later=2), review(3, later=1)]
    assert labels([missed(), *others], both) == [(MISSED, "dog"), (FOUND, "dog")]
    assert labels([missed(), *others[::-1]], both) == [(MISSED, "dog"), (FOUND, "dog")]


def test_a_photo_of_which_not_every_pet_is_known_is_left_out() -> None:
    for changes, reason in [
        ({"found_boxes": None, "found_species": None}, "without what else was found in the photo"),
        ({"found_species": [""]}, "with a pet of unknown species"),
    ]:
        found = labelled_photos([missed(**changes)], [review(0)])
        assert (found.photos, found.left_out) == ([], {reason: 1})


def test_in_head_retraining_a_missed_pet_with_a_breed_and_a_box_is_a_crop_like_any_other() -> None:
    flags = [
        missed(0, label="pug"),
        missed(1),
        missed(2, label="pug", box=[]),
        missed(3, label="pug", box=[]),
    ]
    corrected = review(3, box=THIRD)
    found = accepted_samples(flags, [review(0), review(1), review(2), corrected])
    assert [(one.label, one.box) for one in found.samples] == [("pug", tuple(MISSED)), ("pug", tuple(THIRD))]
    assert found.left_out == {"about no breed": 1, "a missed pet without a box": 1}


def test_of_a_repo_and_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = [missed(0), missed(1), {**missed(2), "image": {"bytes": b"broken", "path": None}}]
    reviews = [review(number) for number in range(3)]
    folder = tmp_path / "download"
    for config, rows in (("flags", flags), ("reviews", reviews)):
        path = folder / shard_path(config, "20261121T044750Z", "0" * 12)
        path.parent.mkdir(parents=True)
        path.write_bytes(shard(config, rows))
    settings = settings_in(tmp_path / "home")
    push(settings, "flags", flags)
    push(settings, "reviews", reviews)
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SMARTBREED_HUB", "embedded")
    for source in (str(folder), settings.dataset):
        scratch = tmp_path / f"scratch-{len(source)}"
        scratch.mkdir()
        scenes, left_out = accepted_scenes(source, scratch)
        assert [scene.boxes.tolist() for scene in scenes] == [[MISSED, FOUND]] * 2
        assert all(scene.species.tolist() == [1, 0] and scene.origin == "flags" for scene in scenes)
        assert scenes[0].image.shape == (120, 200, 3)
        assert left_out == {"with a photo that cannot be read": 1}
    for source, sentence in (
        ("/no/where", "is a folder of flags or a dataset repo"),
        (str(tmp_path / "home" / "hub"), "no flags"),
    ):
        (tmp_path / "home" / "hub").mkdir(exist_ok=True)
        with pytest.raises(DataError, match=sentence):
            accepted_scenes(source, tmp_path)


def test_they_join_what_is_trained_on_and_nothing_that_judges(tmp_path: Path) -> None:
    """Also not where a photo that judges was flagged: what was learnt by heart judges nothing."""
    from test_detector_data import photographs

    rows = [
        {"image": {"bytes": jpeg(seed), "path": None}, "boxes": [[5.0, 5.0, 90.0, 80.0]] if seed % 2 else [],
         "species": [1] if seed % 2 else [], "kind": "dog" if seed % 2 else "negative", "origin": "human"}
        for seed in range(100, 160)
    ]  # fmt: skip
    base = photographs(tmp_path / "base", rows)
    photos = detector_photos(str(base), "scenes")
    train, held = photos.train, photos.held_back
    twin = Image.fromarray(held[0].image)
    buffer = io.BytesIO()
    twin.save(buffer, "JPEG", quality=90)
    flags = [missed(0), {**missed(1), "image": {"bytes": buffer.getvalue(), "path": None}}]
    folder = tmp_path / "flags"
    for config, some in (("flags", flags), ("reviews", [review(0), review(1)])):
        path = folder / shard_path(config, "20261121T044750Z", "0" * 12)
        path.parent.mkdir(parents=True)
        path.write_bytes(shard(config, some))
    photos = detector_photos(str(base), "scenes", str(folder))
    more, still = photos.train, photos.held_back
    assert [scene.sha256 for scene in still] == [scene.sha256 for scene in held]
    assert [scene.sha256 for scene in more[: len(train)]] == [scene.sha256 for scene in train]
    (added,) = more[len(train) :]
    assert (added.boxes.tolist(), added.species.tolist(), added.origin) == ([MISSED, FOUND], [1, 0], "flags")


def test_a_full_retraining_takes_them_into_its_data(tmp_path: Path) -> None:
    from test_detector_data import photographs

    rows = [{"image": {"bytes": jpeg(seed), "path": None}, "boxes": [[5.0, 5.0, 90.0, 80.0]], "species": [1],
             "kind": "dog", "origin": "human"} for seed in range(3)]  # fmt: skip
    base = photographs(tmp_path / "base", rows)
    scenes, unreadable = scenes_of(labelled_photos([missed(7)], [review(7)]).photos)
    assert unreadable == 0
    data = tmp_path / "data"
    data.mkdir()
    (data / "README.md").symlink_to((base / "README.md").resolve())
    _add_scenes(base / "scenes", data / "scenes", scenes)
    found: list[Scene] = load_scenes(str(data), "train")
    assert len(found) == 4
    (added,) = [scene for scene in found if scene.origin == "flags"]
    assert (added.boxes.tolist(), added.species.tolist()) == ([MISSED, FOUND], [1, 0])


@pytest.mark.slow
@pytest.mark.timeout(900)  # keras traces the detector, which takes minutes on a busy machine
def test_from_a_flag_to_a_step_of_the_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real photographs: flagged, accepted, published to a Hub, read from it, trained on."""
    from test_detector_data import photographs

    from smartbreed.dataset.service import open_publisher
    from smartbreed.feedback.flags import open_feedback
    from smartbreed.imaging.photo import read_photo
    from smartbreed.review import decisions
    from smartbreed.review.service import ReviewService
    from smartbreed.services import Services
    from training.common.run_directory import RunDirectory
    from training.pipeline.runner import run_recipe
    from training.recipe.file import load_recipe

    rows = list(photo_rows("scenes"))
    monkeypatch.setenv("SMARTBREED_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SMARTBREED_HUB", "embedded")
    settings = settings_in(tmp_path / "home")
    services = Services(settings)
    flags = open_feedback(settings)
    review_service = ReviewService(flags, settings)
    boxes = {}
    for number, row in enumerate(rows[:3]):
        photo = read_photo(row["image"]["bytes"])
        box = (2.0, 2.0, photo.width / 2, photo.height / 2)
        receipt = services.flag(
            photo, services.identifier.identify(photo), number=None, verdict="missed", consent=True,
            box=box, species="dog", flagger=f"person {number}",
        )  # fmt: skip
        if number < 2:
            review_service.decide([receipt.flag_id], decisions.accept(), "a" * 64)
            boxes[receipt.sample_id] = [round(side, 2) for side in box]
    assert open_publisher(settings, flags).run(by_hand=True).problem is None
    flags.close()

    # The base: pets and pet-less photographs.
    keep = ("image", "boxes", "species", "kind", "origin")
    with_pets = [{name: row[name] for name in keep} for row in rows[5:35]]
    empty = [{"image": {"bytes": jpeg(seed), "path": None}, "boxes": [], "species": [], "kind": "negative",
              "origin": "human"} for seed in range(40)]  # fmt: skip
    base = photographs(tmp_path / "base", [*with_pets, *empty])
    choices = load_recipe(
        "detector",
        [f"data.source={base}", "data.config=", f"data.accepted={settings.dataset}", "data.others=",
         "model.start=none",
         "model.alpha=0.25", "train.epochs=1", "train.steps=1", "train.batch=2"],
    )  # fmt: skip
    run = RunDirectory(tmp_path / "run", quiet=True)
    run_recipe(choices, run, ("prepare", "train"))
    assert json.loads((run / "report/report.json").read_text())["accepted"] == 2
    assert (run / "detector.weights.h5").is_file()
    photos = detector_photos(str(base), "scenes", settings.dataset)
    train, held = photos.train, photos.held_back
    trained_on = [scene for scene in train if scene.origin == "flags"]
    assert {scene.sha256: scene.boxes[0].tolist() for scene in trained_on} == {
        key: pytest.approx(box, abs=0.01) for key, box in boxes.items()
    }
    assert not any(scene.origin == "flags" for scene in held)
