"""Counts equal what a plain recount finds, whatever is killed, refused or taken back in between."""

from __future__ import annotations

import datetime as dt
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from counting import BREEDS, FIRST, VERSIONS, Clock, Plain, answer, any_answer, pet
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import StorageError
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import FlagService
from smartbreed.feedback.tables import VERDICTS, Flag
from smartbreed.statistics import usage
from smartbreed.statistics.flag_counts import counted_anew, kept_counts, recompute
from smartbreed.statistics.tables import FlagCount, UsageCount, UsageWriter
from smartbreed.statistics.usage import EVER, Recorder

EVENTS = 10_000


def written(sessions: Sessions) -> dict[tuple[dt.date, str, str, str], int]:
    with read(sessions) as session:
        return {
            (one.day, one.version, one.kind, one.key): one.number
            for one in session.scalars(sa.select(UsageCount).where(UsageCount.day > EVER))
        }


def totals(sessions: Sessions) -> dict[tuple[str, str, str], int]:
    """Of all days together, as they are kept."""
    with read(sessions) as session:
        ever = session.scalars(sa.select(UsageCount).where(UsageCount.day == EVER))
        return {(one.version, one.kind, one.key): one.number for one in ever}


def new_flag(chance: random.Random, number: int, moment: dt.datetime) -> Flag:
    return Flag(
        id=f"{number:026d}", sample_id=f"{number:064x}", photo_width=9, photo_height=9,
        predicted=chance.choice((*BREEDS, None)), verdict=chance.choice(VERDICTS), consent=True,
        model_revision=chance.choice(VERSIONS), flagged_at=moment, flagger="f" * 64, state="pending",
        dedupe_key=f"{number:064x}",
    )  # fmt: skip


def change_flags(
    chance: random.Random, session: Session, alive: dict[str, bool], clock: Clock, how: int
) -> None:
    """One thing that the app does with flags, by the ORM or in bulk."""
    ids = list(alive)
    if how < 6 or not ids:
        flag = new_flag(chance, len(alive) + 1_000_000 * chance.randrange(9), clock.now)
        if flag.id not in alive:
            session.add(flag)
            alive[flag.id] = True
    elif how == 6:  # taken back, or said again later
        flag = session.get_one(Flag, chance.choice(ids))
        if flag.state == "withdrawn":
            flag.state, flag.flagged_at = "pending", clock.now
        else:
            flag.state = "withdrawn"
    elif how == 7:  # published, as the publisher does it
        some = chance.sample(ids, min(len(ids), 20))
        session.execute(
            sa.update(Flag).where(Flag.id.in_(some), Flag.state == "pending").values(state="published")
        )
    elif how == 8:  # erased
        gone = chance.choice(ids)
        session.delete(session.get_one(Flag, gone))
        del alive[gone]
    session.flush()


