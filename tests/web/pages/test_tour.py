"""The tour's pictures: whose photos are public, and the answers of then and now."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.flags import flag as save_flag
from support.photos import noise
from support.sound_html import check_sound

from smartbreed import feedback_loop
from smartbreed.core.errors import PhotoError, StorageError
from smartbreed.core.settings import load_settings
from smartbreed.imaging.photo import read_photo
from smartbreed.registry.live import LiveModel
from smartbreed.registry.release_history import Release
from smartbreed.review import decisions
from smartbreed.review.pictures import surroundings
from smartbreed.review.scores import pet_at
from smartbreed.services import Services
from smartbreed.web.pages.tour import cards as tour_cards
from smartbreed.web.pages.tour import history as walking
from smartbreed.web.pages.tour.history import SIDE, Walk, Walker
from smartbreed.web.pages.tour.versions import GateSummary, Known, gate_summary_of, parse_record

MAINTAINER = "a" * 64
EVIL = "<script>alert('{{x}}')</script>"
Flagging = Callable[..., str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    return Services(load_settings(home=tmp_path_factory.mktemp("model"), database_url="", model="")).model


@pytest.fixture
def services(tmp_path: Path, model: LiveModel) -> Iterator[Services]:
    services = Services(load_settings(home=tmp_path / "home", database_url="", salt="", model=""))
    services.__dict__["model"] = model  # loading it takes longer than all that is tested here
    yield services
    services.flags.close()


@pytest.fixture
def flag(services: Services) -> Flagging:
    """Flag photo ``seed`` as a Siamese that was taken for a Birman, with what the test wants different."""

    return lambda seed, who="ann", **changes: save_flag(
        services.flags, seed, who, **{"pixels": picture(seed), "box": (10.0, 10.0, 90.0, 90.0)} | changes
    )


def picture(seed: int) -> np.ndarray:
    return noise(seed, 100, 120, 20)


def accept(services: Services, *flags: str) -> None:
    services.review.decide(list(flags), decisions.accept(""), MAINTAINER)


def test_only_photos_that_were_accepted_and_not_taken_back_are_shown(
    services: Services, flag: Flagging
) -> None:
    shown, rejected, back, known, no_pet = (flag(seed) for seed in (1, 2, 3, 4, 5))
    flag(6)  # not decided
    nothing = flag(7, verdict="not_a_pet", label="")
    unnamed = flag(8, predicted=None, probability=None, verdict="missed")
    undone = flag(9)
    accept(services, shown, back, known, nothing, unnamed, undone)
    services.review.decide([rejected, no_pet], decisions.reject("blurred"), MAINTAINER)
    services.review.undo([undone], MAINTAINER)
    services.review.set_gold(known, MAINTAINER)
    services.flags.withdraw(back, "ann")
    steps = Walker(services).walk().steps
    expected = services.review.item(shown).flag.sample_id
    assert [step.correction.sample_id for step in steps] == [expected]


def test_a_pet_that_several_people_flagged_is_shown_once(services: Services, flag: Flagging) -> None:
    accept(services, flag(1, "ann"), flag(1, "bob"), flag(2, "eve"))
    assert len(Walker(services).walk().steps) == 2


def test_the_answer_then_and_the_answer_now(services: Services, flag: Flagging) -> None:
    identifier = services.identifier
    photo = read_photo(picture(1))
    best = pet_at(identifier, photo, (10.0, 10.0, 90.0, 90.0)).breeds[0]
    wrong = next(breed for breed in identifier.labels if breed != best.id)
    accept(services, flag(1, label=best.id, predicted=wrong, probability=0.31))
    accept(services, flag(2, model_revision=identifier.bundle.version.revision))
    newer, older = Walker(services).walk().steps
    assert (older.then.breed, older.then.probability, older.then.version) == (wrong, 0.31, "")
    assert newer.then.version == identifier.bundle.version.version
    assert older.now is not None
    assert older.now.breed == best.id
    assert older.now.probability == pytest.approx(best.probability, abs=0.1)  # it is kept as a JPEG
    assert older.became_right
    assert not older.learnt_by
    story = tour_cards.story(Walker(services).walk(), maintainers=True)
    assert "became right" in story
    assert "waits for the next version" in story


def test_each_photo_is_asked_once_for_a_version_and_forgotten_when_taken_back(
    services: Services, flag: Flagging, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return pet_at(*arguments)

    monkeypatch.setattr(walking, "pet_at", counted)
    first, second = flag(1), flag(2)
    accept(services, first, second)
    walker = Walker(services)
    walker.walk()
    walker.walk()
    assert len(asked) == 2
    services.flags.withdraw(first, "ann")
    assert len(walker.walk().steps) == 1
    assert len(walker._seen) == 1
    assert len(asked) == 2


def test_a_photo_that_is_gone_costs_its_picture_and_not_the_page(services: Services, flag: Flagging) -> None:
    lost, there = flag(1), flag(2)
    accept(services, lost, there)
    services.flags.blobs.delete(services.review.item(lost).flag.sample_id)
    walk = Walker(services).walk()
    assert [bool(step.picture) for step in walk.steps] == [True, False]
    shown = tour_cards.then_and_now(walk)
    assert "can no longer be read" in shown
    assert "The photo accepted last" in shown
    check_sound(shown)


@pytest.mark.parametrize(
    "passing",
    [PhotoError("busy", "Too many photos."), StorageError("The disk is busy.")],
    ids=["busy", "disk"],
)
def test_a_failure_that_passes_is_not_kept(
    services: Services, flag: Flagging, monkeypatch: pytest.MonkeyPatch, passing: Exception
) -> None:
    tried: list[object] = []

    def failing(*arguments: Any) -> Any:
        tried.append(arguments)
        raise passing

    accept(services, flag(1), flag(2))
    walker = Walker(services)
    with monkeypatch.context() as patch:
        patch.setattr(walking, "stored_photo", failing)
        assert [step.now for step in walker.walk().steps] == [None, None]
    # Each photo waits long for its turn before it is refused as busy, so the second does not try.
    assert len(tried) == (1 if isinstance(passing, PhotoError) else 2)
    steps = walker.walk().steps
    assert all(step.now and step.picture for step in steps)


def test_a_damaged_photo_is_read_once(
    services: Services, flag: Flagging, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def failing(*arguments: Any) -> Any:
        tried.append(arguments)
        raise PhotoError("damaged", "This picture is damaged.")

    monkeypatch.setattr(walking, "stored_photo", failing)
    accept(services, flag(1), flag(2))
    walker = Walker(services)
    for _ in range(2):
        assert [step.now for step in walker.walk().steps] == [None, None]
    assert len(tried) == 2


def test_which_version_learnt_from_a_photo() -> None:
    text = json.dumps({"samples": {"k1": "pug"}, "held_out": {"k2": "pug"}}).encode()
    known = Known({}, (("1.2.0", {}, {}), ("1.3.0", *parse_record(text)), ("1.4.0", {"k1": "pug"}, {})))
    assert known.learnt("k1", "pug") == ("1.3.0", False)
    assert known.learnt("k2", "pug") == ("1.3.0", True)
    assert known.learnt("k1", "beagle") == ("", False)
    for useless in (None, b"", b"[]", b'{"samples": 3}', b"\xff"):
        assert parse_record(useless) == ({}, {})


def test_the_verdict_is_of_the_run_that_was_published(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_loop, "releases", lambda _: [Release("1.3.0", "r"), Release("1.2.0", "q")])
    for name, published, sentence in (("1", True, "It is better."), ("2", False, "It is worse.")):
        folder = services.settings.home_dir / "retraining" / name
        folder.mkdir(parents=True)
        values = {"version": "1.3.0", "published": published, "checks": [{"sentence": sentence}, 7]}
        (folder / "report.json").write_text(json.dumps(values))
    found = gate_summary_of(services, "1.3.0")
    assert found is not None
    assert found.sentences == ("It is better.",)
    without = gate_summary_of(services, "1.2.0")
    assert without is not None
    assert without.sentences == ()
    assert gate_summary_of(services, "9.9.9") is None


@pytest.mark.parametrize("text", [EVIL, "Pug", ""])
@pytest.mark.parametrize("learnt", ["", "1.3.0"])
def test_the_page_is_sound_whatever_comes_in(text: str, learnt: str) -> None:
    now = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    correction = walking.Correction(
        "k", "s", None, text, "pug", text, True, now, now, now, text, text, 0.2, text
    )
    then = walking.Answer(text, text, 0.2, text, False)
    answer = walking.Answer(text, text, None, text, True)
    release = Release("1.3.0", "r", now, flagged=0.9, flagged_before=0.1, learnt=(text,) * 5)
    for said in (answer, None):
        step = walking.Step(correction, b"", then, said, learnt, unseen=True)
        shown = Walk((step,), step, GateSummary(release, (text,), 3) if learnt else None, "1.3.0")
        check_sound(tour_cards.story(shown, maintainers=True))
        check_sound(tour_cards.then_and_now(shown))
    check_sound(tour_cards.story(Walk(problem=text), maintainers=False))


def test_before_the_first_iteration_each_step_names_its_page(services: Services) -> None:
    walk = Walker(services).walk()
    assert tour_cards.then_and_now(walk) == ""
    shown = tour_cards.story(walk, maintainers=True)
    check_sound(shown)
    assert [address in shown for address in ('href="/"', 'href="/review"', 'href="/train"')] == [True] * 3
    assert "/review" not in tour_cards.MACROS.guide(maintainers=False)
    assert "/train" not in tour_cards.MACROS.guide(maintainers=False)


@pytest.mark.parametrize(
    "box", [(0, 0, 40, 30), (500, 10, 600, 390), (1, 1, 2, 2), (0, 0, 600, 400), (5, 100, 595, 130), None]
)
def test_pictures_show_all_of_the_pet(box: tuple[float, float, float, float] | None) -> None:
    photo = read_photo(Image.new("RGB", (600, 400), "white"))
    shown = surroundings(photo, box, SIDE)
    assert max(shown.size) == SIDE
    framing = np.asarray(shown)[..., 2] < 100  # the frame's colour, on white
    if box in (None, (0, 0, 600, 400)):
        assert not framing.any()
    elif box != (1, 1, 2, 2):
        rows, columns = np.flatnonzero(framing.any(1)), np.flatnonzero(framing.any(0))
        proportion = (columns[-1] - columns[0]) / (rows[-1] - rows[0])
        assert proportion == pytest.approx((box[2] - box[0]) / (box[3] - box[1]), rel=0.15)
