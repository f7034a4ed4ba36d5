"""On a real PostgreSQL server: what keeps rows, by the tests of its packages, and the app."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from support.clock import until
from support.postgres import new_database, postgres
from support.processes import ROOT, Server, run

from smartbreed.core import database
from smartbreed.core.database import make_engine, make_sessions, read, write, write_connection
from smartbreed.core.errors import SettingError, StorageError
from smartbreed.core.migrate import migrate

pytestmark = pytest.mark.slow
EMAIL, PASSWORD = "rosa.valentin@example.org", "my two cats sing"
#: Tests that are run once more, below ``tests/``.
AGAIN = [
    "accounts/test_members.py",
    "accounts/test_member_data.py",
    "accounts/test_kept_photos.py",
    "admin",
    "contact",
    "throttle",
    "feedback/test_flags.py",
    "review/test_decisions.py",
    "review/test_consensus.py::test_two_who_agree_are_accepted",
    "review/test_consensus.py::test_who_was_often_wrong_neither_counts_nor_blocks",
    "review/test_two_maintainers.py",
    "review/test_ranking.py",
    "dataset/test_publisher.py::test_flags_become_one_shard_and_its_row_says_all",
    "dataset/test_publisher.py::test_withdrawn_and_erased_flags_leave_dataset_history_and_disk",
    "dataset/test_publisher.py::test_another_disk_takes_over_after_a_day",
    "dataset/test_publisher.py::test_decisions_take_the_same_road",
    "statistics/test_counting.py::test_two_processes_add_to_the_same_numbers",
    "statistics/test_counting.py::test_a_kill_between_write_and_commit_leaves_the_last_batch_out_as_a_whole",
    "statistics/test_counting.py::test_a_commit_whose_answer_is_lost_is_not_written_twice",
    "statistics/test_counting.py::test_a_wrong_number_is_found_and_mended",
    "statistics/test_statistics_report.py::test_use_feedback_and_growth",
    "gallery/test_gallery.py::test_duplicates_bad_photos_and_unknown_breeds",
    "gallery/test_gallery.py::test_visitors_photos_show_only_while_they_are_accepted",
    "quiz/test_quiz.py::test_a_timed_game_of_facts",
    "quiz/test_quiz.py::test_of_answers_at_the_same_moment_one_counts",
    "quiz/test_quiz.py::test_boards_have_the_best_game_of_each",
    "quiz/test_quiz.py::test_members_play_by_name_and_their_games_go_with_them",
    "quiz/test_quiz.py::test_a_new_game_takes_the_place_of_one_that_was_left",
    "teach/test_teach.py::test_a_model_from_a_zip_is_trained_tried_published_and_deleted",
    "teach/test_teach.py::test_an_account_takes_its_models_along_and_leaves_nothing",
    "training_jobs/test_accepted.py::test_decisions_become_samples_each_pet_once",
    "training_jobs/test_accepted.py::test_what_a_version_has_learnt_waits_no_more",
]
#: These look into SQLite's file.
_OF_SQLITE = (
    "cannot_be_written",
    "five_times",
    "copy_of_the_database",
    "made_up_links",
    "in_the_download_and_go",
    "work_before_an_answer",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


def test_a_database_in_sql_ascii_is_refused_with_what_to_do(server: str) -> None:
    """PostgreSQL makes such a one on a machine without a locale, and every text would come as bytes."""
    engine = sa.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    engine.dispose()
    with pytest.raises(SettingError, match=r"SQL_ASCII.*createdb --encoding UTF8"):
        migrate(f"{server}/ascii")


def test_packages_by_their_own_tests(server: str) -> None:
    path = os.pathsep.join((str(ROOT), str(ROOT / "tests")))
    done = run(
        "-m", "pytest", "-q", "-p", "support.on_postgres", "-k", f"not ({' or '.join(_OF_SQLITE)})",
        *(f"tests/{one}" for one in AGAIN), env={**os.environ, "TEST_POSTGRES": server, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]


def field(page: httpx.Response, name: str) -> str:
    return html.unescape(re.findall(rf'name="{name}" value="([^"]*)"', page.text)[0])


def holds(engine: sa.Engine, word: str) -> list[str]:
    """Tables in which a word stands."""
    with engine.connect() as connection:
        return [
            table
            for table in sa.inspect(engine).get_table_names()
            if connection.scalar(
                sa.text(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE :word'), {"word": f"%{word}%"}
            )
        ]


def test_the_app(server: str, photo: Path, tmp_path: Path) -> None:
    """A photo, a flag, an account, a round of the quiz, the statistics; the account leaves nothing."""
    address = new_database(server, "app")
    usual = address.replace("postgresql+psycopg://", "postgresql://")
    running = Server(tmp_path, SMARTBREED_DATABASE_URL=usual, SMARTBREED_HUB="embedded")
    with running, httpx.Client(base_url=running.url, timeout=60) as browser:

        def fill(page: str, action: str = "", **data: str) -> httpx.Response:
            shown = browser.get(page)
            known = {
                name: field(shown, name)
                for name in ("token", "round", "number", "link")
                if f'name="{name}"' in shown.text
            }
            return browser.post(action or page, data={**known, **data})

        sent: dict[str, Any] = {"photo": photo.read_bytes()}
        assert browser.post("api/identify", files=sent).json()["pets"]
        assert (
            browser.post(
                "api/flag", files=sent, data={"pet": "1", "verdict": "correct", "consent": "true"}
            ).status_code
            == 200
        )

        assert fill("account/sign-up", email=EMAIL, password=PASSWORD, name="Rosa").status_code == 200
        until(lambda: "/account/verify?" in running.log())
        link = re.findall(r"http\S+/(account/verify\S+)", running.log())[-1]
        fill(link, "account/verify")
        assert browser.get("account/name").json()["name"] == "Rosa"

        game = fill("quiz", "quiz/start", kind="facts", mode="endless").headers["location"]
        choice = html.unescape(re.findall(r'name="choice" value="([^"]*)"', browser.get(game).text)[0])
        # An answer that comes too fast for a person is refused.
        until(lambda: fill(game, f"{game}/answer", choice=choice).status_code == 303)
        assert "Next" in browser.get(game).text

        # What is counted is written a few seconds later.
        until(lambda: browser.get("api/statistics").json()["use"]["photos"] == 1)
        assert "Photos" in browser.get("statistics").text

        engine = make_engine(usual)
        assert holds(engine, EMAIL) == ["members"]
        assert fill("account/delete", password=PASSWORD).status_code == 303
        assert holds(engine, EMAIL) == []
        engine.dispose()
    assert not [line for line in running.log().splitlines() if "Traceback" in line or "refused" in line]


def test_a_writer_that_is_gone_stops_the_others_for_a_while_only(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database._LIMITS, "lock_timeout", 300)
    engine = make_engine(new_database(server, "waiting"))
    sessions = make_sessions(engine)
    with write(sessions), pytest.raises(StorageError, match="it is busy"), write(sessions):
        pass
    with write_connection(engine) as connection:
        assert connection.execute(sa.text("SHOW lock_timeout")).scalar() == "0"
    with read(sessions) as session:
        assert session.execute(sa.text("SHOW lock_timeout")).scalar() == "300ms"
    engine.dispose()


def test_a_reader_sees_one_snapshot(server: str) -> None:
    engine = make_engine(new_database(server, "snapshots"))
    sessions = make_sessions(engine)
    with write(sessions) as session:
        session.execute(sa.text("CREATE TABLE pets (name text)"))
    count = sa.text("SELECT count(*) FROM pets")
    with read(sessions) as session:
        before = session.scalar(count)
        with write(sessions) as other:
            other.execute(sa.text("INSERT INTO pets VALUES ('Rex')"))
        assert session.scalar(count) == before == 0
    with read(sessions) as session:
        assert session.scalar(count) == 1
    engine.dispose()
