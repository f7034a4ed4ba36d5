"""Flags through the service: what is accepted, what is kept, what comes back."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session

from smartbreed.config import Settings
from smartbreed.errors import FlagError, RequestError, StorageError
from smartbreed.feedback.blobs import BlobStore
from smartbreed.feedback.flags import FlagRequest, FlagService, open_feedback
from smartbreed.feedback.outbox import collect_orphans
from smartbreed.feedback.request import check, clip_box
from smartbreed.feedback.salt import load_salt
from smartbreed.feedback.tables import VERDICTS, Flag, new_id
from smartbreed.images import read_photo

Make = Callable[..., FlagRequest]
fuzz = hypothesis_settings(
    max_examples=60,
    deadline=None,
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


def test_a_flag_is_kept_whole(service: FlagService, make: Make) -> None:
    before = dt.datetime.now(dt.UTC)
    receipt = service.save(make(note="taken at dusk"))
    flag = only(service)
    assert receipt.created
    assert (flag.id, flag.sample_id) == (receipt.flag_id, receipt.sample_id)
    assert (flag.photo_width, flag.photo_height) == (48, 32)
    assert (flag.box, flag.pet_index) == ((1.0, 2.0, 30.0, 31.0), 0)
    assert (flag.predicted, flag.probability) == ("birman", 0.7)
    assert (flag.verdict, flag.label, flag.label_text, flag.species) == ("wrong", "siamese", None, "cat")
    assert (flag.model_revision, flag.note, flag.consent) == ("0123abc", "taken at dusk", True)
    assert before <= flag.flagged_at <= dt.datetime.now(dt.UTC)
    assert (flag.state, flag.published_at) == ("pending", None)


def test_the_photo_is_kept_without_anything_else(service: FlagService, make: Make) -> None:
    request = make()
    receipt = service.save(request)
    kept = read_photo(service.blobs.get(receipt.sample_id)).pixels
    assert kept.shape == request.pixels.shape
    assert np.abs(kept.astype(int) - request.pixels.astype(int)).mean() < 16
    assert photos(service) == {receipt.sample_id}


def test_the_flagger_is_nowhere_to_be_read(service: FlagService, settings: Settings, make: Make) -> None:
    service.save(make(flagger_token="ann@example.org"))
    assert re.fullmatch("[0-9a-f]{64}", only(service).flagger)
    service.close()
    for path in settings.home_dir.rglob("*"):
        assert not path.is_file() or b"ann@example" not in path.read_bytes()


def test_the_same_said_twice_is_one_row(service: FlagService, make: Make) -> None:
    first = service.save(make())
    again = service.save(make(box=(1.001, 2.0, 29.999, 31.0), label="Siamese cat", model_revision="other"))
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
def test_something_else_is_another_row(service: FlagService, make: Make, change: dict[str, Any]) -> None:
    first = service.save(make())
    second = service.save(make(**change))
    assert second.created
    assert second.flag_id != first.flag_id
    assert service.count() == 2
    assert len(photos(service)) == (2 if "seed" in change else 1)


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
        ({"box": (48, 0, 90, 20)}, "bad_box"),
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
        ({"pet_index": -1}, "bad_pet_index"),
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
def test_what_is_refused_leaves_no_trace(
    service: FlagService, make: Make, change: dict[str, Any], code: str
) -> None:
    assert refusal(service, make(**change)) == code


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
    service: FlagService, make: Make, change: dict[str, Any], kept: tuple[str | None, ...]
) -> None:
    service.save(make(**change))
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
    service: FlagService, make: Make, token: str, index: int | None, **said: Any
) -> None:
    request = make(flagger_token=token, pet_index=index, **said)
    try:
        checked = check(request)
    except FlagError:
        return
    receipt = service.save(request)
    flag = next(flag for flag in service.recent(1000) if flag.id == receipt.flag_id)
    assert (flag.verdict, flag.label, flag.label_text) == (checked.verdict, checked.label, checked.label_text)
    assert all(text is None or text.isprintable() for text in (flag.label, flag.label_text))


def test_recent_and_count(service: FlagService, make: Make) -> None:
    receipts = [service.save(make(seed)) for seed in range(4)]
    assert [flag.id for flag in service.recent()] == [receipt.flag_id for receipt in reversed(receipts)]
    assert len(service.recent(2)) == 2
    assert len(service.recent(-5)) == 1
    service.withdraw(receipts[0].flag_id, "session-1")
    assert [service.count(s) for s in (None, "pending", "withdrawn", "published")] == [4, 3, 1, 0]
    with pytest.raises(RequestError, match="Received: 'lost'"):
        service.count("lost")


def test_only_the_flagger_can_withdraw(service: FlagService, make: Make) -> None:
    receipt = service.save(make())
    for flag_id, token in ((receipt.flag_id, "session-2"), (new_id(), "session-1"), ("", "")):
        with pytest.raises(FlagError) as caught:
            service.withdraw(flag_id, token)
        assert (caught.value.code, caught.value.status) == ("unknown_flag", 404)
    for _ in range(2):
        service.withdraw(receipt.flag_id, "session-1")
    assert only(service).state == "withdrawn"


def test_saying_it_again_after_withdrawing_counts(service: FlagService, make: Make) -> None:
    receipt = service.save(make())
    service.withdraw(receipt.flag_id, "session-1")
    again = service.save(make())
    assert (again.flag_id, again.created) == (receipt.flag_id, True)
    assert only(service).state == "pending"


def test_erasing_takes_the_photo_with_its_last_flag(service: FlagService, make: Make) -> None:
    first, second = service.save(make()), service.save(make(flagger_token="session-2"))
    service.erase(first.flag_id)
    assert photos(service) == {first.sample_id}
    service.erase(second.flag_id)
    assert photos(service) == set()
    assert service.count() == 0
    with pytest.raises(FlagError, match="no such flag"):
        service.erase(first.flag_id)


def test_a_photo_erased_while_it_is_flagged_again_is_written_again(
    service: FlagService, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = service.save(make())
    put = BlobStore.put

    def put_and_lose(blobs: BlobStore, data: bytes) -> str:
        monkeypatch.undo()
        name = put(blobs, data)
        service.erase(first.flag_id)
        return name

    monkeypatch.setattr(BlobStore, "put", put_and_lose)
    receipt = service.save(make(label="bengal"))
    service.blobs.get(receipt.sample_id)


def test_the_photo_is_on_the_disk_before_the_row(
    service: FlagService, make: Make, monkeypatch: pytest.MonkeyPatch
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
    service.save(make())
    assert events == ["photo", "row"]


def test_orphans_go_and_the_others_stay(service: FlagService, make: Make) -> None:
    kept = service.save(make())
    orphan, fresh = service.blobs.put(b"orphan"), service.blobs.put(b"its row comes in a moment")
    for name in (kept.sample_id, orphan):
        os.utime(service.blobs.path(name), (time.time() - 3700,) * 2)
    assert collect_orphans(service.blobs, service.sessions) == 1
    assert photos(service) == {kept.sample_id, fresh}
    assert collect_orphans(service.blobs, service.sessions, older_than_s=-1) == 1
    assert photos(service) == {kept.sample_id}


def test_threads_saving_and_collecting_at_once(service: FlagService, make: Make) -> None:
    def work(worker: int) -> list[tuple[str, bool]]:
        receipts = [service.save(make(seed % 6)) for seed in range(worker, worker + 8)]
        collect_orphans(service.blobs, service.sessions, older_than_s=-1)
        return [(receipt.flag_id, receipt.created) for receipt in receipts]

    with ThreadPoolExecutor(4) as pool:
        answers = [answer for part in pool.map(work, range(4)) for answer in part]
    assert len({flag_id for flag_id, _ in answers}) == service.count() == 6
    assert sum(created for _, created in answers) == 6
    for flag in service.recent():
        service.blobs.get(flag.sample_id)


def test_processes_saving_the_same_and_different_flags(
    nursery: Any, settings: Settings, tmp_path: Path
) -> None:
    shared = [{"first": 0, "count": 6, "flagger": "ann"}] * 3
    own = [{"first": 3, "count": 6, "flagger": "bob"}]
    outs = [tmp_path / f"out{n}" for n in range(4)]
    children = [
        nursery.start("save", settings.home_dir, out, **order)
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


def test_the_salt_is_made_once_and_private(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    salt = load_salt(settings)
    path = settings.home_dir / "salt"
    assert len(salt) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_salt(settings) == salt
    assert load_salt(settings.model_copy(update={"salt": "pepper"})) == b"pepper"
    assert os.listdir(settings.home_dir) == ["salt"]
    path.write_bytes(b"short")
    with pytest.raises(StorageError, match="damaged"):
        load_salt(settings)
    path.unlink()
    real_link = os.link

    def beaten(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"x" * 32)  # another process was faster
        real_link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert load_salt(settings) == b"x" * 32


def test_another_salt_makes_another_hash(settings: Settings, make: Make) -> None:
    for salt in ("one", "two"):
        opened = open_feedback(settings.model_copy(update={"salt": salt}))
        opened.save(make())
        opened.close()
    assert len({flag.flagger for flag in opened.recent()}) == 2


def test_a_full_disk_in_the_database_leaves_no_row(
    service: FlagService, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(DefaultDialect, "do_commit", refuse)
        with pytest.raises(StorageError, match="disk is full"):
            service.save(make())
    assert service.count() == 0
    assert service.save(make()).created


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real filesystem of 1 MiB, where root may mount one."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).returncode:
        pytest.skip("no filesystem can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_really_full(tiny_disk: Path, settings: Settings, make: Make) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    service = open_feedback(settings.model_copy(update={"home": tiny_disk / "home"}))
    receipts, refusals = [], []
    for seed in range(120):
        try:
            receipts.append(service.save(make(seed, pixels=make(seed).pixels.repeat(1 + seed % 20, axis=0))))
        except StorageError as error:  # now in the photo, now in the database
            refusals.append(error.message)
    assert len(receipts) > 5
    assert len(refusals) > 5
    assert all(re.search("disk|space", message) for message in refusals)
    assert not list(service.blobs.root.rglob("*.tmp"))
    ballast.unlink()
    receipts.append(service.save(make(1000)))
    assert {flag.id for flag in service.recent(1000)} == {receipt.flag_id for receipt in receipts}
    for receipt in receipts:
        service.blobs.get(receipt.sample_id)
    service.close()
