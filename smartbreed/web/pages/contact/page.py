"""``/contact``: a form for messages to the site's operators; needs neither JavaScript nor an account."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from smartbreed.accounts.fields import normalise
from smartbreed.contact.messages import LONGEST
from smartbreed.core.errors import SmartBreedError
from smartbreed.i18n import gettext, mark, translated
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.account.visit import Visit, dependencies, form_app

#: Maximum number of messages from one network per hour.
_MESSAGES = 6
#: Maximum size of a form in bytes; each character may take twelve when URL-encoded.
_LONGEST_FORM = 12 * LONGEST + 4000
TOPICS = (
    ("question", mark("A question")),
    ("problem", mark("Something does not work")),
    ("idea", mark("An idea")),
    ("privacy", mark("My data, or a photo that should not be here")),
    ("other", mark("Something else")),
)


def contact_app(services: Services) -> FastAPI:
    """Return the app for ``/contact``."""
    rate = services.rate("messages", _MESSAGES)

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        return _page(visit, said.status, problem=translated(said.message))

    app = form_app(services, refused)
    asked, formed = dependencies(services, _LONGEST_FORM)

    @app.get("/contact")
    def show(visit: Visit = asked) -> Response:
        topic = visit.request.query_params.get("topic", "")
        return _page(visit, topic=topic, sent=visit.request.query_params.get("sent", ""))

    @app.post("/contact")
    def send(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        text, email = form.get("text", ""), form.get("email", "").strip()[:400]
        topic = form.get("topic", "")
        try:
            address = normalise(email) if email else ""
            rate.check(visit.caller)
            services.messages.send(text, topic, address, visit.who.id if visit.who else "")
        except SmartBreedError as error:  # show the form again with what was typed
            return _page(
                visit, error.status, problem=translated(error.message), topic=topic, text=text, email=email
            )
        return visit.go(f"{nav.root()}contact?sent={'answer' if address else 'yes'}")

    return app


def _page(visit: Visit, status: int = 200, **values: Any) -> Response:
    settings = visit.services.settings
    return visit.plain(
        "contact.html",
        status,
        key="contact",
        style="info",
        title=gettext("Contact"),
        path="contact",
        about=gettext("Write to the people who run this site."),
        **{
            "topics": [(key, gettext(text)) for key, text in TOPICS],
            "longest": LONGEST,
            "topic": "",
            "text": "",
            "sent": "",
            "email": visit.who.email if visit.who else "",
            "operator": settings.operator,
            "operator_email": settings.operator_email,
            "keep_messages": settings.keep_messages,
            **values,
        },
    )
