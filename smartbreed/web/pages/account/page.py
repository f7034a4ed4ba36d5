"""The account pages: a FastAPI app under ``/account`` whose forms work without JavaScript."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import IO, Any

from fastapi import FastAPI
from itsdangerous import BadData
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from smartbreed.accounts import member_data, providers
from smartbreed.accounts.maintainer_sessions import read_cookie, set_cookie
from smartbreed.accounts.secret import load_secret
from smartbreed.accounts.signed import SignedValues
from smartbreed.core.errors import AccountError, SmartBreedError
from smartbreed.feedback.tables import is_id
from smartbreed.i18n import mark
from smartbreed.quiz.quiz import Player
from smartbreed.services import Services
from smartbreed.web.address import below_root
from smartbreed.web.components import nav
from smartbreed.web.components.download import zip_answer
from smartbreed.web.pages.account import dashboard
from smartbreed.web.pages.account.visit import HOME, Visit, dependencies, form_app, safe_next

PROVIDER_COOKIE = "smartbreed_provider"
#: Maximum time that a person may take to sign in at a provider, in seconds.
AWAY_S = 15 * 60


def account_app(services: Services) -> FastAPI:
    """Return the app for ``/account``; an error becomes a page with its message."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        return visit.sign_in_first(said) or visit.page("message", said.status, problem=said.message)

    app = form_app(services, refused)
    _add_visitors(app, services)
    _add_members(app, services)
    _add_providers(app, services)
    return app


def _tried(visit: Visit, view: str, work: Callable[[], Response], **values: Any) -> Response:
    """Handle a form; after an error, show it again with the message, so that nothing typed is lost."""
    try:
        return work()
    except SmartBreedError as error:
        return visit.page(view, error.status, problem=error.message, **values)