def plain_flags(sessions: Sessions) -> dict[tuple[Any, ...], int]:
    """One by one, in Python."""
    with read(sessions) as session:
        return dict(
            Counter(
                (one.flagged_at.date(), one.model_revision, one.predicted or "", one.verdict)
                for one in session.scalars(sa.select(Flag))
                if one.state != "withdrawn"
            )
        )


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_events_are_counted_as_a_recount_counts_them(
    flags: FlagService, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, clock, plain = random.Random(seed), Clock(), Plain()
    sessions = flags.sessions
    recorders = [Recorder(lambda: sessions, clock=clock) for _ in range(2)]
    unwritten: list[Plain] = [Plain(), Plain()]
    alive: dict[str, bool] = {}
    real = usage.write
    events = 0
    while events < EVENTS:
        events += 1
        which = chance.randrange(2)
        recorder, waiting = recorders[which], unwritten[which]
        luck = chance.random()
        if luck < 0.86:
            one, interface = any_answer(chance), chance.choice(("page", "rest", "client"))
            recorder.note(one, interface, "now")
            waiting.answers.append((clock.now.date(), interface, one))
        elif luck < 0.94:
            with write(sessions) as session:
                for _ in range(20):
                    change_flags(chance, session, alive, clock, chance.randrange(9))
                    events += 1
        elif luck < 0.97:
            assert recorder.write()
            plain.answers += waiting.answers
            waiting.answers.clear()
        elif luck < 0.98:  # the database refuses, before the commit or after it
            monkeypatch.setattr(usage, "write", refusing(real, after=chance.random() < 0.5))
            assert not recorder.write() or not waiting.answers
            monkeypatch.setattr(usage, "write", real)
        elif luck < 0.985 and not recorder._batch:  # killed: what was not written is lost, and no more
            recorders[which] = Recorder(lambda: sessions, clock=clock)
            waiting.answers.clear()
        else:
            clock.now += dt.timedelta(hours=chance.randrange(30))
    for recorder, waiting in zip(recorders, unwritten, strict=True):
        assert recorder.write()
        plain.answers += waiting.answers
    found = written(sessions)
    assert found == plain.counts()
    summed: Counter[tuple[str, str, str]] = Counter()
    for (_, *key), number in found.items():
        summed[key[0], key[1], key[2]] += number
    assert totals(sessions) == summed
    assert sum(n for (_, _, kind, _), n in found.items() if kind == "photo") > 2_000
    assert kept_counts(sessions) == counted_anew(sessions) == plain_flags(sessions)
    assert recompute(sessions) == 0


def refusing(real: Any, *, after: bool) -> Any:
    """`write` that says no: before anything is written, or once all is committed."""
    from contextlib import contextmanager

    @contextmanager
    def no(sessions: Sessions) -> Any:
        with real(sessions) as session:
            yield session
            if not after:
                raise StorageError("The database refused: the disk is full.")
        raise StorageError("The database refused: the connection was lost.")

    return no


def test_a_commit_whose_answer_is_lost_is_not_written_twice(
    flags: FlagService, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(lambda: flags.sessions, clock=Clock())
    recorder.note(answer(pet()), "page")
    with monkeypatch.context() as patch:
        patch.setattr(usage, "write", refusing(usage.write, after=True))
        assert not recorder.write()
        recorder.note(answer(pet(), pet()), "page")
        assert not recorder.write()
    assert recorder.write()
    counts = written(flags.sessions)
    assert counts[FIRST.date(), "1.3.0", "photo", "page"] == 2
    assert counts[FIRST.date(), "1.3.0", "breed", "pug"] == 3


def test_noting_never_raises_and_a_database_that_is_away_loses_nothing(flags: FlagService) -> None:
    away = True

    def sessions() -> Sessions:
        if away:
            raise StorageError("The database refused: it is busy.")
        return flags.sessions

    recorder = Recorder(sessions, clock=Clock())
    recorder.note(None, "page")  # type: ignore[arg-type]
    for _ in range(3):
        recorder.note(answer(pet()), "rest")
        assert not recorder.write()
    away = False
    assert recorder.write()
    assert written(flags.sessions)[FIRST.date(), "1.3.0", "photo", "rest"] == 3


CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from counting import answer, pet
from smartbreed.core.settings import load_settings
from smartbreed.feedback.flags import open_feedback
from smartbreed.statistics import usage

flags = open_feedback(load_settings(home=sys.argv[1], hub="embedded", salt="a salt"))
recorder = usage.Recorder(lambda: flags.sessions)
if sys.argv[2] == "killed":
    recorder.note(answer(pet()), "page")
    assert recorder.write()
    from sqlalchemy.orm import Session
    Session.commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)
    recorder.note(answer(pet()), "page")
    recorder.write()
for _ in range(200):
    recorder.note(answer(pet()), "page")
    assert recorder.write()
"""


def child(home: Path, what: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", CHILD, str(home), what, str(Path(__file__).parent)]
    database = load_settings(home=home).resolved_database_url
    return subprocess.Popen(command, env={**os.environ, "SMARTBREED_DATABASE_URL": database})


def photos(sessions: Sessions) -> int:
    return sum(number for (_, _, kind, _), number in written(sessions).items() if kind == "photo")


def test_a_kill_between_write_and_commit_leaves_the_last_batch_out_as_a_whole(
    flags: FlagService, tmp_path: Path
) -> None:
    assert child(tmp_path / "home", "killed").wait() == -9
    assert photos(flags.sessions) == 1
    with read(flags.sessions) as session:
        assert [one.batch for one in session.scalars(sa.select(UsageWriter))] == [1]
    assert {kind: n for (_, _, kind, _), n in written(flags.sessions).items()}["verdict"] == 1


def test_two_processes_add_to_the_same_numbers(flags: FlagService, tmp_path: Path) -> None:
    children = [child(tmp_path / "home", "counts") for _ in range(2)]
    assert [one.wait() for one in children] == [0, 0]
    assert photos(flags.sessions) == 400
    assert len(written(flags.sessions)) == 7


def test_a_wrong_number_is_found_and_mended(flags: FlagService) -> None:
    with write(flags.sessions) as session:
        session.add(new_flag(random.Random(3), 1, FIRST))
    with write(flags.sessions) as session:
        session.execute(sa.update(FlagCount).values(number=7))
    assert recompute(flags.sessions) == 1
    assert kept_counts(flags.sessions) == counted_anew(flags.sessions)
    with write(flags.sessions) as session:
        session.execute(sa.delete(Flag))
    assert kept_counts(flags.sessions) == {}


def test_nothing_of_a_photo_is_kept(flags: FlagService) -> None:
    recorder = Recorder(lambda: flags.sessions)
    recorder.note(answer(pet()), "page")
    recorder.write()
    columns = {column.name for table in (UsageCount, FlagCount) for column in table.__table__.columns}
    assert columns == {"day", "version", "kind", "key", "number", "revision", "predicted", "verdict"}
