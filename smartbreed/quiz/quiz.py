"""The quiz of an installation: games, points and leaderboards. Only the server keeps answers and time."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session

from smartbreed.core.database import Sessions, read, write
from smartbreed.core.errors import PhotoError, RequestError, SmartBreedError, StorageError
from smartbreed.gallery.gallery import Gallery
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.imaging.photo import read_photo
from smartbreed.inference.evaluation import evaluation_of
from smartbreed.inference.pipeline import Identifier
from smartbreed.quiz.pictures import heat, opinion, round_photo, share_card
from smartbreed.quiz.questions import HARDEST, Question, Questions
from smartbreed.quiz.tables import KINDS, MODES, QuizGame

#: Rounds of a timed game, mistakes that end an endless game, and seconds per timed round.
ROUNDS, LIVES, SECONDS = 5, 3, 20.0
#: Seconds allowed for an answer to reach the server; and seconds before which an answer is refused, because
#: a person needs longer to read the question.
_ON_ITS_WAY, FASTEST = 2.0, 0.7
#: Points of a right answer; extra points per level; most for speed; extra if the model was wrong.
_RIGHT, _LEVEL, _SPEED, _BEATEN = 100, 25, 50, 50
#: Right answers in a row that raise the level by one.
_STEP = 2
#: Fewest photos and fewest breeds that a photo game needs; seconds for which the list of photos is cached.
_FEWEST, _BREEDS, _COUNTED_S = 8, 4, 30.0
#: Seconds after its start when an unfinished game is deleted.
_FORGOTTEN_S = 86_400
#: Lines of a leaderboard.
SHOWN = 10
_ADJECTIVES = (
    "Bold", "Brave", "Bright", "Calm", "Clever", "Curious", "Fluffy", "Gentle", "Happy", "Jolly",
    "Kind", "Lucky", "Merry", "Nimble", "Quick", "Quiet", "Sleepy", "Sunny", "Swift", "Wise",
)  # fmt: skip
_ANIMALS = (
    "Badger", "Beaver", "Bison", "Crane", "Deer", "Falcon", "Finch", "Fox", "Hare", "Heron",
    "Koala", "Lynx", "Mole", "Otter", "Owl", "Panda", "Puffin", "Robin", "Seal", "Wren",
)  # fmt: skip


@dataclass(frozen=True)
class Player:
    """A player.

    Attributes:
        mark: identifies the browser, see `QuizGame.mark`.
        member: id of the member who is signed in there; empty for a visitor.
    """

    mark: str
    member: str = ""


@dataclass(frozen=True)
class Result:
    """The result of a round.

    Attributes:
        chosen: text of the chosen option; empty if none was chosen.
        right: whether the answer was right and in time.
        late: whether the answer came too late.
        points: points won.
        model, model_name, model_probability: breed id, name and probability (0…1) of the model's guess; empty
            and 0 if no photo was asked about, or if it was deleted meanwhile.
    """

    chosen: str
    right: bool
    late: bool
    points: int
    model: str = ""
    model_name: str = ""
    model_probability: float = 0.0


@dataclass(frozen=True)
class Place:
    """A line of a leaderboard: one game, and whether it is the player's own."""

    name: str
    points: int
    right: int
    rounds: int
    streak: int
    own: bool


@dataclass(frozen=True)
class Record:
    """A player's statistics over all finished games.

    Attributes:
        games: number of games.
        best: most points in a game.
        streak: most right answers in a row.
        right: right answers.
        rounds: answered rounds.
    """

    games: int
    best: int
    streak: int
    right: int
    rounds: int


