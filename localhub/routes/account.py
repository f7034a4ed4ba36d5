"""Who the caller is, whether the Hub is up, and whether the front matter of a README is valid."""

from __future__ import annotations

from starlette.responses import Response

from localhub.errors import HubError
from localhub.repo_card import CardError, check_card
from localhub.routes import pages
from localhub.routing import Call, Route, Table, answer


def whoami(call: Call) -> Response:
    """Handle ``GET /api/whoami-v2``."""
    user = call.user
    if user is None:
        raise HubError(401, "Invalid username or password.")
    return answer(
        {
            "type": "user",
            "id": user.name,
            "name": user.name,
            "fullname": user.name,
            "email": None,
            "emailVerified": False,
            "canPay": False,
            "isPro": False,
            "avatarUrl": "",
            "periodEnd": None,
            "orgs": [],
            "auth": {"type": "access_token", "accessToken": {"displayName": user.name, "role": user.role}},
        }
    )


def validate_yaml(call: Call) -> Response:
    """Handle ``POST /api/validate-yaml``, which the client sends before a commit with a README.md."""
    try:
        card = check_card(call.text("content"))
    except CardError as error:
        return answer({"errors": [{"message": str(error)}], "warnings": [], "error": str(error)}, 400)
    warnings = [] if card else [{"message": "empty or missing yaml metadata in repo card"}]
    return answer({"errors": [], "warnings": warnings})


def start(call: Call) -> Response:
    """Handle ``GET /``: a browser gets the list of repos, any other client the answer of `health`."""
    html = "text/html" in call.request.headers.get("accept", "")
    return pages.index(call) if html else health(call)


def health(call: Call) -> Response:
    """Handle ``GET /healthz``."""
    with call.store.db.read() as db:
        db.execute("SELECT 1").fetchone()
    return answer({"status": "ok", "hub": "smartbreed"})


ROUTES: Table = {
    ("GET", "/api/whoami-v2"): Route(whoami),
    ("POST", "/api/validate-yaml"): Route(validate_yaml, body="json", keys=("content", "repoType")),
    ("GET", "/healthz"): Route(health),
    ("GET", "/"): Route(start),
}
