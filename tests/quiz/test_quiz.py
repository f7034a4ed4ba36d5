"""The quiz on the server: points, levels, boards, and players who cheat."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image
from support.clock import Clock
from support.gallery import fill, photographs

from smartbreed.accounts.tables import Member
from smartbreed.core.database import read, write
from smartbreed.core.errors import RequestError, SmartBreedError
from smartbreed.core.settings import load_settings
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.inference.evaluation import evaluation_of
from smartbreed.quiz.questions import HARDEST, Questions, hide_names
from smartbreed.quiz.quiz import (
    FASTEST,
    LIVES,
    ROUNDS,
    SECONDS,
    Player,
    Quiz,
    made_up_name,
    question_of,
    result_of,
)
from smartbreed.quiz.tables import QuizGame
from smartbreed.services import Services

ROSA, TOM = Player("a" * 32), Player("b" * 32)


class Table:
    """A quiz with a clock of its own."""

    def __init__(self, home: Path) -> None:
        self.services = Services(load_settings(home=home, hub="embedded"))
        self.clock = Clock()
        self.quiz = Quiz(
            lambda: self.services.flags.sessions, self.services.gallery, lambda: self.services.identifier,
            lambda: b"a secret of the tests", self.clock.seconds,
        )  # fmt: skip

    def play(
        self, player: Player, game: QuizGame, *, right: bool = True, seconds: float = 5.0, hint: bool = False
    ) -> QuizGame:
        """One round, and on to the next."""
        question = question_of(game)
        if hint:
            self.quiz.hint(player, game.id, self.quiz.token(game))
        self.clock.forward(seconds)
        wrong = next(key for key, _ in question.options if key != question.answer)
        done = self.quiz.answer(player, game.id, self.quiz.token(game), question.answer if right else wrong)
        self.points = (result_of(done) or pytest.fail("no result")).points
        return self.quiz.go_on(player, game.id, question.number)

    def finish(self, player: Player, kind: str = "facts", *, right: int = ROUNDS) -> QuizGame:
        game = self.quiz.start(player, kind, "timed")
        for number in range(ROUNDS):
            game = self.play(player, game, right=number < right)
        assert game.stage == "over"
        return game


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    """Without a gallery."""
    made = Table(tmp_path / "home")
    yield made
    made.services.stop()


@pytest.fixture(scope="module")
def photo_table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    """With a gallery of real photographs."""
    pictures = photographs(tmp_path_factory.mktemp("pictures"), 4)
    made = Table(tmp_path_factory.mktemp("quiz") / "home")
    fill(made.services, pictures)
    yield made
    made.services.stop()


def refused(code: str, work: object) -> None:
    with pytest.raises(SmartBreedError) as error:
        work()  # type: ignore[operator]
    assert error.value.code == code


# -- questions


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    services = Services(load_settings(home=tmp_path_factory.mktemp("none")))
    identifier = services.identifier
    return Questions(identifier.known.breeds, evaluation_of(identifier.bundle), random.Random(1))


def test_every_fact_has_one_right_answer_and_its_source(questions: Questions) -> None:
    asked: list[str] = []
    while question := questions.fact(asked, len(asked) % (HARDEST + 1)):
        asked.append(question.photo)
        texts = [text for _, text in question.options]
        assert len(set(texts)) == len(texts) >= 2, question
        assert question.answer in dict(question.options)
        assert question.source
        assert question.about
        if question.quote:
            name = question.right.casefold()
            assert name not in question.quote.casefold(), question
    assert len(asked) == len(set(asked)) > 600


def test_names_are_hidden() -> None:
    from smartbreed.breeds.catalogue import BREEDS

    border = BREEDS["border_terrier"]
    assert (
        hide_names("The Border Terrier is a terrier; Borders are game.", border)
        == "The … is a …; … are game."
    )


def test_harder_means_more_alike(questions: Questions) -> None:
    breed = "siberian_husky"
    assert "eskimo_dog" not in questions.look_alikes(breed, 0)[:3]
    assert "eskimo_dog" in questions.look_alikes(breed, 2)[:3]
    for level in range(HARDEST + 1):
        options = questions.photo(breed, "x", level).options
        assert breed in dict(options)
    assert len(questions.photo(breed, "x", HARDEST).options) > len(questions.photo(breed, "x", 0).options)


def test_a_model_of_one_label_or_none_asks_nothing() -> None:
    assert not Questions([], None).has_facts
    assert Questions([], None).fact([], 0) is None


# -- games


def test_a_timed_game_of_facts(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "timed")
    levels, points = [], 0
    for number in range(1, ROUNDS + 1):
        assert question_of(game).number == number
        levels.append(question_of(game).level)
        game = table.play(ROSA, game)
        points += table.points
    assert (game.stage, game.right, game.rounds, game.best_streak) == ("over", ROUNDS, ROUNDS, ROUNDS)
    assert game.points == points > 0
    assert levels == [0, 0, 1, 1, 2]
    assert table.quiz.record(ROSA).best == points


def test_an_endless_game_ends_with_the_third_mistake(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "endless")
    for right in (True, False, True, True, False):
        game = table.play(ROSA, game, right=right, seconds=500)
        assert game.stage == "asked"
    game = table.play(ROSA, game, right=False)
    assert (game.stage, game.lives, game.right, game.best_streak) == ("over", 0, 3, 2)


def test_speed_pays_and_the_clock_of_the_server_counts(table: Table) -> None:
    points = []
    for seconds in (1, 10, SECONDS):
        game = table.quiz.start(ROSA, "facts", "timed")
        table.play(ROSA, game, seconds=seconds)
        points.append(table.points)
    assert points[0] > points[1] > points[2] > 0
    game = table.quiz.start(ROSA, "facts", "timed")
    game = table.play(ROSA, game, seconds=SECONDS + 3)
    assert (table.points, game.right, game.lives) == (0, 0, LIVES - 1)


def test_photos_against_the_model(photo_table: Table) -> None:
    table = photo_table
    assert table.quiz.why_not("photos") == ""
    game = table.quiz.start(ROSA, "photos", "timed")
    for number in range(1, ROUNDS + 1):
        question = question_of(game)
        photo = table.quiz.picture(ROSA, game.id, number, "photo")
        assert max(Image.open(io.BytesIO(photo)).size) <= 560
        for kind in ("heat", "guess"):
            refused("no_such_picture", partial(table.quiz.picture, ROSA, game.id, number, kind))
        table.clock.forward(4)
        done = table.quiz.answer(ROSA, game.id, table.quiz.token(game), question.answer)
        result = result_of(done)
        assert result is not None
        assert result.model
        assert 0 < result.model_probability <= 1
        for kind in ("heat", "guess"):
            assert Image.open(io.BytesIO(table.quiz.picture(ROSA, game.id, number, kind))).format == "JPEG"
        game = table.quiz.go_on(ROSA, game.id, number)
    assert game.right == ROUNDS
    assert game.model_right >= ROUNDS - 2
    asked = json.loads(game.asked)
    assert len(set(asked)) == len(asked) == ROUNDS


def test_a_hint_costs_half(photo_table: Table) -> None:
    table = photo_table
    game = table.quiz.start(ROSA, "photos", "endless")
    table.play(ROSA, game)
    whole = table.points
    game = table.quiz.start(ROSA, "photos", "endless")
    token = table.quiz.token(game)
    table.quiz.hint(ROSA, game.id, token)
    assert table.quiz.picture(ROSA, game.id, 1, "heat")
    table.play(ROSA, game)
    assert table.points in (whole // 2, (whole + 50) // 2, (whole - 50) // 2)
    facts = table.quiz.start(ROSA, "facts", "endless")
    refused("no_hint", lambda: table.quiz.hint(ROSA, facts.id, table.quiz.token(facts)))


def test_the_same_photo_is_never_the_same_bytes(photo_table: Table) -> None:
    """A list of earlier pictures is of no use to a program."""
    seen: dict[str, set[bytes]] = {}
    for _ in range(12):
        game = photo_table.quiz.start(TOM, "photos", "endless")
        jpeg = photo_table.quiz.picture(TOM, game.id, 1, "photo")
        question = question_of(game)
        assert jpeg not in seen.setdefault(question.photo, set())
        seen[question.photo].add(jpeg)
        assert jpeg == photo_table.quiz.picture(TOM, game.id, 1, "photo"), "within a round it stays"
        for word in (question.answer, question.right, question.photo):
            assert word.encode() not in jpeg
        assert not Image.open(io.BytesIO(jpeg)).getexif()


def test_a_photo_that_is_deleted_meanwhile_ends_no_game(photo_table: Table) -> None:
    table = photo_table
    game = table.quiz.start(TOM, "photos", "endless")
    question = question_of(game)
    with write(table.services.flags.sessions) as session:
        row = session.get(GalleryPhoto, question.photo)
        assert row is not None
        session.expunge(row)
        session.execute(sa.delete(GalleryPhoto).where(GalleryPhoto.id == question.photo))
    refused("no_such_picture", lambda: table.quiz.picture(TOM, game.id, 1, "photo"))
    table.clock.forward(5)
    done = table.quiz.answer(TOM, game.id, table.quiz.token(game), question.answer)
    assert (result_of(done) or pytest.fail("no result")).model == ""
    assert table.quiz.go_on(TOM, game.id, 1).stage == "asked"


def test_without_photographs_facts_can_be_played(table: Table) -> None:
    assert "not enough photographs" in table.quiz.why_not("photos")
    refused("no_photos", lambda: table.quiz.start(ROSA, "photos", "timed"))
    assert table.quiz.start(ROSA, "facts", "timed").stage == "asked"
    for kind, mode in (("", ""), ("photos", "x"), ("<script>", "timed")):
        refused("no_such_game", lambda kind=kind, mode=mode: table.quiz.start(ROSA, kind, mode))


# -- cheating


def test_an_answer_counts_once(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "endless")
    question, token = question_of(game), table.quiz.token(game)
    table.clock.forward(5)
    done = table.quiz.answer(ROSA, game.id, token, question.answer)
    for choice in (question.answer, "", "x"):
        refused("bad_round", lambda choice=choice: table.quiz.answer(ROSA, game.id, token, choice))
    table.quiz.go_on(ROSA, game.id, 1)
    table.clock.forward(5)
    refused("bad_round", lambda: table.quiz.answer(ROSA, game.id, token, question.answer))
    assert table.quiz.game(ROSA, game.id).points == done.points
    # Going on twice skips no round, nor does going on before an answer.
    assert question_of(table.quiz.go_on(ROSA, game.id, 1)).number == 2
    assert question_of(table.quiz.go_on(ROSA, game.id, 2)).number == 2


def test_of_answers_at_the_same_moment_one_counts(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "endless")
    question, token = question_of(game), table.quiz.token(game)
    table.clock.forward(5)

    def send(choice: str) -> str:
        try:
            table.quiz.answer(ROSA, game.id, token, choice)
        except RequestError as error:
            return error.code
        return "counted"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, [key for key, _ in question.options] * 3))
    assert outcomes.count("counted") == 1
    assert set(outcomes) == {"counted", "bad_round"}
    assert table.quiz.game(ROSA, game.id).rounds == 1


def test_a_forged_round_counts_nothing(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "endless")
    token = table.quiz.token(game)
    table.clock.forward(5)
    other = table.quiz.start(TOM, "facts", "endless")
    body, _, signature = token.rpartition(".")
    elsewhere = Quiz(
        lambda: table.services.flags.sessions, table.services.gallery, lambda: table.services.identifier,
        lambda: b"another secret", table.clock.seconds,
    )  # fmt: skip
    for forged in (
        "", "x", "." * 400, token[:-1], token + "x", f"{body}x.{signature}", body, table.quiz.token(other),
        elsewhere.token(game), "é" * 9,
    ):  # fmt: skip
        refused("bad_round", lambda forged=forged: table.quiz.answer(ROSA, game.id, forged, "x"))
        refused("bad_round", lambda forged=forged: table.quiz.hint(ROSA, game.id, forged))
    for game_id in (other.id, "x", "", "\0", "é", game.id.lower()):
        refused("no_such_game", lambda game_id=game_id: table.quiz.answer(ROSA, game_id, token, "x"))
    assert table.quiz.game(ROSA, game.id).rounds == 0


def test_an_impossible_speed_counts_nothing(table: Table) -> None:
    game = table.quiz.start(ROSA, "facts", "endless")
    question, token = question_of(game), table.quiz.token(game)
    for key, _ in question.options:  # nor does it say which one is right
        refused("too_fast", lambda key=key: table.quiz.answer(ROSA, game.id, token, key))
    table.clock.forward(FASTEST - 0.1)
    refused("too_fast", lambda: table.quiz.answer(ROSA, game.id, token, question.answer))
    found = table.quiz.game(ROSA, game.id)
    assert (found.stage, found.rounds, found.points) == ("asked", 0, 0)


def test_another_player_sees_nothing_of_a_game(photo_table: Table) -> None:
    quiz = photo_table.quiz
    game = quiz.start(ROSA, "photos", "endless")
    for work in (
        lambda: quiz.game(TOM, game.id),
        lambda: quiz.picture(TOM, game.id, 1, "photo"),
        lambda: quiz.go_on(TOM, game.id, 1),
        lambda: quiz.hint(TOM, game.id, quiz.token(game)),
    ):
        refused("no_such_game", work)
    refused("no_such_game", lambda: quiz.card(game.id))
    refused("no_such_picture", lambda: quiz.picture(ROSA, game.id, 2, "photo"))


# -- boards


def test_boards_have_the_best_game_of_each(table: Table) -> None:
    first = table.finish(ROSA)
    table.finish(ROSA, right=2)
    second = table.finish(TOM, right=3)
    table.finish(Player("c" * 32), right=0)  # no points, no place
    board = table.quiz.board("facts", "timed", TOM, week=True)
    assert [(place.points, place.own) for place in board] == [(first.points, False), (second.points, True)]
    assert board[0].name == made_up_name(ROSA.mark)
    assert re.fullmatch(r"[A-Z]\w+ [A-Z]\w+ \d\d", board[0].name)
    assert table.quiz.board("facts", "endless", TOM, week=True) == []
    table.clock.forward(7 * 86_400)
    assert table.quiz.board("facts", "timed", TOM, week=True) == []
    assert len(table.quiz.board("facts", "timed", TOM, week=False)) == 2


def test_members_play_by_name_and_their_games_go_with_them(table: Table) -> None:
    with write(table.services.flags.sessions) as session:
        session.add(
            Member(id="M" * 26, email="rosa.valentin@example.org", name="Rosa <b>", role="member",
                   created_at=dt.datetime.now(dt.UTC))
        )  # fmt: skip
        session.add(
            Member(id="N" * 26, email="no.name@example.org", name="", role="member",
                   created_at=dt.datetime.now(dt.UTC))
        )  # fmt: skip
    rosa, unnamed = Player(ROSA.mark, "M" * 26), Player(TOM.mark, "N" * 26)
    game = table.finish(rosa)
    table.finish(unnamed)
    names = {place.name for place in table.quiz.board("facts", "timed", ROSA, week=True)}
    assert names == {"Rosa <b>", made_up_name(TOM.mark)}
    assert table.quiz.record(rosa).games == 1
    assert table.quiz.record(ROSA).games == 1, "as a visitor the browser has its own"
    refused("no_such_game", lambda: table.quiz.game(Player(ROSA.mark), game.id))
    table.services.delete_member("M" * 26)
    with read(table.services.flags.sessions) as session:
        assert session.scalars(sa.select(QuizGame.member_id)).all() == ["N" * 26]


def test_a_card_is_a_picture(table: Table) -> None:
    game = table.finish(ROSA)
    card = Image.open(io.BytesIO(table.quiz.card(game.id)))
    assert (card.format, card.size) == ("PNG", (1200, 630))
    assert len(card.convert("RGB").getcolors(100_000) or []) > 20, "something is written on it"
    for number in ("", "x", game.id + "x", "é", "\0"):
        refused("no_such_game", lambda number=number: table.quiz.card(number))


def test_a_new_game_takes_the_place_of_one_that_was_left(table: Table) -> None:
    left = table.quiz.start(ROSA, "facts", "timed")
    table.quiz.start(TOM, "facts", "timed")
    table.quiz.start(ROSA, "facts", "endless")
    refused("no_such_game", lambda: table.quiz.game(ROSA, left.id))
    with read(table.services.flags.sessions) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(QuizGame)) == 2
