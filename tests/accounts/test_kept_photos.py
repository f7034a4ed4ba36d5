"""Photos that a member identified: kept with consent alone, for them alone, and gone with them."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest
from support.members import EMAIL, MembersWorld

from smartbreed.accounts import kept_photos
from smartbreed.accounts.kept_photos import KeptPhotos
from smartbreed.accounts.member_data import delete, export
from smartbreed.core.errors import AccountError, StorageError
from smartbreed.imaging.photo import sample_encoding

NOW = dt.datetime.now(dt.UTC)
ANSWER = {"image": "rex.jpg", "pets": []}


def jpeg(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return sample_encoding(pixels)[0]


def member(world: MembersWorld, email: str = EMAIL, *, agrees: bool = True) -> str:
    world.joined(email)
    found = world.roster.find(email).id
    if agrees:
        world.kept.agree(found, NOW)
    return found


def keep(world: MembersWorld, who: str, number: int, after_s: int = 0) -> bool:
    return world.kept.keep(
        who, jpeg(number), f"rex {number}.jpg", ANSWER, NOW + dt.timedelta(seconds=after_s)
    )


def files(world: MembersWorld) -> int:
    return len(list(world.kept.store.root.glob("??/??/*")))


def test_nothing_is_kept_without_consent(world: MembersWorld) -> None:
    mine = member(world, agrees=False)
    assert not keep(world, mine, 1)
    assert not keep(world, "01ABCDEFGHJKMNPQRSTVWXYZ00", 1)
    world.kept.agree(mine, NOW)
    assert keep(world, mine, 1)
    world.kept.agree(mine, None)
    assert not keep(world, mine, 2)
    assert [row.name for row in world.kept.list(mine)] == ["rex 1.jpg"]
    assert files(world) == 1


def test_only_its_owner_sees_and_deletes_a_photo(world: MembersWorld) -> None:
    mine, theirs = member(world), member(world, "other@example.org")
    keep(world, mine, 1)
    [row] = world.kept.list(mine)
    assert world.kept.get(mine, row.id) == jpeg(1)
    with pytest.raises(AccountError, match="no such photo"):
        world.kept.get(theirs, row.id)
    world.kept.forget(theirs, row.id)
    world.kept.forget(theirs)
    assert files(world) == 1
    world.kept.forget(mine, row.id)
    assert (world.kept.list(mine), files(world)) == ([], 0)


def test_the_same_photo_of_two_members_stays_for_the_other(world: MembersWorld) -> None:
    mine, theirs = member(world), member(world, "other@example.org")
    for _ in range(2):
        keep(world, mine, 1)
        keep(world, theirs, 1)
    assert files(world) == 1
    assert len(world.kept.list(mine)) == 1
    world.kept.forget(mine)
    assert world.kept.get(theirs, world.kept.list(theirs)[0].id) == jpeg(1)


def test_the_oldest_make_room(world: MembersWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_photos, "MOST", 3)
    mine = member(world)
    for number in range(5):
        keep(world, mine, number, number)
    assert [row.name for row in world.kept.list(mine)] == ["rex 4.jpg", "rex 3.jpg", "rex 2.jpg"]
    assert files(world) == 3


def test_the_quota(world: MembersWorld) -> None:
    mine = member(world)
    small = KeptPhotos(world.flags.sessions, world.home, len(jpeg(1)) + 10)
    assert small.keep(mine, jpeg(1), "a", ANSWER, NOW)
    assert not small.keep(mine, jpeg(2), "b", ANSWER, NOW)


def test_a_disk_that_refuses_leaves_no_file_without_a_row(
    world: MembersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = member(world)

    def refuse(*given: Any) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(world.kept.store, "put", refuse)
        with pytest.raises(StorageError):
            keep(world, mine, 1)
    [row] = world.kept.list(mine)
    with pytest.raises(AccountError):
        world.kept.get(mine, row.id)
    keep(world, mine, 2)
    with monkeypatch.context() as patch:
        patch.setattr(world.kept.store, "delete", refuse)
        with pytest.raises(StorageError):
            world.kept.forget(mine)
    assert len(world.kept.list(mine)) == 2, "rows and files stay together"
    world.kept.forget(mine)
    assert (world.kept.list(mine), files(world)) == ([], 0)


def test_they_are_in_the_download_and_go_with_the_account(world: MembersWorld) -> None:
    mine, theirs = member(world), member(world, "other@example.org")
    keep(world, mine, 1)
    keep(world, theirs, 2)
    out = io.BytesIO()
    export(world.flags, world.kept, world.taught, mine, out)
    archive = zipfile.ZipFile(out)
    [photo] = json.loads(archive.read("photos.json"))
    assert (photo["name"], photo["answer"]) == ("rex 1.jpg", ANSWER)
    assert archive.read(f"photos/{photo['sample_id']}.jpg") == jpeg(1)
    delete(world.flags, world.kept, world.taught, mine, NOW)
    assert files(world) == 1
    stored = b"".join(path.read_bytes() for path in world.home.rglob("*") if path.is_file())
    assert b"rex 1.jpg" not in stored
    assert photo["sample_id"].encode() not in stored
    assert b"rex 2.jpg" in stored
