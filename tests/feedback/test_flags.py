"""Flags through the service: what is kept, what comes back, what goes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session
from support.flags import flag_request
from support.nursery import Nursery

from smartbreed.core.database import write
from smartbreed.core.errors import FlagError, RequestError
from smartbreed.core.settings import Settings
from smartbreed.feedback.blobs import BlobStore, collect_orphans
from smartbreed.feedback.flags import FlagRequest, FlagService, open_feedback
from smartbreed.feedback.tables import Flag, new_id
from smartbreed.imaging.photo import read_photo


def only(service: FlagService) -> Flag:
    (flag,) = service.recent()
    return flag


def photos(service: FlagService) -> set[str]:
    return set(service.blobs.older_than(-60))


def test_a_flag_is_kept_whole(service: FlagService) -> None:
    before = dt.datetime.now(dt.UTC)
    receipt = service.save(flag_request(note="taken at dusk"))
    flag = only(service)
    assert receipt.created
    assert (flag.id, flag.sample_id) == (receipt.flag_id, receipt.sample_id)
    assert (flag.photo_width, flag.photo_height) == (64, 48)
    assert (flag.box, flag.pet_index) == ((1.0, 2.0, 30.0, 31.0), 1)
    assert (flag.predicted, flag.probability) == ("birman", 0.7)
    assert (flag.verdict, flag.label, flag.label_text, flag.species) == ("wrong", "siamese", None, "cat")
    assert (flag.model_revision, flag.note, flag.consent) == ("0123abc", "taken at dusk", True)
    assert before <= flag.flagged_at <= dt.datetime.now(dt.UTC)
    assert (flag.state, flag.published_at) == ("pending", None)


def test_the_photo_is_kept_without_anything_else(service: FlagService) -> None:
    request = flag_request()
    receipt = service.save(request)
    kept = read_photo(service.blobs.get(receipt.sample_id)).pixels
    assert kept.shape == request.pixels.shape
    assert np.abs(kept.astype(int) - request.pixels.astype(int)).mean() < 16
    assert photos(service) == {receipt.sample_id}


def test_the_same_said_twice_is_one_row(service: FlagService) -> None:
    first = service.save(flag_request())
    again = service.save(
        flag_request(box=(1.001, 2.0, 29.999, 31.0), label="Siamese cat", model_revision="other")
    )
    assert (again.flag_id, again.created) == (first.flag_id, False)
    assert service.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"flagger_token": "session-2"},
        {"box": (2.0, 2.0, 30.0, 31.0)},
        {"box": None},
        {"label": "bengal"},
        {"verdict": "unsure"},
        {"label": None, "label_text": "a moon cat"},
        {"seed": 7},
    ],
)
def test_something_else_is_another_row(service: FlagService, change: dict[str, Any]) -> None:
    first = service.save(flag_request())
    second = service.save(flag_request(**change))
    assert second.created
    assert second.flag_id != first.flag_id
    assert service.count() == 2
    assert len(photos(service)) == (2 if "seed" in change else 1)


def test_recent_and_count(service: FlagService) -> None:
    receipts = [service.save(flag_request(seed)) for seed in range(4)]
    assert [flag.id for flag in service.recent()] == [receipt.flag_id for receipt in reversed(receipts)]
    assert len(service.recent(2)) == 2
    assert len(service.recent(-5)) == 1
    service.withdraw(receipts[0].flag_id, "ann")
    assert [service.count(s) for s in (None, "pending", "withdrawn", "published")] == [4, 3, 1, 0]
    with pytest.raises(RequestError, match="Received: 'lost'"):
        service.count("lost")


def test_only_the_flagger_can_withdraw(service: FlagService) -> None:
    receipt = service.save(flag_request())
    for flag_id, token in (
        (receipt.flag_id, "session-2"),
        (new_id(), "ann"),
        ("", ""),
        ("\ud800", "\ud800"),
    ):
        with pytest.raises(FlagError) as caught:
            service.withdraw(flag_id, token)
        assert (caught.value.code, caught.value.status) == ("unknown_flag", 404)
    for _ in range(2):
        service.withdraw(receipt.flag_id, "ann")
    assert only(service).state == "withdrawn"


def test_saying_it_again_after_withdrawing_counts(service: FlagService) -> None:
    receipt = service.save(flag_request())
    service.withdraw(receipt.flag_id, "ann")
    again = service.save(flag_request())
    assert (again.flag_id, again.created) == (receipt.flag_id, True)
    assert only(service).state == "pending"


def missed(species: str | None, **changes: Any) -> FlagRequest:
    """A missed pet of no named breed."""
    said = {"verdict": "missed", "label": None, "predicted": None, "probability": None, "species": species}
    return flag_request(**(said | changes))


@pytest.mark.parametrize("box", [None, (1.0, 2.0, 30.0, 31.0)])
def test_a_missed_cat_and_a_missed_dog_are_two(service: FlagService, box: Any) -> None:
    receipts = [service.save(missed(species, box=box)) for species in ("cat", "dog", None)]
    assert [receipt.created for receipt in receipts] == [True] * 3
    assert [flag.species for flag in service.recent()] == [None, "dog", "cat"]
    service.withdraw(receipts[1].flag_id, "ann")
    again = service.save(missed("dog", box=box))
    assert (again.flag_id, again.created) == (receipts[1].flag_id, True)
    assert not service.save(missed("cat", box=box)).created
    named = service.save(missed("cat", box=box, label="pug"))
    assert (named.created, service.save(missed("dog", box=box, label="pug")).created) == (True, False)


@pytest.mark.parametrize("first", ["cat", "dog", None])
def test_a_missed_pet_saved_by_an_earlier_version_is_one_row(service: FlagService, first: Any) -> None:
    saved = service.save(missed(first))
    flag = only(service)
    said = [flag.flagger, flag.sample_id, flag.box, "missed", None, None]
    with write(service.sessions) as session:
        key = hashlib.sha256(json.dumps(said).encode()).hexdigest()
        session.merge(flag).dedupe_key = key
    for species in ("cat", "dog", None):
        again = service.save(missed(species))
        assert (again.created, again.flag_id == saved.flag_id) == (species != first, species == first)
    service.withdraw(saved.flag_id, "ann")
    again = service.save(missed(first))
    assert (again.created, again.flag_id, service.count()) == (True, saved.flag_id, 3)


def test_a_flag_that_is_saved_again_says_what_was_said_last(service: FlagService) -> None:
    pet = (1.0, 1.0, 20.0, 20.0)
    first = service.save(missed("cat", label="birman", note="a cat", found=[(pet, "dog")], pet_index=1))
    service.withdraw(first.flag_id, "ann")
    last = missed(
        "cat", label="birman", predicted="siamese", probability=0.25, model_revision="new",
        found=[(pet, "cat")], note="at dusk", pet_index=2,
    )  # fmt: skip
    assert service.save(last).flag_id == first.flag_id
    flag = only(service)
    assert (flag.predicted, flag.probability, flag.model_revision) == ("siamese", 0.25, "new")
    assert (flag.note, flag.found_pets, flag.pet_index) == ("at dusk", [(pet, "cat")], 2)
    assert (flag.state, flag.species, flag.label) == ("pending", "cat", "birman")


def test_a_note_goes_with_a_flag_that_is_taken_back(service: FlagService) -> None:
    receipt = service.save(flag_request(note="at my home"))
    service.withdraw(receipt.flag_id, "ann")
    assert only(service).note is None
    service.save(flag_request(note="at my home"))
    assert only(service).note == "at my home"


def test_people_who_named_a_breed_are_counted_however_they_wrote_it(service: FlagService) -> None:
    words = ["Älvhund Röd", "ÄLVHUND RÖD", "a\u0308lvhund   röd", "Straße", "Something else"]
    for number, text in enumerate(words):
        service.save(flag_request(label=None, label_text=text, flagger_token=f"person {number}"))
    assert service.people_who_named("älvhund röd") == 3
    assert service.people_who_named(" A\u0308lvhund\u200b RÖD", "STRASSE") == 4
    assert service.people_who_named("", "x" * 2000) == 0
    service.save(flag_request(label=None, label_text="älvhund röd", flagger_token="person 0"))
    assert service.people_who_named("älvhund röd") == 3, "people, not flags"
    service.withdraw(service.recent(1)[0].id, "person 0")
    service.withdraw(service.recent()[-2].id, "person 1")
    assert service.people_who_named("älvhund röd") == 2


def test_erasing_takes_the_photo_with_its_last_flag(service: FlagService) -> None:
    first, second = service.save(flag_request()), service.save(flag_request(flagger_token="session-2"))
    service.erase(first.flag_id)
    assert photos(service) == {first.sample_id}
    service.erase(second.flag_id)
    assert photos(service) == set()
    assert service.count() == 0
    with pytest.raises(FlagError, match="no such flag"):
        service.erase(first.flag_id)


def test_a_photo_erased_while_it_is_flagged_again_is_written_again(
    service: FlagService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service.save(flag_request())
    put = BlobStore.put

    def put_and_lose(blobs: BlobStore, data: bytes) -> str:
        monkeypatch.undo()
        name = put(blobs, data)
        service.erase(first.flag_id)
        return name

    monkeypatch.setattr(BlobStore, "put", put_and_lose)
    receipt = service.save(flag_request(label="bengal"))
    service.blobs.get(receipt.sample_id)


def test_the_photo_is_on_the_disk_before_the_row(
    service: FlagService, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    put, commit = BlobStore.put, Session.commit

    def spy_put(blobs: BlobStore, data: bytes) -> str:
        name = put(blobs, data)
        events.append("photo")
        return name

    def spy_commit(session: Session) -> None:
        commit(session)
        events.append("row")

    monkeypatch.setattr(BlobStore, "put", spy_put)
    monkeypatch.setattr(Session, "commit", spy_commit)
    service.save(flag_request())
    assert events == ["photo", "row"]


def test_orphans_go_and_the_others_stay(service: FlagService) -> None:
    kept = service.save(flag_request())
    orphan, fresh = service.blobs.put(b"orphan"), service.blobs.put(b"its row comes in a moment")
    for name in (kept.sample_id, orphan):
        os.utime(service.blobs.path(name), (time.time() - 3700,) * 2)
    assert collect_orphans(service.blobs, service.sessions) == 1
    assert photos(service) == {kept.sample_id, fresh}
    assert collect_orphans(service.blobs, service.sessions, older_than_s=-1) == 1
    assert photos(service) == {kept.sample_id}


def test_threads_saving_and_collecting_at_once(service: FlagService) -> None:
    def work(worker: int) -> list[tuple[str, bool]]:
        receipts = [service.save(flag_request(seed % 6)) for seed in range(worker, worker + 8)]
        collect_orphans(service.blobs, service.sessions, older_than_s=-1)
        return [(receipt.flag_id, receipt.created) for receipt in receipts]

    with ThreadPoolExecutor(4) as pool:
        answers = [answer for part in pool.map(work, range(4)) for answer in part]
    assert len({flag_id for flag_id, _ in answers}) == service.count() == 6
    assert sum(created for _, created in answers) == 6
    for flag in service.recent():
        service.blobs.get(flag.sample_id)


def test_processes_saving_the_same_and_different_flags(
    nursery: Nursery, settings: Settings, tmp_path: Path
) -> None:
    shared = [{"first": 0, "count": 6, "flagger": "ann"}] * 3
    own = [{"first": 3, "count": 6, "flagger": "bob"}]
    outs = [tmp_path / f"out{n}" for n in range(4)]
    children = [
        nursery.start("save", settings.home_dir, out=out, **order)
        for out, order in zip(outs, shared + own, strict=True)
    ]
    assert [nursery.wait(pid) for pid in children] == [0] * 4
    receipts = [json.loads(line) for out in outs for line in out.read_text().splitlines()]
    service = open_feedback(settings)
    assert len(receipts) == 24
    assert service.count() == 12
    assert sum(created for *_, created in receipts) == 12
    assert {flag_id for _, flag_id, _, _ in receipts} == {flag.id for flag in service.recent()}
    assert len(photos(service)) == 9
    service.close()
