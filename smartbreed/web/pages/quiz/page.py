"""The quiz: a FastAPI app under ``/quiz`` whose games are forms that work without JavaScript."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from smartbreed.core.errors import RequestError, SmartBreedError
from smartbreed.i18n import gettext, mark
from smartbreed.quiz.quiz import LIVES, ROUNDS, SECONDS, Player, question_of, result_of, summary
from smartbreed.quiz.tables import KINDS, MODES, QuizGame
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.account.visit import Visit, dependencies, form_app

#: Maximum number of games started from one network per hour.
_GAMES = 300
_TITLE, _ABOUT = (
    mark("Quiz"),
    mark("Guess the breed, against the model: five rounds against the clock, or until three mistakes."),
)
#: Titles of the views other than the start page.
_TITLES = {
    "round": mark("A round of the quiz"), "result": mark("A round of the quiz"),
    "over": mark("The end of a game"),
}  # fmt: skip


def quiz_app(services: Services) -> FastAPI:
    """Return the app for ``/quiz``; an error becomes a page with its message."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        if request.url.path.startswith(("/quiz/picture/", "/quiz/card/")):
            headers = {"Cache-Control": "no-store"}
            return Response(said.message, said.status, headers, "text/plain")
        return _page(visit, "message", said.status, problem=said.message)

    app = form_app(services, refused)
    _add_routes(app, services)
    return app


def _add_routes(app: FastAPI, services: Services) -> None:
    quiz = services.quiz
    games = services.rate("games", _GAMES, quiz.clock)

    asked, formed = dependencies(services)

    @app.get("/quiz")
    def show(request: Request, visit: Visit = asked) -> Response:
        player, query = _player(visit), request.query_params
        kind = query.get("kind", "")
        kind = kind if kind in KINDS else "facts" if quiz.why_not("photos") else "photos"
        mode = query["mode"] if query.get("mode") in MODES else "timed"
        boards = [(text, quiz.board(kind, mode, player, week=week)) for text, week in _BOARDS]
        return _page(
            visit, "start", kind=kind, mode=mode, boards=boards, record=quiz.record(player),
            why={one: quiz.why_not(one) for one in KINDS},
        )  # fmt: skip

    @app.post("/quiz/start")
    def start(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        games.check(visit.caller)
        game = quiz.start(_player(visit), form.get("kind", ""), form.get("mode", ""))
        return visit.go(_play(game))

    @app.get("/quiz/play/{game}")
    def play(game: str, visit: Visit = asked) -> Response:
        found = quiz.game(_player(visit), game)
        return _over(visit, found) if found.stage == "over" else _round(visit, found)

    @app.post("/quiz/play/{game}/hint")
    def hint(game: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        return tried(visit, game, lambda: quiz.hint(_player(visit), game, form.get("round", "")))

    @app.post("/quiz/play/{game}/answer")
    def answer(game: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        choice = form.get("choice", "")
        return tried(visit, game, lambda: quiz.answer(_player(visit), game, form.get("round", ""), choice))

    @app.post("/quiz/play/{game}/next")
    def go_on(game: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        text = form.get("number", "")
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
        return tried(visit, game, lambda: quiz.go_on(_player(visit), game, number))

    @app.get("/quiz/picture/{game}/{number}/{kind}")
    def picture(game: str, number: int, kind: str, visit: Visit = asked) -> Response:
        jpeg = quiz.picture(_player(visit), game, number, kind)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})

    @app.get("/quiz/card/{game}")
    def card(game: str) -> Response:
        headers = {
            "Content-Disposition": 'inline; filename="smartbreed-quiz.png"',
            "Cache-Control": "no-cache",
        }
        return Response(quiz.card(game.removesuffix(".png")), media_type="image/png", headers=headers)

    def tried(visit: Visit, game_id: str, work: Any) -> Response:
        """Run an action and redirect to the game; after an error, show the game with the message."""
        try:
            work()
        except RequestError as error:
            game = quiz.game(_player(visit), game_id)
            if game.stage == "over":
                return visit.go(_play(game))
            return _round(visit, game, error.status, problem=error.message)
        return visit.go(f"{nav.root()}quiz/play/{game_id}")

    def _round(visit: Visit, game: QuizGame, status: int = 200, problem: str = "") -> Response:
        question, result = question_of(game), result_of(game)
        left = max(0.0, question.asked_at + SECONDS - quiz.clock())
        last = game.rounds >= ROUNDS if game.mode == "timed" else game.lives <= 0
        at = f"{nav.root()}quiz/picture/{game.id}/{question.number}"
        values: dict[str, Any] = {
            "game": game, "number": question.number, "level": question.level, "problem": problem,
            "text": question.text, "quote": question.quote, "hinted": question.hinted,
            "photo": f"{at}/photo" if game.kind == "photos" else "",
            "heat": f"{at}/heat" if game.kind == "photos" and (result or question.hinted) else "",
        }  # fmt: skip
        if result is None:
            values |= {"options": question.options, "signed": quiz.token(game), "left": round(left)}
            return _page(visit, "round", status, **values)
        return _page(
            visit, "result", status, **values, result=result, right=question.right, breed=question.breed,
            source=question.source, fact=question.about, last=last,
            guess=f"{at}/guess" if result.model and result.model != question.answer else "",
        )  # fmt: skip

    def _over(visit: Visit, game: QuizGame) -> Response:
        player = _player(visit)
        boards = [(text, quiz.board(game.kind, game.mode, player, week=week)) for text, week in _BOARDS]
        return _page(
            visit, "over", game=game, lines=summary(game), boards=boards, name=quiz.name(game),
            card=f"{nav.root()}quiz/card/{game.id}.png",
        )  # fmt: skip


_BOARDS = ((mark("This week"), True), (mark("All time"), False))


def _player(visit: Visit) -> Player:
    return Player(visit.mark, visit.who.id if visit.who else "")


def _play(game: QuizGame) -> str:
    return f"{nav.root()}quiz/play/{game.id}"


def _page(visit: Visit, view: str, status: int = 200, **values: Any) -> Response:
    title = gettext(_TITLES.get(view, _TITLE))
    return visit.plain(
        f"quiz/{view}.html", status, key="quiz", title=title, about=gettext(_ABOUT), path="quiz",
        rounds=ROUNDS, most_lives=LIVES, seconds=round(SECONDS), **values,
    )  # fmt: skip