class Quiz:
    """The quiz of an installation.

    Safe for any number of threads and processes: a database transaction decides whether an answer counts.

    Args:
        sessions: opens the database.
        gallery: provides the photos.
        identifier: returns the serving model.
        secret: returns the key that signs rounds.
        clock: returns the time in seconds; replaceable in tests.
    """

    def __init__(
        self,
        sessions: Callable[[], Sessions],
        gallery: Gallery,
        identifier: Callable[[], Identifier],
        secret: Callable[[], bytes],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._open, self._gallery, self._identifier = sessions, gallery, identifier
        self._secret, self.clock = secret, clock
        self._guard = threading.Lock()
        self._made: tuple[str, Questions] | None = None
        self._counted: tuple[float, str, list[tuple[str, str]]] = (float("-inf"), "", [])

    # -- playing

    def why_not(self, kind: str) -> str:
        """Return why no game of a kind can be played, in a sentence; empty if it can."""
        if kind == "facts":
            return "" if self._questions().has_facts else "There are no texts about this model's breeds."
        photos = self._photos()
        if len(photos) >= _FEWEST and len({label for _, label in photos}) >= _BREEDS:
            return ""
        return "There are not enough photographs here yet; the quiz about breed facts needs none."

    def start(self, player: Player, kind: str, mode: str) -> QuizGame:
        """Start a game; an unfinished game of the same browser is deleted.

        Raises:
            RequestError: ``no_such_game`` if kind or mode is unknown; ``no_photos`` if there is nothing to
                ask about.
            StorageError: the database refused.
        """
        if kind not in KINDS or mode not in MODES:
            raise RequestError("no_such_game", "There is no such game.")
        if why := self.why_not(kind):
            raise RequestError("no_photos", why, status=409)
        game = QuizGame(
            mark=player.mark, member_id=player.member or None, kind=kind, mode=mode, stage="asked",
            started_at=self._now(), rounds=0, right=0, model_right=0, points=0, streak=0, best_streak=0,
            lives=LIVES, asked="[]",
        )  # fmt: skip
        self._ask(game, self._photos() if game.kind == "photos" else [])
        stale = self._now() - dt.timedelta(seconds=_FORGOTTEN_S)
        with write(self._open()) as session:
            session.execute(
                sa.delete(QuizGame).where(
                    QuizGame.stage != "over",
                    sa.or_(QuizGame.mark == player.mark, QuizGame.started_at < stale),
                )
            )
            session.add(game)
        return game

    def game(self, player: Player, game_id: str) -> QuizGame:
        """Return one of the player's games.

        Raises:
            RequestError: ``no_such_game``.
            StorageError: the database refused.
        """
        with read(self._open()) as session:
            return self._own(session, player, game_id)

    def token(self, game: QuizGame) -> str:
        """Return the signed token for the form of the open round; it is valid for this round only."""
        question = question_of(game)
        text = self._signer().dumps([game.id, question.number, question.nonce])
        return text if isinstance(text, str) else text.decode()

    def hint(self, player: Player, game_id: str, token: str) -> None:
        """Unlock the Grad-CAM of the open round, which halves the points it is worth.

        Raises:
            RequestError: ``no_such_game``, ``bad_round``; ``no_hint`` if the question is not about a photo.
            StorageError: the database refused.
        """
        with write(self._open()) as session:
            game, question = self._open_round(session, player, game_id, token)
            if game.kind != "photos":
                raise RequestError("no_hint", "There is no hint for this question.")
            game.question = json.dumps(replace(question, hinted=True).as_dict())

    def answer(self, player: Player, game_id: str, token: str, choice: str) -> QuizGame:
        """Answer the open round. Only the server's clock counts.

        Args:
            choice: key of the option; empty for none.

        Raises:
            RequestError: ``no_such_game``; ``bad_round`` if it is not the open round or was answered already;
                ``too_fast`` if no person could have read the question, in which case nothing was counted;
                ``no_such_option``.
            StorageError: the database refused.
        """
        with read(self._open()) as session:  # slow work is done before the write lock is taken
            game, question = self._open_round(session, player, game_id, token)
        seconds = self.clock() - question.asked_at
        if seconds < FASTEST:
            raise RequestError(
                "too_fast",
                "That was faster than anyone can look. Take your time, and answer again.",
                status=429,
            )
        late = game.mode == "timed" and seconds > SECONDS + _ON_ITS_WAY
        options = dict(question.options)
        if choice not in options and not (late or choice == ""):
            raise RequestError("no_such_option", "Choose one of the answers.")
        said = None
        if game.kind == "photos":
            try:
                said = opinion(self._identifier(), self._jpeg(question))
            except SmartBreedError:  # such as a photo that was deleted meanwhile
                said = None
        right = choice == question.answer and not late
        beaten = right and said is not None and said.label != question.answer
        points = _points(question, game.mode, seconds, beaten) if right else 0
        result = Result(
            options.get(choice, ""), right, late, points,
            *((said.label, said.name, said.probability) if said else ()),
        )  # fmt: skip
        with write(self._open()) as session:
            game, question = self._open_round(session, player, game_id, token)
            game.stage, game.result = "shown", json.dumps(asdict(result))
            game.rounds += 1
            game.right += right
            game.points += points
            game.model_right += said is not None and said.label == question.answer
            game.streak = game.streak + 1 if right else 0
            game.best_streak = max(game.best_streak, game.streak)
            game.lives -= not right
            return game

    def go_on(self, player: Player, game_id: str, number: int) -> QuizGame:
        """Go on to the next round, or end the game.

        Args:
            number: of the round whose result is shown; any other number changes nothing.

        Raises:
            RequestError: ``no_such_game``.
            StorageError: the database refused.
        """
        # Read before the write lock is taken: a second connection inside it may never come while others, who
        # hold all connections, wait for the lock.
        photos = self._photos()
        with write(self._open()) as session:
            game = self._own(session, player, game_id)
            if game.stage != "shown" or question_of(game).number != number:
                return game
            done = game.rounds >= ROUNDS if game.mode == "timed" else game.lives <= 0
            if done or not self._ask(game, photos):
                game.stage, game.ended_at = "over", self._now()
            return game

    def picture(self, player: Player, game_id: str, number: int, kind: str) -> bytes:
        """Return a picture of the current round, as JPEG.

        Args:
            kind: ``photo``; ``heat`` for the Grad-CAM of the right answer, available once the result is shown
                or the hint was bought; ``guess`` for the Grad-CAM of the model's guess, available once the
                result is shown.

        Raises:
            RequestError: ``no_such_game``; ``no_such_picture`` if it is not available (yet) or the photo was
                deleted.
            StorageError: the database refused, or the photo's file is missing or damaged.
        """
        game = self.game(player, game_id)
        nothing = RequestError("no_such_picture", "There is no such picture.", status=404)
        if game.stage == "over" or game.kind != "photos" or question_of(game).number != number:
            raise nothing
        question, shown = question_of(game), game.stage == "shown"
        jpeg = self._jpeg(question)
        if kind == "photo":
            return jpeg
        if kind == "heat" and (shown or question.hinted):
            return heat(self._identifier(), jpeg, question.answer)
        result = result_of(game)
        if kind == "guess" and shown and result is not None and result.model:
            return heat(self._identifier(), jpeg, result.model)
        raise nothing

    # -- what came of it

    def board(self, kind: str, mode: str, player: Player, *, week: bool) -> list[Place]:
        """Return the best game of each player, best first, at most `SHOWN`.

        Args:
            week: True for games that ended this week, which begins on Monday (UTC); False for all time.

        Raises:
            StorageError: the database refused.
        """
        who = sa.func.coalesce(QuizGame.member_id, QuizGame.mark)
        wanted = [QuizGame.kind == kind, QuizGame.mode == mode, QuizGame.stage == "over", QuizGame.points > 0]
        if week:
            today = self._now().replace(hour=0, minute=0, second=0, microsecond=0)
            wanted.append(QuizGame.ended_at >= today - dt.timedelta(days=today.weekday()))
        place = sa.func.row_number().over(partition_by=who, order_by=(QuizGame.points.desc(), QuizGame.id))
        ranked = sa.select(QuizGame.id, place.label("place")).where(*wanted).subquery()
        query = (
            sa.select(QuizGame)
            .join(ranked, ranked.c.id == QuizGame.id)
            .where(ranked.c.place == 1)
            .order_by(QuizGame.points.desc(), QuizGame.id)
            .limit(SHOWN)
        )
        with read(self._open()) as session:
            games = list(session.scalars(query))
            names = self._names(session, games)
        return [
            Place(
                names[game.id], game.points, game.right, game.rounds, game.best_streak, _plays(game, player)
            )
            for game in games
        ]

    def record(self, player: Player) -> Record:
        """Return a player's statistics over all finished games.

        Raises:
            StorageError: the database refused.
        """
        mine = QuizGame.member_id == player.member if player.member else QuizGame.mark == player.mark
        total, most = sa.func.sum, sa.func.max
        query = sa.select(
            sa.func.count(), most(QuizGame.points), most(QuizGame.best_streak), total(QuizGame.right),
            total(QuizGame.rounds),
        ).where(mine, QuizGame.stage == "over")  # fmt: skip
        with read(self._open()) as session:
            return Record(*(value or 0 for value in session.execute(query).one()))

    def name(self, game: QuizGame) -> str:
        """Return the player's name on the leaderboard.

        Raises:
            StorageError: the database refused.
        """
        with read(self._open()) as session:
            return self._names(session, [game])[game.id]

    def card(self, game_id: str) -> bytes:
        """Return the result card of a finished game, as PNG; the game's id is enough to see it.

        Raises:
            RequestError: ``no_such_game``.
            StorageError: the database refused.
        """
        with read(self._open()) as session:
            game = session.get(QuizGame, game_id) if game_id.isascii() and game_id.isalnum() else None
            if game is None or game.stage != "over":
                raise RequestError("no_such_game", "There is no such game.", status=404)
            name = self._names(session, [game])[game.id]
        return share_card(name, game.points, tuple(summary(game)))

    # -- inside

    def _ask(self, game: QuizGame, photos: Sequence[tuple[str, str]]) -> bool:
        """Put the next question into a game; return False if none is left.

        Args:
            photos: see `_photos`.
        """
        questions, asked = self._questions(), json.loads(game.asked)
        level = min(game.streak // _STEP, HARDEST)
        question = None
        if game.kind == "facts":
            question = questions.fact(asked, level)
        else:
            left = [(photo, label) for photo, label in photos if photo not in asked]
            if left:
                # The breed is drawn first, so that one with many photos is not asked about more often.
                label = secrets.choice(sorted({label for _, label in left}))
                photo = secrets.choice([photo for photo, other in left if other == label])
                question = questions.photo(label, photo, level)
        if question is None:
            return False
        game.asked = json.dumps([*asked, question.photo])
        question = replace(
            question, number=game.rounds + 1, nonce=secrets.token_hex(12), asked_at=self.clock()
        )
        game.question, game.result, game.stage = json.dumps(question.as_dict()), None, "asked"
        return True

    def _open_round(
        self, session: Session, player: Player, game_id: str, token: str
    ) -> tuple[QuizGame, Question]:
        game = self._own(session, player, game_id)
        question = question_of(game)
        try:
            signed = self._signer().loads(token[:500])
        except (BadData, ValueError):
            signed = None
        if game.stage != "asked" or signed != [game.id, question.number, question.nonce]:
            raise RequestError(
                "bad_round", "This round has already been answered; nothing was counted.", status=409
            )
        return game, question

    @staticmethod
    def _own(session: Session, player: Player, game_id: str) -> QuizGame:
        # Characters that no id has can make a database driver fail.
        game = session.get(QuizGame, game_id) if game_id.isascii() and game_id.isalnum() else None
        if game is None or not _plays(game, player):
            raise RequestError("no_such_game", "You have no such game; begin a new one.", status=404)
        return game

    def _photos(self) -> list[tuple[str, str]]:
        """Return id and label of every gallery photo with one pet whose breed the model knows; cached."""
        identifier = self._identifier()
        made, revision, found = self._counted
        if time.monotonic() - made < _COUNTED_S and revision == identifier.bundle.version.revision:
            return found
        query = sa.select(GalleryPhoto.id, GalleryPhoto.label).where(
            GalleryPhoto.state == "kept", GalleryPhoto.pets == 1
        )
        known = set(identifier.labels)
        with read(self._open()) as session:
            found = [(row, label) for row, label in session.execute(query) if label in known]
        self._counted = (time.monotonic(), identifier.bundle.version.revision, found)
        return found

    def _questions(self) -> Questions:
        identifier = self._identifier()
        revision = identifier.bundle.version.revision
        with self._guard:
            if self._made is None or self._made[0] != revision:
                self._made = (revision, Questions(identifier.known.breeds, evaluation_of(identifier.bundle)))
            return self._made[1]

    def _jpeg(self, question: Question) -> bytes:
        with read(self._open()) as session:
            row = session.get(GalleryPhoto, question.photo)
        if row is None or not row.picture:
            raise RequestError("no_such_picture", "This photo has been deleted in the meantime.", status=404)
        try:
            return round_photo(read_photo(self._gallery.photo(row)), row.box, question.seed)
        except PhotoError as error:
            raise StorageError(error.message) from error

    def _names(self, session: Session, games: list[QuizGame]) -> dict[str, str]:
        members = sa.table("members", sa.column("id", sa.String), sa.column("name", sa.String))
        ids = [game.member_id for game in games if game.member_id]
        rows = session.execute(sa.select(members.c.id, members.c.name).where(members.c.id.in_(ids))).all()
        # No part of an e-mail address is ever used, because the leaderboard is public.
        named = {member: name.strip() for member, name in rows}
        return {game.id: named.get(game.member_id or "") or made_up_name(game.mark) for game in games}

    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secret(), salt="smartbreed quiz", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.clock(), dt.UTC)


def question_of(game: QuizGame) -> Question:
    """Return the current question of a game, with its answer."""
    return Question.of(json.loads(game.question or "{}"))


def result_of(game: QuizGame) -> Result | None:
    """Return the result of the current round; None while it is open."""
    return Result(**json.loads(game.result)) if game.result else None


def made_up_name(mark: str) -> str:
    """Return a made-up name for a visitor, which is always the same for one browser."""
    number = int(hashlib.sha256(mark.encode()).hexdigest(), 16)
    adjective, animal = _ADJECTIVES[number % len(_ADJECTIVES)], _ANIMALS[number // 32 % len(_ANIMALS)]
    return f"{adjective} {animal} {number // 1024 % 90 + 10}"


def summary(game: QuizGame) -> list[str]:
    """Return the result of a game in one or two lines."""
    if game.kind != "photos":
        return [f"{game.right} of {game.rounds} questions right, longest streak {game.best_streak}"]
    return [
        f"{game.right} of {game.rounds} photos right, longest streak {game.best_streak}",
        f"The model had {game.model_right} of the same {game.rounds} right.",
    ]


def _points(question: Question, mode: str, seconds: float, beaten: bool) -> int:
    worth = _RIGHT + _LEVEL * question.level + (_BEATEN if beaten else 0)
    if mode == "timed":
        worth += round(_SPEED * max(0.0, 1 - seconds / SECONDS))
    return worth // 2 if question.hinted else worth


def _plays(game: QuizGame, player: Player) -> bool:
    if game.member_id is not None:
        return game.member_id == player.member
    return secrets.compare_digest(game.mark, player.mark)
