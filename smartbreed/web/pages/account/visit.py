"""A request to a page with forms: its sender, their browser, and the submitted form."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from smartbreed.accounts.maintainer_sessions import DEVICE_COOKIE, device_header, read_cookie, set_cookie
from smartbreed.accounts.members import COOKIE, LASTS_S, SignedIn
from smartbreed.accounts.origin import over_https, public_origin
from smartbreed.core.errors import AccountError, RequestError, SmartBreedError
from smartbreed.i18n import gettext, mark, translated
from smartbreed.services import Services, explain_failure
from smartbreed.web.address import below_root
from smartbreed.web.api.access import route_for
from smartbreed.web.api.client import client_of
from smartbreed.web.api.problems import answered
from smartbreed.web.components import nav, templates
from smartbreed.web.components.plain import file_address, page_style

#: Cookie that identifies the browser that a form was made for.
FORM_COOKIE = "smartbreed_form"
FORM_LASTS_S = 86_400
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
#: Maximum size of a form in bytes, and maximum number of its fields.
_LONGEST, _MOST_FIELDS = 20_000, 20
HOME = "/account"
#: Views that show an empty form when they are opened.
_FORMS = ("sign-in", "sign-up", "forgot", "delete")
#: Title and description by view of ``templates/account.html``.
_SAID = {
    "sign-in": (mark("Sign in"), mark("Sign in to see your flags, and what became of them.")),
    "sign-up": (
        mark("Create an account"),
        mark("An account keeps your flags in one place and shows what became of them."),
    ),
    "sent": (mark("Check your e-mail"), mark("The next step is a link in an e-mail.")),
    "verify": (mark("Confirm your address"), mark("Confirm that the e-mail address of an account is yours.")),
    "forgot": (mark("Forgot your password?"), mark("Ask for a link for choosing a new password.")),
    "reset": (mark("Choose a new password"), mark("Choose the new password of your account.")),
    "dashboard": (
        mark("My account"),
        mark("Your flags, your photos, where you are signed in, and your data."),
    ),
    "delete": (mark("Delete my account"), mark("What is deleted with your account, and what stays.")),
    "receipt": (
        mark("Receipt of a deletion"),
        mark("How far the deletion of an account has come, without personal data."),
    ),
    "message": (mark("That did not work"), mark("Why this did not work, and what to do instead.")),
}


def safe_next(text: str) -> str:
    """Return the address if it is a page of this app and not another website, else the account page."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    plain = text.isascii() and text.isprintable() and "\\" not in text and len(text) <= 500
    inside = text.startswith("/") and not text.startswith("//") and not parts.scheme and not parts.netloc
    route = route_for(parts.path) if plain and inside else None
    return text if route is not None and "GET" in route.methods else HOME


