"""The language of a visitor: for a page from its request, for a gradio event from the request behind it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smartbreed.accounts.maintainer_sessions import read_cookie, set_cookie
from smartbreed.accounts.origin import over_https, public_origin
from smartbreed.core.settings import Settings
from smartbreed.i18n.languages import LANGUAGES, ask_first, negotiated, speaking
from smartbreed.i18n.things import about_things, ask_first_of
from smartbreed.web.api.client import calling_scope

LANGUAGE_COOKIE = "smartbreed_lang"
LANGUAGE_LASTS_S = 31_536_000
#: Key in a request's scope: True if the model in use names other things than pets.
_THINGS = "smartbreed.things"
#: Path prefixes that programs call; they are answered in English.
_PROGRAMS = ("/api", "/gradio_api/", "/assets/", "/static/", "/files/")


def _of_event() -> str:
    """Return the language of the visitor whose gradio event this thread is handling; "" outside of events."""
    scope = calling_scope()
    if not scope:
        return ""
    headers = Headers(scope=dict(scope))
    return negotiated(read_cookie(headers, LANGUAGE_COOKIE), headers.get("accept-language", ""))


def _things_of_event() -> bool | None:
    """True if the model behind that event names other things than pets; None outside of events."""
    known = calling_scope().get(_THINGS)
    return known if isinstance(known, bool) else None


ask_first(_of_event)
ask_first_of(_things_of_event)


class LanguageMiddleware:
    """Serves pages in the visitor's language, and remembers one chosen with ``?lang=`` in a cookie.

    Args:
        app: the wrapped app.
        settings: only the public address is used.
        things: returns True if the model in use names other things than pets.
    """

    def __init__(self, app: ASGIApp, settings: Settings, things: Callable[[], bool]) -> None:
        self._app, self._things = app, things
        self._public = public_origin(settings.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope[_THINGS] = self._things()
        if scope["type"] != "http" or scope["path"].startswith(_PROGRAMS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[-1]
        asked = asked if asked in LANGUAGES else ""
        chosen = asked or read_cookie(headers, LANGUAGE_COOKIE)
        code = negotiated(chosen, headers.get("accept-language", ""))
        secure = over_https(scope["scheme"], headers, self._public)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if answer.get("content-type", "").startswith("text/html"):
                    answer["Content-Language"] = code
                    for name in ("Accept-Language", "Cookie"):
                        answer.add_vary_header(name)
                    if asked:
                        cookie = set_cookie(
                            LANGUAGE_COOKIE, asked, LANGUAGE_LASTS_S, secure=secure, same_site="Lax"
                        )
                        answer.append("Set-Cookie", cookie)
            await send(message)

        with speaking(code), about_things(scope[_THINGS]):
            await self._app(scope, receive, sending)
