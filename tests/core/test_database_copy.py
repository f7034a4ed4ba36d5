"""``smartbreed database copy``: a home that was filled by its visitors, from SQLite to a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.clock import Clock, until
from support.flags import flag
from support.members import EMAIL, PASSWORD, MembersWorld
from support.postgres import new_database, postgres
from support.processes import environment, free_port, kill, smartbreed, start

from smartbreed.admin import audit
from smartbreed.core.database import Base, make_engine
from smartbreed.core.errors import FlagError
from smartbreed.core.migrate import head, migrate
from smartbreed.core.settings import load_settings
from smartbreed.quiz.quiz import Player, question_of
from smartbreed.review import decisions
from smartbreed.review.queue import Filters
from smartbreed.review.scoring import score_flags
from smartbreed.services import Services
from smartbreed.statistics import flag_counts

PLAYER = Player("a" * 32)
numbers = itertools.count()


@contextmanager
def opened(home: Path, url: str = "") -> Iterator[Services]:
    services = Services(load_settings(home=home, hub="embedded", salt="a salt", database_url=url))
    try:
        yield services
    finally:
        services.stop()


@contextmanager
def members(home: Path, url: str = "") -> Iterator[MembersWorld]:
    world = MembersWorld(home, database_url=url)
    try:
        yield world
    finally:
        world.members.close()
        world.flags.close()


class Home:
    """What visitors left, as its interfaces show it.

    Attributes:
        folder: of the test; the home lies in it.
        cookie: of a member who is signed in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        with members(self.home) as world:
            self.cookie = world.joined()
            who = world.who(self.cookie)
            assert who is not None
            self.member = who.id
        with opened(self.home) as services:
            ids = [flag(services.flags, seed, who) for seed, who in enumerate(("ann", "ann", "bob", "eve"))]
            ids.append(flag(services.flags, 9, "eve", verdict="correct", label="birman", note="Grüße 🐈"))
            self.withdrawn = flag(services.flags, 10, "bob")
            services.flags.withdraw(self.withdrawn, "bob")
            services.review.decide(ids[:1], decisions.accept("as it is"), "r" * 64)
            services.review.decide(ids[1:2], decisions.reject("no"), "r" * 64)
            services.review.set_gold(ids[0], "r" * 64)
            score_flags(services.flags, services.identifier)
            services.review.catch_up()
            self.ids = ids
            services.switches.set("quiz", 0)
            services.switches.set("quiz", 1)
            services.messages.send("Is this a cat?", "question", member_id=self.member)
            clock = Clock()
            services.quiz.clock = clock.seconds
            game = services.quiz.start(PLAYER, "facts", "timed")
            while game.stage != "over":
                clock.forward(5)
                question = question_of(game)
                services.quiz.answer(PLAYER, game.id, services.quiz.token(game), question.answer)
                game = services.quiz.go_on(PLAYER, game.id, question.number)
            self.shown = shown(services)

    @property
    def file(self) -> Path:
        return self.home / "smartbreed.db"

    def copy(self, url: str, *words: str) -> Any:
        return smartbreed(
            self.folder, "database", "copy", *words, SMARTBREED_DATABASE_URL=url, SMARTBREED_SALT="a salt"
        )


def shown(services: Services) -> dict[str, Any]:
    """What its people see."""
    review, flags = services.review, services.flags
    return {
        "flags": {one.id: (one.state, one.flagged_at, one.box, one.note) for one in flags.recent()},
        "queue": [(item.id, item.state, item.top, item.why) for item in review.queue(Filters("all"))],
        "top": [(item.id, item.usefulness) for item in review.top(Filters(), 10)[0]],
        "progress": review.progress(),
        "stats": review.stats(),
        "counts": flag_counts.kept_counts(flags.sessions),
        "quiz": services.quiz.record(PLAYER),
        "board": services.quiz.board("facts", "timed", PLAYER, week=False),
        "messages": [(one.id, one.sent_at, one.text) for one in services.messages.list()],
        "switches": services.switches.set_by_hand(),
        "audit": audit.as_csv(audit.entries(flags.sessions)),
    }


def rows(url: str) -> dict[str, list[Any]]:
    """Every row of every table."""
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(connection.execute(sa.select(table)).all(), key=repr)
            for table in Base.metadata.sorted_tables
        }
    engine.dispose()
    return found


def back_up(home: Home, file: Path, sql: str = "") -> None:
    """A copy of the home's database, with what a test wants different."""
    with closing(sqlite3.connect(home.file)) as old, closing(sqlite3.connect(file)) as new:
        old.backup(new)
        new.executescript(sql)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@pytest.fixture
def database(server: str) -> str:
    address: str = new_database(server, f"copied_{next(numbers)}")
    return address


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("visited"))


@pytest.mark.slow
def test_a_home_goes_on_where_it_was(home: Home, database: str) -> None:
    kept = rows(f"sqlite:///{home.file}")
    done = home.copy(database)
    assert done.returncode == 0, done.stderr
    assert rows(database) == kept
    used = {table for table, found in kept.items() if found}
    assert used >= {"flags", "decisions", "members", "quiz_games", "review_ranks", "flag_counts", "signals",
                    "audit_entries", "review_rank_counts", "review_accepted_counts"}  # fmt: skip
    printed = dict(line.split() for line in done.stdout.splitlines()[1:])
    assert printed == {table: str(len(found)) for table, found in kept.items()}
    assert f"flags: {len(kept['flags'])} of {len(kept['flags'])} rows" in done.stderr

    with members(home.home, database) as world:
        assert world.who(home.cookie) is not None, "who was signed in still is"
        again = world.who(world.members.log_in(EMAIL, PASSWORD, "1.2.3.4"))
        assert again is not None
        assert again.id == home.member
    with opened(home.home, database) as services:
        assert shown(services) == home.shown
        # The triggers are on again, and numbers go on after those that were copied.
        assert flag(services.flags, 1, "ann") == home.ids[1], "saying it twice is one row"
        fresh = flag(services.flags, 20, "zoe")
        assert fresh not in home.shown["flags"]
        assert flag_counts.recompute(services.flags.sessions) == 0
        assert [item.id for item in services.review.top(Filters(), 10)[0]] == [
            item.id for item in services.review.queue(Filters())
        ]
        assert fresh in {item.id for item in services.review.top(Filters(), 10)[0]}
        before = [entry.id for entry in audit.entries(services.flags.sessions)]
        services.switches.set("quiz", None)
        assert audit.entries(services.flags.sessions)[0].id > max(before)
        services.flags.withdraw(home.ids[2], "bob")
        with pytest.raises(FlagError):
            services.flags.withdraw(home.ids[3], "bob")