def _add_visitors(app: FastAPI, services: Services) -> None:
    """Add the routes for everyone: sign-up, sign-in, password reset, and receipts of deletions."""
    asked, formed = dependencies(services)
    members = services.members

    def ways(visit: Visit) -> dict[str, Any]:
        found = [(one.key, one.name) for one in providers.configured(services.settings)]
        return {
            "providers": found,
            "space": providers.on_space(),
            "passwords": members.mails or not providers.on_space(),
        }

    @app.get("/account/name")
    def name(visit: Visit = asked) -> Response:
        shown = visit.who.shown if visit.who else ""
        return JSONResponse(
            {"name": shown, "off": sorted(services.switches.off)}, headers={"Cache-Control": "no-store"}
        )

    @app.get("/account/sign-in")
    def show_sign_in(visit: Visit = asked) -> Response:
        if visit.who is not None:
            return visit.go(visit.next)
        return visit.page("sign-in", email="", **ways(visit), next=visit.next)

    @app.post("/account/sign-in")
    def sign_in(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        email, after = form.get("email", "")[:400], safe_next(form.get("next", ""))

        def work() -> Response:
            cookie = members.log_in(
                email,
                form.get("password", ""),
                visit.caller,
                visit.device,
                visit.agent,
                visit.cookie,
                visit.mark,
            )
            return visit.enter(cookie, after)

        return _tried(visit, "sign-in", work, email=email, **ways(visit), next=after)

    @app.get("/account/sign-up")
    def show_sign_up(visit: Visit = asked) -> Response:
        return visit.page("sign-up", email="", name="", **ways(visit), next=visit.next)

    @app.post("/account/sign-up")
    def sign_up(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        email, called = form.get("email", "")[:400], form.get("name", "")[:200]

        def work() -> Response:
            members.sign_up(email, form.get("password", ""), called, visit.caller, visit.mark)
            return visit.page("sent", why="sign-up", mails=members.mails)

        return _tried(visit, "sign-up", work, email=email, name=called, **ways(visit))

    @app.get("/account/verify")
    def show_verify(visit: Visit = asked, token: str = "") -> Response:
        return visit.page("verify", link=token, password=members.needs_password(token, visit.mark))

    @app.post("/account/verify")
    def verify(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        link = form.get("link", "")
        needed = members.needs_password(link, visit.mark)

        def work() -> Response:
            password = form.get("password")
            return visit.enter(members.verify(link, visit.mark, visit.caller, password, visit.agent), HOME)

        return _tried(visit, "verify", work, link=link, password=needed)

    @app.get("/account/forgot")
    def show_forgot(visit: Visit = asked) -> Response:
        return visit.page("forgot", email="")

    @app.post("/account/forgot")
    def forgot(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        email = form.get("email", "")[:400]

        def work() -> Response:
            members.forgot(email, visit.caller)
            return visit.page("sent", why="forgot", mails=members.mails)

        return _tried(visit, "forgot", work, email=email)

    @app.get("/account/reset")
    def show_reset(visit: Visit = asked, token: str = "") -> Response:
        members.check_reset(token)
        return visit.page("reset", link=token)

    @app.post("/account/reset")
    def reset(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        link = form.get("link", "")
        members.check_reset(link)

        def work() -> Response:
            return visit.enter(members.reset(link, form.get("password", ""), visit.agent), HOME)

        return _tried(visit, "reset", work, link=link)

    @app.get("/account/receipt/{receipt}")
    def show_receipt(receipt: str, visit: Visit = asked) -> Response:
        known = re.fullmatch(r"[0-9a-f]{32}", receipt)
        found = services.deletion(receipt) if known else None
        if found is None:
            raise AccountError("no_such_receipt", "There is no such receipt.", status=404)
        return visit.page("receipt", receipt=found)


def _add_members(app: FastAPI, services: Services) -> None:
    """Add the routes with which members manage their own data, sessions and account."""
    asked, formed = dependencies(services)
    members = services.members

    def show(visit: Visit, status: int = 200, **values: Any) -> Response:
        who = visit.member()
        return visit.page(
            "dashboard", status, flags=dashboard.rows(services, who.id), most=dashboard.SHOWN,
            sessions=members.sessions_of(who.id), browser_words=dashboard.browser_words,
            kept=dashboard.kept(services, who.id), quiz=services.quiz.record(Player("", who.id)),
            root=nav.root(), **values,
        )  # fmt: skip

    @app.get("/account")
    def show_dashboard(visit: Visit = asked) -> Response:
        return show(visit)

    @app.get("/account/photo/{flag}")
    def photo(flag: str, visit: Visit = asked) -> Response:
        jpeg = dashboard.picture(services, visit.member().id, flag)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})

    @app.get("/account/kept/{photo}")
    def kept(photo: str, visit: Visit = asked) -> Response:
        jpeg = dashboard.kept_picture(services, visit.member().id, photo)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})

    @app.post("/account/kept")
    def change_kept(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who, do = visit.member(), form.get("do", "")
        if do in ("keep", "stop"):
            services.kept_photos.agree(who.id, dt.datetime.now(dt.UTC) if do == "keep" else None)
        elif do == "forget" and ((photo := form.get("photo", "?")) == "" or is_id(photo)):
            services.kept_photos.forget(who.id, form["photo"])
        else:
            raise AccountError("bad_form", "This is not one of our forms.", status=400)
        return visit.go("/account#photos")

    @app.get("/account/download")
    def download(visit: Visit = asked) -> Response:
        who = visit.member()

        def write(file: IO[bytes]) -> str:
            member_data.export(services.flags, services.kept_photos, services.teach.store, who.id, file)
            return "smartbreed-my-data.zip"

        return zip_answer(write)

    @app.post("/account/password")
    def password(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = visit.member()
        try:
            members.change_password(who, form.get("old", ""), form.get("new", ""), visit.caller)
        except SmartBreedError as error:
            return show(visit, error.status, problem=error.message)
        return show(visit, note=mark("Your password is changed; you are signed out everywhere else."))

    @app.post("/account/sessions/end")
    def end(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who, which = visit.member(), form.get("session", "")
        if not re.fullmatch(r"|[0-9a-f]{64}", which):
            raise AccountError("bad_form", "This is not one of our forms.", status=400)
        members.end_sessions(who, which)
        return visit.enter("", "/account/sign-in") if which in ("", who.session) else visit.go(HOME)

    @app.post("/account/sign-out")
    def sign_out(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = visit.member()
        members.end_sessions(who, who.session)
        return visit.enter("", "/")

    @app.get("/account/delete")
    def show_delete(visit: Visit = asked) -> Response:
        visit.member()
        return visit.page("delete")

    @app.post("/account/delete")
    def delete(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = visit.member()

        def work() -> Response:
            members.confirm(who, form.get("password", ""), visit.caller)
            by = who.id if who.role == "admin" else ""  # the last admin cannot be deleted
            return visit.enter("", f"/account/receipt/{services.delete_member(who.id, by)}")

        return _tried(visit, "delete", work)


def _add_providers(app: FastAPI, services: Services) -> None:
    """Add the routes for signing in with a provider."""
    asked, _ = dependencies(services)
    known = {one.key: one for one in providers.configured(services.settings)}
    clients: dict[str, providers.SignIn] = {}

    def client_of(key: str) -> providers.SignIn:
        if key not in known:
            raise AccountError("no_such_page", "There is no such way to sign in here.", status=404)
        if key not in clients:
            clients[key] = providers.SignIn(known[key])
        return clients[key]

    def away() -> SignedValues:
        return SignedValues(load_secret(services.settings), "provider", AWAY_S)

    def opened(request: Request) -> tuple[Request, dict[str, Any]]:
        """Return the request with Authlib's session, and that session; gradio's own, on a Space, is kept."""
        try:
            session = away().read(read_cookie(request.headers, PROVIDER_COOKIE))
        except BadData:
            session = {}
        return Request({**request.scope, "session": session}, request.receive), session

    def closed(visit: Visit, answer: Response, session: dict[str, Any]) -> Response:
        value = away().sign(session) if session else ""
        age = AWAY_S if session else 0
        answer.headers.append(
            "Set-Cookie", set_cookie(PROVIDER_COOKIE, value, age, secure=visit.secure, same_site="Lax")
        )
        return visit.kept(answer)

    def back_to(visit: Visit, key: str) -> str:
        public = services.settings.public_url.rstrip("/") or str(visit.request.base_url).rstrip("/")
        return f"{below_root(public)}/account/with/{key}/back"

    @app.get("/account/with/{key}")
    async def begin(key: str, visit: Visit = asked) -> Response:
        client = await run_in_threadpool(client_of, key)
        request, session = opened(visit.request)
        session.clear()
        answer = await client.begin(request, back_to(visit, key))
        session["next"] = visit.next
        return closed(visit, answer, session)

    @app.get("/account/with/{key}/back")
    async def come_back(key: str, visit: Visit = asked) -> Response:
        client = await run_in_threadpool(client_of, key)
        request, session = opened(visit.request)
        after = safe_next(str(session.get("next", "")))
        claim = await client.finish(request)
        cookie = await run_in_threadpool(services.members.enter_with, claim, visit.agent, visit.cookie)
        return closed(visit, visit.enter(cookie, after), {})

    @app.get("/account/hugging-face")
    def from_space(visit: Visit = asked) -> Response:
        """Finish gradio's own sign-in on a Space, which redirects here."""
        found = (
            visit.request.scope.get("session", {}).pop("oauth_info", None) if providers.on_space() else None
        )
        if not isinstance(found, dict):
            raise AccountError("provider_refused", "Hugging Face did not sign you in; try again.", status=403)
        claim = providers.claim_of("Hugging Face", providers.HUGGING_FACE, found["userinfo"])
        return visit.enter(services.members.enter_with(claim, visit.agent, visit.cookie), HOME)
