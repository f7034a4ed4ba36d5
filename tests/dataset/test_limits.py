"""Publishing has an end: caps, quota, review first, and taking back; by the real publisher and client."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.flags import flag_request
from support.publishing import PublishingWorld

from smartbreed.core.errors import FlagError
from smartbreed.core.settings import Settings, load_settings
from smartbreed.dataset.service import open_publisher
from smartbreed.feedback.flags import FlagService, open_feedback
from smartbreed.feedback.limits import Limits
from smartbreed.review import decisions
from smartbreed.review.service import ReviewService


def limited(service: FlagService, **limits: int | bool) -> FlagService:
    return FlagService(service.sessions, service.blobs, service._salt, Limits(**limits))  # type: ignore[arg-type]


def stored(world: PublishingWorld) -> int:
    return sum(1 for path in world.flags.blobs.root.rglob("*") if path.is_file())


def publish(world: PublishingWorld, **changes: object) -> int:
    """By the publisher of these settings, into the world's Hub; rows now in the dataset."""
    settings = world.settings.model_copy(update=changes)
    publisher = open_publisher(settings, world.flags)
    before = world.flags.count("published")
    report = publisher.run(by_hand=True)
    assert report.problem is None
    return len(world.rows()) if report.published or report.removed or before else 0


def test_one_client_cannot_fill_the_dataset(world: PublishingWorld) -> None:
    flags = limited(world.flags, client=5, total=8)
    for number in range(5):  # each photo as another person, as through the API
        flags.save(flag_request(number, flagger_token=f"photo {number}"), "203.0.113.7")
    before = stored(world)
    with pytest.raises(FlagError) as refused:
        flags.save(flag_request(6, flagger_token="photo 6"), "203.0.113.7")
    assert (refused.value.code, refused.value.status) == ("too_many_flags", 429)
    assert not flags.save(flag_request(0, flagger_token="photo 0"), "203.0.113.7").created, (
        "said again is no new flag"
    )
    for number in range(7, 10):
        flags.save(flag_request(number, flagger_token=f"photo {number}"), f"198.51.100.{number}")
    with pytest.raises(FlagError, match="tomorrow"):
        flags.save(flag_request(11, flagger_token="photo 11"), "192.0.2.1")
    assert (stored(world), world.flags.count()) == (before + 3, 8), "nothing of a refused one is kept"


def test_one_person_counts_in_every_process(world: PublishingWorld) -> None:
    for number in range(3):
        limited(world.flags, client=3).save(flag_request(number, flagger_token="ann"))
    with pytest.raises(FlagError, match="At most 3"):
        limited(world.flags, client=3).save(flag_request(4, flagger_token="ann"))


def test_a_full_quota_is_a_clear_507_and_nothing_is_kept(world: PublishingWorld) -> None:
    size = len(world.flags.blobs.get(world.flag()[0].sample_id))
    flags = limited(world.flags, quota=int(size * 2.5))
    flags.save(flag_request(50))
    before = stored(world)
    with pytest.raises(FlagError) as refused:
        flags.save(flag_request(51))
    assert (refused.value.code, refused.value.status) == ("quota_full", 507)
    assert (stored(world), world.flags.count()) == (before, 2)
    flags.save(flag_request(50, flagger_token="ben"))  # the photo is here already


def test_the_switch_stops_flags_and_lets_people_take_them_back(world: PublishingWorld) -> None:
    receipt = world.flags.save(flag_request(1))
    closed = limited(world.flags, take=False)
    with pytest.raises(FlagError) as refused:
        closed.save(flag_request(2))
    assert refused.value.code == "flags_closed"
    closed.withdraw_with(receipt.flag_id, receipt.receipt)
    assert closed.count("withdrawn") == 1


def test_only_accepted_flags_are_published_where_it_says_so(world: PublishingWorld) -> None:
    receipts = world.flag(3)
    assert publish(world, publish="off") == 0
    assert publish(world, publish="reviewed") == 0
    review = ReviewService(world.flags, world.settings)
    review.decide([receipts[0].flag_id], decisions.accept(""), "0" * 64)
    review.decide([receipts[1].flag_id], decisions.reject("blurred"), "0" * 64)
    assert publish(world, publish="reviewed") == 1
    assert world.ids() == [receipts[0].flag_id]
    assert publish(world, publish="all") == 3


def test_what_is_beyond_one_persons_day_waits_for_review(world: PublishingWorld) -> None:
    receipts = world.flag(4, "flood")
    others = world.flag(2, "ann")
    assert publish(world, publish="all", daily_flags=2) == 4
    assert {one.flag_id for one in others} <= set(world.ids())
    review = ReviewService(world.flags, world.settings)
    review.decide([receipts[3].flag_id], decisions.accept(""), "0" * 64)
    assert publish(world, publish="all", daily_flags=2) == 5


def test_a_receipt_takes_back_what_is_published(world: PublishingWorld) -> None:
    receipt, other = world.flag(2)
    assert publish(world) == 2
    for wrong in ("", "0" * 32, other.receipt, "é\ud800"):
        with pytest.raises(FlagError) as refused:
            world.flags.withdraw_with(receipt.flag_id, wrong)
        assert refused.value.status == 404
    world.flags.withdraw_with(receipt.flag_id, receipt.receipt)
    assert not world.flags.blobs.exists(receipt.sample_id)
    assert publish(world) == 1
    assert world.ids() == [other.flag_id]


@pytest.fixture
def spaceless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.delenv("SMARTBREED_PUBLISH", raising=False)


@pytest.mark.usefixtures("spaceless")
def test_a_space_publishes_reviewed_flags_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(home=tmp_path).publishing == "all"
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert load_settings(home=tmp_path).publishing == "reviewed"
    assert load_settings(home=tmp_path, publish="all").publishing == "all"


def test_the_settings_reach_the_flags(settings: Settings) -> None:
    service = open_feedback(settings.model_copy(update={"client_flags": 1}))
    service.save(flag_request(1), "203.0.113.7")
    with pytest.raises(FlagError, match="At most 1 flags"):
        service.save(flag_request(2, flagger_token="other"), "203.0.113.7")
    service.close()