@dataclass(frozen=True)
class Visit:
    """A request with its sender, as every handler receives it.

    Attributes:
        who: the signed-in member; None for a visitor.
        browser: random id of the browser, kept in a cookie.
    """

    services: Services
    request: Request
    who: SignedIn | None
    browser: str

    @property
    def caller(self) -> str:
        return client_of(self.request)

    @property
    def agent(self) -> str:
        return self.request.headers.get("user-agent", "")

    @property
    def device(self) -> str:
        """Id of a browser that signed in before, else empty; see `smartbreed.throttle.login_throttle`."""
        return self.services.maintainers.device_of(self.request)

    @property
    def cookie(self) -> str:
        return read_cookie(self.request.headers, COOKIE)

    @property
    def mark(self) -> str:
        return self.services.members.browser_mark(self.browser)

    @property
    def secure(self) -> bool:
        public = public_origin(self.services.settings.public_url)
        return over_https(self.request.url.scheme, self.request.headers, public)

    @property
    def token(self) -> str:
        """The CSRF token that the forms of this visit carry."""
        return self.services.members.form_token(self.browser, self.who.session if self.who else "")

    @property
    def next(self) -> str:
        return safe_next(self.request.query_params.get("next", ""))

    def member(self) -> SignedIn:
        """Return the signed-in member.

        Raises:
            AccountError: ``sign_in`` if the sender is not signed in.
        """
        if self.who is None:
            raise AccountError("sign_in", "Please sign in first.", status=401)
        return self.who

    async def form(self, longest: int = _LONGEST) -> dict[str, str]:
        """Return the fields of the submitted form after checking its token.

        Args:
            longest: maximum size of the form in bytes.

        Raises:
            AccountError: ``too_long`` (413), ``bad_form``, or ``old_form`` if the token is not that of this
                browser and sign-in.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = bytearray()
        async for part in self.request.stream():
            body += part
            if len(body) > longest:  # the rest is not read: some routes accept far more than a form may have
                raise AccountError(
                    "too_long", "That is more text than this form takes; please shorten it.", status=413
                )
        if kind != "application/x-www-form-urlencoded":
            raise AccountError("bad_form", "This is not one of our forms.", status=400)
        try:
            text = body.decode("ascii")
            fields = dict(
                parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
            )
        except ValueError:
            raise AccountError("bad_form", "This is not one of our forms.", status=400) from None
        self.check_token(fields.get("token", ""))
        return fields

    def check_token(self, token: str) -> None:
        """Refuse a form that was not made for this browser and sign-in.

        Raises:
            AccountError: ``old_form``.
        """
        if not compare_digest(token.encode(), self.token.encode()):
            raise AccountError(
                "old_form", "This form is out of date; nothing was done. Try again.", status=403
            )

    # -- responses

    @property
    def _site(self) -> str:
        return self.services.introduction[0] or "SmartBreed"

    @property
    def _base(self) -> str:
        """The site's public URL, without a trailing slash."""
        public = public_origin(self.services.settings.public_url)
        return below_root(public or str(self.request.base_url).rstrip("/"))

    def page(self, view: str, status: int = 200, **values: Any) -> Response:
        """Return a view of ``templates/account.html``; its canonical URL omits the query of a link."""
        title, about = map(gettext, _SAID[view])
        path = self.request.scope["path"].removeprefix(self.request.scope.get("root_path", "")).strip("/")
        maintainers, off = self.services.maintainers.reachable, self.services.switches.off
        html = templates.render(
            "account.html",
            view=view,
            status=status,
            title=title,
            about=about,
            site=self._site,
            url=f"{self._base}/{path}",
            image=f"{self._base}/{file_address('icon-512.png')}",
            token=self.token,
            who=self.who,
            header=Markup(
                nav.header(
                    "account",
                    maintainers=maintainers,
                    account=self.who.shown if self.who else "",
                    off=off,
                )
            ),
            footer=Markup(nav.footer(off=off, here=nav.root() + self._again(view, path, status))),
            off=off,
            style=Markup(page_style("account.css")),
            script=nav.root() + file_address("forms.js"),
            **{"next": HOME, "problem": "", "note": "", **values},
        )
        return self.kept(HTMLResponse(html, status))

    def _again(self, view: str, path: str, status: int) -> str:
        """Return the path that the language links lead to.

        The answer to a form and an error cannot be opened again: their links lead to the empty form if there
        is one, else to the account page.
        """
        if self.request.method == "GET" and status < 400:
            query = [(key, value) for key, value in self.request.query_params.multi_items() if key != "lang"]
            return f"{path}?{urlencode(query)}" if query else path
        return f"account/{view}" if view in _FORMS else "account"

    def plain(
        self, template: str, status: int = 200, *, key: str, title: str, about: str, path: str,
        style: str = "", **values: Any,
    ) -> Response:  # fmt: skip
        """Return a page whose template extends ``templates/plain.html``.

        Args:
            template: file name of the template.
            key: key of the page in the header and footer, and of its stylesheet unless ``style`` is given.
            title, about: title and description.
            path: path below the root, without a leading slash.
            style: key of the stylesheet.
        """
        services, account = self.services, self.who.shown if self.who else ""
        off, maintainers = services.switches.off, services.maintainers.reachable
        html = templates.render(
            template, key=style or key, title=title, about=about, status=status,
            url=f"{self._base}/{path}", site=self._site,
            root=nav.root(), file=file_address, address=nav.breed, token=self.token, who=self.who,
            header=Markup(nav.header(key, maintainers=maintainers, account=account, off=off)),
            footer=Markup(nav.footer(key, off, nav.root() + path)), off=off,
            **{"problem": "", **values},
        )  # fmt: skip
        return self.kept(HTMLResponse(html, status))

    def message(self, title: str, said: str, status: int, *, key: str = "", path: str = "") -> Response:
        """Return a page with only a message.

        Args:
            key, path: see `plain`.
        """
        return self.plain(
            "message.html",
            status,
            key=key,
            style="info",
            title=title,
            about=translated(said),
            path=path,
            problem=translated(said),
        )

    def sign_in_first(self, said: SmartBreedError) -> Response | None:
        """Redirect to the sign-in page and back again if the error only asks for it; else return None."""
        if said.code != "sign_in" or self.request.method != "GET":
            return None
        return self.go(f"/account/sign-in?next={self.request.url.path}")

    def go(self, where: str) -> Response:
        """Redirect to another page."""
        return self.kept(RedirectResponse(where, 303))

    def enter(self, cookie: str, where: str) -> Response:
        """Sign in and redirect to another page; an empty cookie signs out."""
        answer = self.go(where)
        age = LASTS_S if cookie else 0
        answer.headers.append(
            "Set-Cookie", set_cookie(COOKIE, cookie, age, secure=self.secure, same_site="Lax")
        )
        if cookie and not read_cookie(self.request.headers, DEVICE_COOKIE):
            value = self.services.maintainers.new_device()
            answer.headers.append("Set-Cookie", device_header(value, secure=self.secure))
        return answer

    def kept(self, answer: Response) -> Response:
        """Return the response with the browser's cookie and without caching."""
        answer.headers["Cache-Control"] = "no-store"
        if read_cookie(self.request.headers, FORM_COOKIE) != self.browser:
            answer.headers.append(
                "Set-Cookie",
                set_cookie(FORM_COOKIE, self.browser, FORM_LASTS_S, secure=self.secure, same_site="Lax"),
            )
        return answer


