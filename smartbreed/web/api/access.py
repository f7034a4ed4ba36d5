"""The allowlist of routes: every address that this app answers, and who may call it.

gradio brings routes that this app does not use: for development, for recordings, for editing its
source, for charts of its use. An address that is not listed here gets a 404 before gradio sees it.
The table in `docs/security.md` is generated from this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from smartbreed.accounts.providers import on_space
from smartbreed.web.components import nav

#: ``anyone``: also scripts of other sites, without cookies. ``visitor``: people on the app's own pages, and
#: programs other than browsers. ``member``: signed in, for their own data; changes need the token of a form.
#: ``maintainer``: with a maintainer session and its token, or a member with that role or ``admin``.
#: ``admin``: a member with that role; changes need the token of a form.
#: ``secret``: with the webhook secret. ``scraper``: this machine, or with ``SMARTBREED_METRICS_TOKEN``.
Who = Literal["anyone", "visitor", "member", "maintainer", "admin", "secret", "scraper"]


@dataclass(frozen=True)
class Route:
    """One address, and who may call it.

    Attributes:
        path: ``{name}`` matches one segment, ``{name:path}`` any number of segments, and ``{file}`` a path
            that is not a web address, because gradio would fetch one for any visitor.
        methods: those that are answered, separated by spaces; or ``any``. The app handles ``HEAD`` as
            ``GET``, and the server drops the body. Event streams have no ``HEAD``: they are only a body.
        who: who may call it.
        what: what it does, in a few words.
    """

    path: str
    methods: str
    who: Who
    what: str

    @cached_property
    def pattern(self) -> str:
        text = re.escape(self.path).replace(r"\{", "{").replace(r"\}", "}")
        text = text.replace("{file}", r"(?!\s*(?i:https?):).*")
        return re.sub(r"\{[a-z_]+\}", "[^/]+", re.sub(r"\{[a-z_]+:path\}", ".*", text))


_GRADIO = "/gradio_api"

#: Pages, then the app's own routes, then those of gradio that the pages, the clients and MCP need.
ROUTES = (
    *(
        Route(
            address,
            "GET HEAD",
            "visitor",
            f"page: {title}{'; shows nothing before sign-in' if key in nav.MAINTAINERS else ''}",
        )
        for key, address, title in nav.PAGES
    ),
    Route("/breeds/compare", "GET HEAD", "visitor", "page: two breeds side by side"),
    Route("/breeds/{breed}", "GET HEAD", "visitor", "page: one breed"),
    Route("/about", "GET HEAD", "visitor", "page: what this is, and who runs it"),
    Route("/privacy", "GET HEAD", "visitor", "page: what is kept, and for how long"),
    Route("/terms", "GET HEAD", "visitor", "page: what may be done here"),
    Route("/contact", "GET HEAD POST", "visitor", "page: write to those who run this site"),
    Route("/offline", "GET HEAD", "visitor", "page: name pets in the browser, without an upload"),
    Route("/offline/{name:path}", "GET HEAD", "visitor", "files of that page, the networks among them"),
    Route("/files/{name}", "GET HEAD", "visitor", "stylesheet and script of pages without gradio"),
    Route("/api/identify", "POST", "anyone", "name the pets in photos"),
    Route("/api/flag", "POST", "visitor", "say whether an answer is right; keeps the photo"),
    Route("/api/breeds", "GET HEAD", "anyone", "list of breeds"),
    Route("/api/breeds/{breed}", "GET HEAD", "anyone", "one breed, and how well the model knows it"),
    Route("/api/statistics", "GET HEAD", "visitor", "how well the model works; sums only"),
    Route("/statistics/{name}", "GET HEAD", "visitor", "a table of it as CSV; some only for maintainers"),
    Route("/api/health", "GET HEAD", "anyone", "whether it is up, which model, how many flags wait"),
    Route("/api/openapi.json", "GET HEAD", "anyone", "description of the REST routes"),
    Route("/api/docs", "GET HEAD", "visitor", "page: the same for people"),
    Route("/api/withdraw", "POST", "visitor", "take a flag back, with its receipt"),
    Route("/api/webhooks/model", "POST", "secret", "look for a newer model"),
    Route("/api/webhooks/dataset", "POST", "secret", "look for newly accepted photos"),
    Route("/api", "GET HEAD", "visitor", "leads to /api/docs"),
    Route("/api/{path:path}", "any", "visitor", "404 or 405 as JSON"),
    Route("/maintainer/token", "GET HEAD", "maintainer", "the token of one's own session"),
    Route("/maintainer/enter", "POST", "visitor", "sign in with the password"),
    Route("/maintainer/leave", "POST", "maintainer", "sign out"),
    Route("/account", "GET HEAD", "member", "page: one's own account"),
    Route("/account/name", "GET HEAD", "visitor", "what the link to the account says"),
    Route("/account/sign-up", "GET HEAD POST", "visitor", "page: ask for an account"),
    Route("/account/sign-in", "GET HEAD POST", "visitor", "page: sign in with a password"),
    Route("/account/verify", "GET HEAD POST", "visitor", "page: confirm an address, with the link sent"),
    Route("/account/forgot", "GET HEAD POST", "visitor", "page: ask for a link to choose a new password"),
    Route("/account/reset", "GET HEAD POST", "visitor", "page: choose a new password, with that link"),
    Route("/account/with/{key}", "GET HEAD", "visitor", "sign in with a provider"),
    Route("/account/with/{key}/back", "GET HEAD", "visitor", "back from there"),
    Route("/account/hugging-face", "GET HEAD", "visitor", "back from Hugging Face, on a Space"),
    Route("/account/receipt/{receipt}", "GET HEAD", "visitor", "page: how far a deletion is; no names"),
    Route("/account/photo/{flag}", "GET HEAD", "member", "the photo of one's own flag"),
    Route("/account/kept", "POST", "member", "keep photos that one identifies, or no longer; delete them"),
    Route("/account/kept/{photo}", "GET HEAD", "member", "a photo that is kept for oneself"),
    Route("/account/download", "GET HEAD", "member", "everything kept of oneself"),
    Route("/account/password", "POST", "member", "change the password"),
    Route("/account/sessions/end", "POST", "member", "end one's own sessions"),
    Route("/account/sign-out", "POST", "member", "sign out"),
    Route("/account/delete", "GET HEAD POST", "member", "page: delete one's own account"),
    Route("/admin", "GET HEAD", "admin", "page: what wants attention"),
    Route("/admin/members", "GET HEAD", "admin", "page: members and roles"),
    Route("/admin/members/{member}", "POST", "admin", "change a role, close or open an account"),
    Route("/admin/members/{member}/delete", "GET HEAD POST", "admin", "page: delete an account"),
    Route("/admin/messages", "GET HEAD", "admin", "page: messages of the contact form"),
    Route("/admin/messages/{message}", "POST", "admin", "mark or delete a message"),
    Route("/admin/switches", "GET HEAD POST", "admin", "page: features and caps; change one"),
    Route("/admin/audit", "GET HEAD", "admin", "page: who did what when"),
    Route("/admin/audit.csv", "GET HEAD", "admin", "the same as CSV"),
    Route("/quiz/start", "POST", "visitor", "begin a game"),
    Route("/quiz/play/{game}", "GET HEAD", "visitor", "page: the open round of one's own game"),
    Route("/quiz/play/{game}/hint", "POST", "visitor", "buy the hint of the open round"),
    Route("/quiz/play/{game}/answer", "POST", "visitor", "answer the open round"),
    Route("/quiz/play/{game}/next", "POST", "visitor", "go on to the next round"),
    Route("/quiz/picture/{game}/{number}/{kind}", "GET HEAD", "visitor", "picture of one's own round"),
    Route("/quiz/card/{game}", "GET HEAD", "visitor", "a game that ended, as a picture to share"),
    Route("/teach/new", "POST", "member", "begin a model of one's own"),
    Route("/teach/model/{model}", "GET HEAD", "member", "page: a model of one's own"),
    Route("/teach/model/{model}/change", "POST", "member", "change its classes, remove or move its photos"),
    Route("/teach/model/{model}/photos", "POST", "member", "add photos, a zip of them, or a dataset"),
    Route("/teach/model/{model}/photo/{photo}", "GET HEAD", "member", "one of its photos, small"),
    Route("/teach/model/{model}/train", "POST", "member", "train it"),
    Route("/teach/model/{model}/progress", "GET HEAD", "member", "how far its training is"),
    Route("/teach/model/{model}/try", "POST", "member", "name a photo with it"),
    Route("/teach/model/{model}/bundle", "GET HEAD", "member", "download it"),
    Route("/teach/model/{model}/publish", "POST", "member", "serve it here or put it on the Hub, or not"),
    Route("/teach/model/{model}/delete", "POST", "member", "delete it"),
    Route("/m/{address}", "GET HEAD POST", "visitor", "page: a model that a member published; try it"),
    Route("/m/{address}/identify", "POST", "anyone", "name a photo with it"),
    Route("/similar/{picture}", "GET HEAD", "visitor", "a photo that the model finds alike, small"),
    Route("/healthz", "GET HEAD", "visitor", "whether the process is alive"),
    Route("/readyz", "GET HEAD", "visitor", "whether database, model and Hub are there; 503: which are not"),
    Route("/metrics", "GET HEAD", "scraper", "numbers for Prometheus; nothing of a photo or a person"),
    Route("/config", "GET HEAD", "visitor", "description of the pages, for clients"),
    Route(f"{_GRADIO}/info", "GET HEAD", "visitor", "description of the endpoints, for clients"),
    Route(f"{_GRADIO}/app_id", "GET HEAD", "visitor", "whether the server was restarted, for open pages"),
    Route(f"{_GRADIO}/startup-events", "GET HEAD", "visitor", "gradio's own check at the start"),
    Route(f"{_GRADIO}/upload", "POST", "visitor", "upload a photo"),
    Route(f"{_GRADIO}/upload_progress", "GET", "visitor", "how far an upload is"),
    Route(f"{_GRADIO}/file={{file}}", "GET HEAD", "visitor", "pictures made for a page; no web addresses"),
    Route(f"{_GRADIO}/queue/join", "POST", "visitor", "start an event or endpoint; see the next table"),
    Route(f"{_GRADIO}/queue/data", "GET", "visitor", "answers of one's own events"),
    Route(f"{_GRADIO}/run/{{name}}", "POST", "visitor", "call an endpoint and wait"),
    Route(f"{_GRADIO}/call/{{name}}", "POST", "visitor", "call an endpoint"),
    Route(f"{_GRADIO}/call/v2/{{name}}", "POST", "visitor", "call an endpoint with named arguments"),
    Route(f"{_GRADIO}/call/{{name}}/{{event}}", "GET", "visitor", "answer of a call"),
    Route(f"{_GRADIO}/call/v2/{{name}}/{{event}}", "GET", "visitor", "answer of a call"),
    Route(f"{_GRADIO}/cancel", "POST", "visitor", "cancel one's own event"),
    Route(f"{_GRADIO}/reset", "POST", "visitor", "does nothing; older clients ask"),
    Route(f"{_GRADIO}/heartbeat/{{session}}", "GET", "visitor", "keeps a page's session alive"),
    Route(f"{_GRADIO}/mcp", "any", "visitor", "MCP"),
    Route(f"{_GRADIO}/mcp/{{path:path}}", "any", "visitor", "MCP"),
    Route(f"{_GRADIO}/theme.css", "GET HEAD", "visitor", "look of the pages"),
    Route("/theme.css", "GET HEAD", "visitor", "look of the pages"),
    Route("/static/{path:path}", "GET HEAD", "visitor", "gradio's scripts"),
    Route("/assets/{path:path}", "GET HEAD", "visitor", "gradio's scripts"),
    Route("/svelte/{path:path}", "GET HEAD", "visitor", "gradio's scripts"),
    Route("/favicon.ico", "GET HEAD", "visitor", "icon"),
    Route("/pwa_icon", "GET HEAD", "visitor", "icon"),
    Route("/service-worker.js", "GET HEAD", "visitor", "lets the app be installed; keeps nothing"),
    Route("/manifest.json", "GET HEAD", "visitor", "name and icon for home screens"),
    Route("/robots.txt", "GET HEAD", "visitor", "for search engines"),
)  # fmt: skip

#: gradio's sign-in with Hugging Face. Answered only on a Space: elsewhere gradio offers a mock of it.
SPACE_ROUTES = (
    Route("/login/huggingface", "GET HEAD", "visitor", "sign in with Hugging Face"),
    Route("/login/callback", "GET HEAD", "visitor", "back from there"),
)

#: Path prefix → the feature that it belongs to.
_FEATURES = {
    "/quiz": "quiz", "/ask": "ask", "/teach": "teach", "/contact": "contact", "/account/sign-up": "sign_up",
}  # fmt: skip


def feature_of(path: str) -> str:
    """Return the feature, of `smartbreed.admin.switches.FEATURES`, that an address belongs to; "" if none."""
    found = (name for start, name in _FEATURES.items() if f"{path}/".startswith(f"{start}/"))
    return next(found, "")


_KNOWN = re.compile("|".join(f"(?P<r{n}>{route.pattern})" for n, route in enumerate(ROUTES)))


def route_for(path: str) -> Route | None:
    """Return the route of an address; None if this app does not answer there.

    Args:
        path: as the server decoded it, without the query. A trailing slash makes no difference.
    """
    if len(path) > 4096:
        return None
    found = _KNOWN.fullmatch(path) or _KNOWN.fullmatch(path.rstrip("/") or "/")
    if found:
        return ROUTES[int(str(found.lastgroup)[1:])]
    return next((route for route in SPACE_ROUTES if route.path == path and on_space()), None)
