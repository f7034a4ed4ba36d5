"""What is a member's: flags saved while signed in, a download, and a deletion that leaves nothing."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from functools import partial
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from support.members import EMAIL, PASSWORD, MembersWorld

from smartbreed.accounts import member_data
from smartbreed.accounts.member_data import delete, export, go_on, go_on_with_all, own_flag, own_flags
from smartbreed.accounts.tables import DeletionReceipt, Member, MemberFlag, MemberSession
from smartbreed.core.database import read
from smartbreed.core.errors import AccountError, StorageError
from smartbreed.dataset.service import open_publisher
from smartbreed.feedback.flags import FlagRequest
from smartbreed.feedback.tables import Flag
from smartbreed.review.decisions import accept
from smartbreed.review.service import ReviewService
from smartbreed.review.tables import Trust

NOW = dt.datetime.now(dt.UTC)


def member_id(world: MembersWorld, email: str = EMAIL) -> str:
    world.joined(email, name="Rosa" if email == EMAIL else "Otto")
    return world.roster.find(email).id


def flag(world: MembersWorld, owner: str = "", number: int = 0, **changes: Any) -> str:
    pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    wanted = {"pixels": pixels, "verdict": "wrong", "label": "pug", "model_revision": "1", "consent": True,
              "flagger_token": f"browser {number}", "box": (5, 5, 40, 30), **changes}  # fmt: skip
    own = partial(world.members.own_flag, member_id=owner) if owner else None
    return world.flags.save(FlagRequest(**wanted), also=own).flag_id


def test_flags_belong_to_who_is_signed_in(world: MembersWorld) -> None:
    mine, theirs = member_id(world), member_id(world, "other@example.org")
    first, second = flag(world, mine, 1), flag(world, mine, 2)
    flag(world, "", 3)
    other = flag(world, theirs, 4)
    assert {own.flag.id for own in own_flags(world.flags.sessions, mine)} == {first, second}
    assert own_flag(world.flags, mine, first).id == first
    for foreign in (other, "", "x", "é" * 40, first + "x"):
        with pytest.raises(AccountError, match="no such photo"):
            own_flag(world.flags, mine, foreign)
    assert flag(world, theirs, 1) == first, "said again in the same browser by another member"
    assert own_flag(world.flags, mine, first).id == first


def test_a_flag_of_an_account_that_has_gone_is_a_visitors(world: MembersWorld) -> None:
    saved = flag(world, "01ABCDEFGHJKMNPQRSTVWXYZ00", 1)
    with read(world.flags.sessions) as session:
        assert session.get(Flag, saved) is not None
        assert session.get(MemberFlag, saved) is None


def test_a_deletion_takes_the_record_of_right_and_wrong_answers(world: MembersWorld) -> None:
    mine = member_id(world)
    review = ReviewService(world.flags, world.settings)
    own = [flag(world, mine, number, flagger_token=f"member {mine}") for number in (1, 2)]
    shared = flag(world, mine, 3, flagger_token="browser")
    left = flag(world, "", 4, flagger_token="browser")  # saved before they had an account
    review.decide([*own, shared, left], accept(), "a" * 64)

    def hashes() -> set[str]:
        with read(world.flags.sessions) as session:
            return set(session.scalars(sa.select(Trust.flagger)))

    assert len(hashes()) == 2
    world.flags.erase(own[0])
    assert len(hashes()) == 2, "there is another flag of theirs"
    delete(world.flags, world.kept, world.taught, mine, NOW)
    with read(world.flags.sessions) as session:
        assert hashes() == {session.scalar(sa.select(Flag.flagger))}, "the browser still has a flag here"
    world.flags.erase(left)
    assert hashes() == set()


def test_an_erased_flag_has_no_owner(world: MembersWorld) -> None:
    mine = member_id(world)
    saved = flag(world, mine, 1)
    world.flags.erase(saved)
    assert own_flags(world.flags.sessions, mine) == []
    with read(world.flags.sessions) as session:
        assert session.get(MemberFlag, saved) is None


def test_the_download_has_everything_and_no_secret(world: MembersWorld) -> None:
    mine = member_id(world)
    kept, taken_back = flag(world, mine, 1, note="<script>alert(1)</script>"), flag(world, mine, 2)
    world.flags.withdraw(taken_back, "browser 2")
    flag(world, member_id(world, "other@example.org"), 3)
    file = io.BytesIO()
    export(world.flags, world.kept, world.taught, mine, file)
    archive = zipfile.ZipFile(file)
    content = {name: archive.read(name) for name in archive.namelist()}
    account = json.loads(content["account.json"])
    assert (account["email"], account["name"], account["password"]) == (EMAIL, "Rosa", True)
    flags = {one["id"]: one for one in json.loads(content["flags.json"])}
    assert set(flags) == {kept, taken_back}
    assert flags[kept]["note"] == "<script>alert(1)</script>"
    [photo] = [name for name in content if name.startswith("photos/")]
    assert content[photo] == world.flags.blobs.get(flags[kept]["sample_id"])
    assert len(json.loads(content["sessions.json"])) == 1
    everything = b"".join(content.values())
    for secret in (b"$argon2", b"other@example.org", PASSWORD.encode()):
        assert secret not in everything


def test_a_deletion_takes_everything_and_leaves_a_receipt_without_a_name(world: MembersWorld) -> None:
    mine, theirs = member_id(world), member_id(world, "other@example.org")
    cookie = world.members.log_in(EMAIL, PASSWORD, "x")
    first, shared = flag(world, mine, 1), flag(world, mine, 2)
    other = flag(world, theirs, 2, flagger_token="another browser")  # of the same photo
    with read(world.flags.sessions) as session:
        photos = {one: session.get(Flag, one).sample_id for one in (first, shared, other)}  # type: ignore[union-attr]
    receipt_id = delete(world.flags, world.kept, world.taught, mine, NOW)
    assert world.who(cookie) is None
    with read(world.flags.sessions) as session:
        assert session.get(Member, mine) is None
        assert {row.id for row in session.scalars(sa.select(Flag))} == {other}
        assert {row.member_id for row in session.scalars(sa.select(MemberSession))} == {theirs}
        receipt = session.get(DeletionReceipt, receipt_id)
    assert not world.flags.blobs.exists(photos[first])
    assert world.flags.blobs.exists(photos[shared]), "another person flagged it too"
    assert receipt is not None
    assert (receipt.flags, receipt.published, receipt.pending) == (2, 0, None)
    assert receipt.rows_at == receipt.photos_at == receipt.dataset_at == NOW
    with pytest.raises(AccountError, match="no such account"):
        delete(world.flags, world.kept, world.taught, mine, NOW)
    stored = b"".join(path.read_bytes() for path in world.home.rglob("*") if path.is_file())
    assert EMAIL.encode() not in stored
    assert b"Rosa" not in stored


def test_a_deletion_that_was_cut_short_goes_on(world: MembersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = member_id(world)
    flag(world, mine, 1)

    def refuse(photos: Any) -> None:
        raise StorageError("The disk refused.")

    with monkeypatch.context() as patch:
        patch.setattr(world.flags, "drop_photos", refuse)
        receipt_id = delete(world.flags, world.kept, world.taught, mine, NOW)
    with read(world.flags.sessions) as session:
        receipt = session.get(DeletionReceipt, receipt_id)
        assert session.get(Member, mine) is None
    assert receipt is not None
    assert receipt.photos_at is None
    assert list((world.home / "blobs").glob("??/??/*"))
    later = NOW + dt.timedelta(minutes=1)
    go_on_with_all(world.flags, world.kept, world.taught, later)
    assert not list((world.home / "blobs").glob("??/??/*"))
    done = go_on(world.flags, world.kept, world.taught, receipt_id, later + dt.timedelta(minutes=1))
    assert done is not None
    assert (done.photos_at, done.pending) == (later, None)


def test_a_deletion_is_all_or_nothing(world: MembersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = member_id(world)
    saved = flag(world, mine, 1)

    def refuse(*given: Any) -> None:
        raise StorageError("The disk refused.")

    with monkeypatch.context() as patch:
        patch.setattr(member_data.json, "dumps", refuse)  # the last thing before the receipt
        with pytest.raises(StorageError):
            delete(world.flags, world.kept, world.taught, mine, NOW)
    assert own_flag(world.flags, mine, saved).id == saved
    assert world.members.log_in(EMAIL, PASSWORD, "x")


def test_what_is_published_leaves_the_dataset_and_the_receipt_says_when(world: MembersWorld) -> None:
    mine, theirs = member_id(world), member_id(world, "other@example.org")
    flag(world, mine, 1)
    flag(world, theirs, 2)
    publisher = open_publisher(world.settings, world.flags)
    assert publisher.run(by_hand=True).published == 2
    receipt_id = delete(world.flags, world.kept, world.taught, mine, NOW)
    waiting = go_on(world.flags, world.kept, world.taught, receipt_id, NOW)
    assert waiting is not None
    assert (waiting.published, waiting.dataset_at) == (1, None)
    assert waiting.photos_at == NOW
    report = publisher.run(by_hand=True)
    assert (report.problem, report.removed) == (None, 1)
    done = go_on(world.flags, world.kept, world.taught, receipt_id, NOW + dt.timedelta(days=9))
    assert done is not None
    assert done.dataset_at is not None
    assert NOW < done.dataset_at < NOW + dt.timedelta(days=9), "the moment at which the publisher did it"
    assert done.pending is None
    assert go_on(world.flags, world.kept, world.taught, "no such receipt", NOW) is None