def visit_of(services: Services, request: Request) -> Visit:
    """Return the visit that belongs to a request.

    Raises:
        StorageError: the database cannot be read.
    """
    browser = read_cookie(request.headers, FORM_COOKIE)
    if not _BROWSER.fullmatch(browser):
        browser = secrets.token_urlsafe(32)
    return Visit(services, request, services.members.of(request.headers), browser)


def form_app(services: Services, refused: Callable[[Request, Visit, SmartBreedError], Response]) -> FastAPI:
    """Return an app for pages with forms, in which every exception becomes a response with a message.

    Args:
        refused: makes that response from the request, the visit and the error; called in a thread. If the
            database cannot be read, the visit has no member.
    """

    async def failed(request: Request, error: Exception) -> Response:
        answered(request)
        if isinstance(error, ClientDisconnect):
            return Response(status_code=400)
        if isinstance(error, HTTPException | RequestValidationError):
            status = error.status_code if isinstance(error, HTTPException) else 422
            error = RequestError("no_such_page", "There is nothing like that here.", status=status)
        said = explain_failure(error)
        visit = Visit(services, request, None, "")
        try:
            visit = await run_in_threadpool(visit_of, services, request)
        except SmartBreedError as unknown:
            said = unknown
        return await run_in_threadpool(refused, request, visit, said)  # a page reads the database

    errors = (SmartBreedError, HTTPException, RequestValidationError, ClientDisconnect, Exception)
    handlers: dict[Any, Any] = dict.fromkeys(errors, failed)
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None, exception_handlers=handlers)


def dependencies(services: Services, longest: int = _LONGEST) -> tuple[Any, Any]:
    """Return two FastAPI dependencies: the visit, and the fields of the submitted form.

    Args:
        longest: maximum size of a form in bytes.
    """

    def visit(request: Request) -> Visit:
        return visit_of(services, request)

    asked: Any = Depends(visit)

    async def form(visit: Visit = asked) -> dict[str, str]:
        return await visit.form(longest)

    return asked, Depends(form)
