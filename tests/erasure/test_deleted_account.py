"""A deleted account leaves nothing: in every byte of the home, with the dataset and its history."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.installation import Installation
from support.traces import traces

from smartbreed.core.settings import load_settings
from smartbreed.services import Services

EMAIL, NAME, PASSWORD = "rosa.valentin@example.org", "Rosalinde Valentin", "my two cats sing"


def mentions(folder: Path, *words: str) -> list[str]:
    """Where a word stands, in plain bytes or in a table of a shard."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        data = path.read_bytes()
        if data.startswith(b"PAR1"):
            table = pq.read_table(io.BytesIO(data))
            texts = table.select([name for name in table.column_names if name != "image"])
            data += str(texts.to_pylist()).encode()
        found += [f"{path.relative_to(folder)}: {word}" for word in words if word.encode() in data]
    return found


def join(home: Path) -> str:
    """Sign up; the member's id."""
    services = Services(load_settings(home=home, hub="embedded"))
    member, link = services.roster.create(EMAIL)
    services.members.reset(link.partition("token=")[2], PASSWORD)
    with services.flags.sessions() as session:
        session.merge(member).name = NAME
        session.commit()
    services.stop()
    return member.id


def hashes(home: Path, flag_ids: list[str]) -> set[str]:
    """The salted hashes of the people behind some flags."""
    database = sqlite3.connect(home / "smartbreed.db")
    rows = database.execute("SELECT id, flagger FROM flags").fetchall()
    database.close()
    return {flagger for flag_id, flagger in rows if flag_id in flag_ids}


@pytest.mark.slow
def test_nothing_of_a_deleted_account_is_left(tmp_path: Path, photos: list[Path]) -> None:
    installation = Installation(tmp_path / "home")
    home = installation.home
    mine = [join(home)] * (len(photos) - 1)
    flagged = installation.flag(photos, [*mine, ""])  # the last is a visitor's
    made = [(flag, installation.stored(sample), crops) for flag, sample, crops in flagged]
    ids = [flag for flag, *_ in made]
    installation.run("review", "accept", *ids)
    installation.run("flags", "publish")
    for _, photo, crops in made:
        assert [where for where in traces(home, photo, crops) if "hub" in where], "it is published"
    names = (EMAIL, "valentin", NAME, *hashes(home, ids[:-1]))
    words = (*names, *ids[:-1])
    assert {where.partition(": ")[2] for where in mentions(home, *words)} == set(words), "the search finds"

    reader = sqlite3.connect(home / "smartbreed.db")  # a request reads meanwhile, as the app does
    reader.execute("SELECT count(*) FROM flags").fetchone()
    receipt = installation.run("accounts", "delete", EMAIL, "--yes").strip()
    installation.run("flags", "publish")
    installation.run("hub", "gc", "--grace", "0")
    for _, photo, crops in made[:-1]:
        assert traces(home, photo, crops) == []
        assert traces(installation.tmp, photo, crops) == []
    assert mentions(home, *names) == []
    assert mentions(installation.tmp, *names) == []
    assert traces(home, *made[-1][1:]), "the visitor's is still there"
    reader.close()

    services = Services(load_settings(home=home, hub="embedded"))
    services._go_on_with_deletions()
    with services.flags.sessions() as session:
        row = session.connection().exec_driver_sql("SELECT * FROM deletion_receipts").mappings().one()
    services.stop()
    assert row["id"] == receipt
    assert (row["flags"], row["published"], row["pending"]) == (2, 2, None)
    assert row["rows_at"] <= row["photos_at"] <= row["dataset_at"]
    # The decisions stay, without the photo; so do the ids of flags in them, which now name nothing.
    left = {where.partition(":")[0] for where in mentions(home, *ids[:-1])}
    assert left <= {"smartbreed.db", "smartbreed.db-wal"}, left


@pytest.mark.parametrize("word", ["valentin"])
def test_the_search_finds_a_word_in_a_shard(tmp_path: Path, word: str) -> None:
    import pyarrow as pa

    pq.write_table(
        pa.table({"note": [f"of {word}"] * 9, "image": [b""] * 9}), tmp_path / "a", compression="zstd"
    )
    assert mentions(tmp_path, word) == [f"a: {word}"]
