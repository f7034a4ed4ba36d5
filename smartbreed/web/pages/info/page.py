"""``/about``, ``/privacy`` and ``/terms``, filled in from this installation's settings and model."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from smartbreed import __version__
from smartbreed.accounts import link_tokens, maintainer_sessions, members, providers
from smartbreed.accounts.kept_photos import MOST as MOST_KEPT
from smartbreed.core.errors import SmartBreedError
from smartbreed.hub.connection import chosen_hub
from smartbreed.i18n import gettext, mark, ngettext, translated
from smartbreed.inference.bundle import Bundle
from smartbreed.services import Services
from smartbreed.statistics.report import measured
from smartbreed.web.api.language import LANGUAGE_COOKIE, LANGUAGE_LASTS_S
from smartbreed.web.api.sessions import IDLE_S
from smartbreed.web.api.upload_folder import AGE_S
from smartbreed.web.pages.account.page import AWAY_S, PROVIDER_COOKIE
from smartbreed.web.pages.account.visit import FORM_COOKIE, FORM_LASTS_S, Visit, dependencies, form_app
from smartbreed.web.pages.offline.page import why_not_offline

_DAY_S = 86_400
_PAGES = {
    "about": (mark("About"), mark("What this program is, who runs it here, and how well its model works.")),
    "privacy": (
        mark("Privacy"),
        mark("What is kept here, for how long, who sees it, and how to have it deleted."),
    ),
    "terms": (mark("Terms"), mark("What you may do here, what you may rely on, and who owns the photos.")),
}
#: Maximum number of characters read from a model card.
_LONGEST_CARD = 200_000


def info_app(services: Services) -> FastAPI:
    """Return the app for these pages."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        return visit.message(
            gettext("That did not work"), translated(said.message), said.status, key="info", path="about"
        )

    app = form_app(services, refused)
    asked, _ = dependencies(services)

    def show(key: str) -> Any:
        title, about = _PAGES[key]

        def page(visit: Visit = asked) -> Response:
            return visit.plain(
                f"info/{key}.html",
                key=key,
                style="info",
                title=gettext(title),
                about=gettext(about),
                path=key,
                **facts(services),
            )

        return page

    for key in _PAGES:
        app.get(f"/{key}")(show(key))
    return app


def facts(services: Services) -> dict[str, Any]:
    """Return the values of the pages that differ between installations."""
    settings, bundle = services.settings, services.identifier.bundle
    hub = chosen_hub(settings)
    config = bundle.config
    licence, sources = card_of(bundle)
    return {
        "operator": settings.operator,
        "operator_email": settings.operator_email,
        "program_version": __version__,
        "model": config.name,
        "model_version": config.version,
        "labels": len(config.classifier.labels),
        "offline": not why_not_offline(services),
        "finds_pets": config.detector is not None,
        "measured": measured(bundle, None),
        "confidence": config.classifier.thresholds.breed,
        "licence": licence,
        "sources": sources,
        "takes_flags": services.switches.is_on("flags"),
        "publishing": settings.publishing,
        "dataset": settings.dataset,
        "dataset_hub": "" if hub.embedded else hub.endpoint,
        "max_megabytes": settings.max_bytes / 1e6,
        "max_photos": settings.max_photos,
        "client_flags": services.switches.value("client_flags"),
        "upload_minutes": round(AGE_S / 60),
        "session_minutes": round(IDLE_S / 60),
        "most_kept": MOST_KEPT,
        "unconfirmed_days": members.UNCONFIRMED_S // _DAY_S,
        "keep_messages": settings.keep_messages,
        "mails": services.members.mails,
        "providers": [one.name for one in providers.configured(settings)],
        "space": providers.on_space(),
        "phrased": services.assistant.phrase is not None,
        "assistant_model": settings.assistant_model,
        "cookies": cookies(),
        "link_hours": link_tokens.LASTS_S["verify"] // 3600,
    }


def cookies() -> list[tuple[str, str, str]]:
    """Return name, purpose and lifetime of each cookie."""
    return [
        (
            FORM_COOKIE,
            gettext("Keeps other websites from submitting our forms, and keeps your quiz games together."),
            age(FORM_LASTS_S),
        ),
        (members.COOKIE, gettext("Says that you are signed in to your account."), age(members.LASTS_S)),
        (PROVIDER_COOKIE, gettext("Brings you back when you sign in with a provider."), age(AWAY_S)),
        (
            maintainer_sessions.COOKIE,
            gettext("Says that a maintainer is signed in with the password."),
            age(maintainer_sessions.LASTS_S),
        ),
        (
            maintainer_sessions.DEVICE_COOKIE,
            gettext("Lets a browser that has signed in before sign in without delay."),
            age(maintainer_sessions.DEVICE_LASTS_S),
        ),
        (
            LANGUAGE_COOKIE,
            gettext("Remembers the language that you chose at the foot of a page."),
            age(LANGUAGE_LASTS_S),
        ),
    ]


def age(seconds: float) -> str:
    """Format a duration in words."""
    if seconds >= _DAY_S:
        return ngettext("%(number)s day", "%(number)s days", round(seconds / _DAY_S))
    if seconds >= 3600:
        return ngettext("%(number)s hour", "%(number)s hours", round(seconds / 3600))
    if seconds >= 60:
        return ngettext("%(number)s minute", "%(number)s minutes", round(seconds / 60))
    return gettext("less than a minute")


def card_of(bundle: Bundle) -> tuple[str, str]:
    """Return the licence and the data sources named in a model card; empty if it does not name them."""
    try:
        with (bundle.folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            text = file.read(_LONGEST_CARD)
    except OSError:
        return "", ""
    licence = re.search(r"^license: *([\w.\- ]{1,60})$", text, re.MULTILINE)
    sources = re.search(r"^- Data: (.+?)(?=\n\S|\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    plain = " ".join(sources[1].replace("`", "").split())[:1000] if sources else ""
    return licence[1].strip() if licence else "", plain