@pytest.mark.slow
def test_json_and_another_file(home: Home, database: str, tmp_path: Path) -> None:
    """A backup that SQLite wrote is no file in write-ahead mode."""
    backup = tmp_path / "backup.db"
    back_up(home, backup, "PRAGMA journal_mode=DELETE")
    done = home.copy(database, "--json", "--from", str(backup))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {table: len(found) for table, found in rows(database).items()}


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_the_target_empty(home: Home, database: str) -> None:
    migrate(database)
    engine = make_engine(database)
    log = home.folder / "killed.log"
    with engine.connect() as blocker, log.open("w") as stderr:
        # Others may read the quiz, and wait when they want to write it.
        blocker.exec_driver_sql("LOCK TABLE quiz_games IN SHARE MODE")
        copying = start(
            "-m", "smartbreed", "database", "copy", stderr=stderr,
            env=environment(home.folder, SMARTBREED_DATABASE_URL=database),
        )  # fmt: skip
        waits = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        # In a transaction it would see the same moment again and again.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as looking:
            until(lambda: looking.scalar(waits) or copying.poll() is not None)
        assert "flags: 6 of 6 rows" in log.read_text(), "the flags were on their way"
        kill(copying)
        blocker.rollback()
    engine.dispose()
    assert not any(rows(database).values())
    assert home.copy(database).returncode == 0


@pytest.mark.slow
def test_a_target_with_rows_is_refused(home: Home, database: str) -> None:
    assert home.copy(database).returncode == 0
    before = rows(database)
    done = home.copy(database)
    assert done.returncode == 2
    assert "is not empty; nothing was copied" in done.stderr
    assert "These tables have rows: " in done.stderr
    assert " flags (6)" in done.stderr
    assert rows(database) == before


@pytest.mark.slow
def test_a_database_of_another_program_gets_no_tables(home: Home, database: str) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE books AS SELECT 1 AS id")
    assert "books (1)" in home.copy(database).stderr
    assert sa.inspect(engine).get_table_names() == ["books"]
    engine.dispose()


@pytest.mark.slow
def test_a_text_that_is_too_long_is_named_without_its_words(
    home: Home, database: str, tmp_path: Path
) -> None:
    long = tmp_path / "long.db"
    back_up(home, long, f"UPDATE members SET name = '{'private' * 20}'")
    done = home.copy(database, "--from", str(long))
    assert done.returncode == 2
    assert "In the table members, a text in name is longer than 60 characters." in done.stderr
    assert "private" not in done.stderr
    assert not any(rows(database).values())


def refused(folder: Path, why: str, **changes: str) -> None:
    wanted = {"SMARTBREED_DATABASE_URL": f"postgresql://pets:hunter2@127.0.0.1:{free_port()}/pets"}
    done = smartbreed(folder, "database", "copy", **(wanted | changes))
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.fixture
def other(home: Home, tmp_path: Path) -> Path:
    """The folder of a home with a database of its own; a table may be changed."""
    (tmp_path / "home").mkdir()
    back_up(home, tmp_path / "home" / "smartbreed.db")
    return tmp_path


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "home" / "smartbreed.db")) as connection:
        connection.executescript(sql)


def test_no_database_is_named(other: Path) -> None:
    refused(other, "name the PostgreSQL database", SMARTBREED_DATABASE_URL="")
    refused(other, "Received: sqlite", SMARTBREED_DATABASE_URL=f"sqlite:///{other / 'new.db'}")
    assert not (other / "new.db").exists()


def test_a_database_that_does_not_answer(other: Path) -> None:
    refused(other, "cannot be reached")


def test_a_home_without_a_database(tmp_path: Path) -> None:
    refused(tmp_path, "There is no SQLite database to copy")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "smartbreed.db").touch()
    refused(tmp_path, "no tables of SmartBreed")


def test_a_schema_of_another_version(other: Path) -> None:
    change(other, "UPDATE alembic_version SET version_num = '0015'")
    refused(other, f"schema 0015, this version has {head()}; start this version once")
    change(other, "UPDATE alembic_version SET version_num = '9999'")
    refused(other, f"schema 9999, this version has {head()}; use that version")


def test_rows_that_refer_to_nothing(other: Path) -> None:
    change(other, "PRAGMA foreign_keys=OFF; DELETE FROM members")
    refused(other, "refers to rows of members that do not exist")


def test_an_app_that_has_the_home_open(other: Path) -> None:
    """It need not do anything: the connection that it keeps is enough."""
    with opened(other / "home") as services:
        assert services.flags.count() == 6
        refused(other, "has smartbreed.db open; stop it")
    refused(other, "cannot be reached")


def test_another_salt_is_said(other: Path) -> None:
    (other / "home" / "salt").write_bytes(os.urandom(32))
    refused(other, "SMARTBREED_SALT is not the salt that this home has used", SMARTBREED_SALT="another")
