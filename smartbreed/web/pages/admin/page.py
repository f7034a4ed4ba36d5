"""``/admin``: members, messages, switches and the audit log, for admins only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from smartbreed.accounts.members import SignedIn
from smartbreed.accounts.tables import ROLES, Member
from smartbreed.admin import audit
from smartbreed.admin.actor import Actor, acting
from smartbreed.admin.switches import CAPS, FEATURES, default_of
from smartbreed.admin.tables import ACTORS, AuditEntry
from smartbreed.contact.tables import STATES
from smartbreed.core.errors import AccountError, RequestError, SmartBreedError
from smartbreed.feedback.tables import is_id
from smartbreed.i18n import gettext, mark
from smartbreed.services import Services
from smartbreed.web.components import nav
from smartbreed.web.pages.account.visit import Visit, dependencies, form_app
from smartbreed.web.pages.admin.entries import in_words
from smartbreed.web.pages.contact.page import TOPICS

#: Maximum number of members, audit entries or messages on one page.
_SHOWN = 50
_VIEWS = (
    ("", mark("Overview")), ("members", mark("Members")), ("messages", mark("Messages")),
    ("switches", mark("Switches and caps")), ("audit", mark("Audit log")),
)  # fmt: skip
#: Title and description by view.
_SAID = {
    "": (mark("Administration"), mark("What needs attention: failed sign-ins, messages, jobs and storage.")),
    "members": (mark("Members"), mark("Who has an account here, and with which role.")),
    "delete": (mark("Delete an account"), mark("What is deleted with a member's account.")),
    "messages": (mark("Messages"), mark("What visitors wrote with the contact form.")),
    "switches": (mark("Switches and caps"), mark("Features that are on or off, and how much is allowed.")),
    "audit": (mark("Audit log"), mark("Who did what here, and when.")),
}
#: Names in the audit log of actors without an account.
_WHO = {
    "member": mark("an account that was deleted"), "password": mark("a maintainer with the password"),
    "machine": mark("the person at this machine"), "command line": mark("the command line"),
    "app": mark("the app itself"),
}  # fmt: skip
#: State of a message → what the page calls it.
_STATES = {"new": mark("new"), "read": mark("read"), "answered": mark("answered")}


def admin_app(services: Services) -> FastAPI:
    """Return the app for ``/admin``; anyone who is not an admin gets a page that says so."""

    def refused(request: Request, visit: Visit, said: SmartBreedError) -> Response:
        return visit.sign_in_first(said) or visit.message(
            gettext("Administration"), said.message, said.status, path="admin"
        )

    app = form_app(services, refused)
    _add_members(app, services)
    _add_messages(app, services)
    _add_switches(app, services)
    _add_audit(app, services)
    return app


def _admin(visit: Visit) -> SignedIn:
    """Return the admin who sent the request.

    Raises:
        AccountError: ``sign_in`` for a visitor, ``not_admin`` (403) for any other member.
    """
    who = visit.member()
    if who.role != "admin":
        raise AccountError("not_admin", "This page is for admins only.", status=403)
    return who


def _page(visit: Visit, view: str, status: int = 200, **values: Any) -> Response:
    title, about = map(gettext, _SAID[view])
    done = visit.request.query_params.get("done", "")
    return visit.plain(
        f"admin/{view or 'overview'}.html", status, key="admin", title=title, about=about,
        view=view, views=_VIEWS,
        **{"path": f"admin/{view}".rstrip("/"), "note": _DONE.get(done, ""), **values},
    )  # fmt: skip


#: Messages after a form was handled; the URL contains only the key.
_DONE = {
    "role": mark("The role is changed."),
    "closed": mark("The account is closed, and signed out everywhere."),
    "open": mark("The account is open again."), "deleted": mark("The account is deleted."),
    "message": mark("The message is deleted."), "switch": mark("Saved. It takes effect now."),
}  # fmt: skip


def _did(visit: Visit, work: Callable[[], object]) -> None:
    """Run an action as the requesting admin, who is named in the audit log."""
    with acting(Actor("member", _admin(visit).id)):
        work()


def _add_members(app: FastAPI, services: Services) -> None:
    asked, formed = dependencies(services)
    members, roster = services.members, services.roster

    @app.get("/admin")
    def overview(visit: Visit = asked) -> Response:
        _admin(visit)
        everyone, off = roster.list(), services.switches.off
        return _page(
            visit, "", waiting=services.review.progress().open,
            flags=services.flags.count(), actions=audit.ACTIONS, messages=services.messages.count(),
            roles={role: sum(one.role == role for one in everyone) for role in ROLES},
            closed=sum(one.disabled_at is not None for one in everyone),
            closed_features=[gettext(FEATURES[name].name) for name in FEATURES if name in off],
            version=services.identifier.bundle.config.version, latest=_entries(services, most=8),
        )  # fmt: skip

    def show(visit: Visit, status: int = 200, problem: str = "") -> Response:
        who, query = _admin(visit), visit.request.query_params
        text, role = query.get("q", "").strip()[:200], query.get("role", "")
        found = [one for one in roster.list() if _fits(one, members.log_name(one.id), text.casefold(), role)]
        page = _number(query.get("page", ""), max(1, -(-len(found) // _SHOWN)))
        return _page(
            visit, "members", status, problem=problem, q=text, role=role, roles=ROLES, total=len(found),
            found=found[(page - 1) * _SHOWN : page * _SHOWN], page=page, pages=-(-len(found) // _SHOWN),
            me=who.id, log_name=members.log_name,
        )  # fmt: skip

    @app.get("/admin/members")
    def list_members(visit: Visit = asked) -> Response:
        return show(visit)

    @app.post("/admin/members/{member}")
    def change(member: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who, do = _admin(visit), form.get("do", "")
        try:
            if do == "role":
                _did(visit, lambda: roster.set_role(_id(member), form.get("role", ""), who.id))
            elif do in ("close", "open"):
                _did(visit, lambda: roster.disable(_id(member), disabled=do == "close", by=who.id))
            else:
                raise AccountError("bad_form", "This is not one of our forms.", status=400)
        except AccountError as error:
            if error.code == "not_admin":
                raise
            return show(visit, error.status, error.message)
        done = {"close": "closed"}.get(do, do)
        if member == who.id and do == "role" and form.get("role") != "admin":
            return visit.go(f"{nav.root()}account")  # no longer an admin
        return visit.go(f"{nav.root()}admin/members?done={done}")

    def show_delete(visit: Visit, member: Member, status: int = 200, **values: Any) -> Response:
        path = f"admin/members/{member.id}/delete"
        return _page(visit, "delete", status, path=path, member=member, me=visit.member().id, **values)

    @app.get("/admin/members/{member}/delete")
    def ask_delete(member: str, visit: Visit = asked) -> Response:
        _admin(visit)
        return show_delete(visit, roster.find(_id(member)))

    @app.post("/admin/members/{member}/delete")
    def delete(member: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        who = _admin(visit)
        found = roster.find(_id(member))
        if form.get("sure") != "yes":
            said = mark("Tick the box to say that you are sure; nothing was deleted.")
            return show_delete(visit, found, 422, problem=said)
        try:
            _did(visit, lambda: services.delete_member(found.id, who.id))
        except AccountError as error:
            if error.code != "last_admin":
                raise
            return show_delete(visit, found, error.status, problem=error.message)
        return visit.go(f"{nav.root()}{'' if found.id == who.id else 'admin/members?done=deleted'}")


def _add_messages(app: FastAPI, services: Services) -> None:
    asked, formed = dependencies(services)
    messages = services.messages

    @app.get("/admin/messages")
    def list_messages(visit: Visit = asked) -> Response:
        _admin(visit)
        state = visit.request.query_params.get("state", "")
        found = messages.list(state, _SHOWN)
        names = _names(services, {one.member_id for one in found if one.member_id})
        return _page(
            visit, "messages", found=found, names=names, state=state if state in STATES else "",
            states=_STATES, counts=messages.count(), topics=dict(TOPICS), most=_SHOWN,
        )  # fmt: skip

    @app.post("/admin/messages/{message}")
    def change(message: str, visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        _admin(visit)
        do = form.get("do", "")
        if do == "delete":
            _did(visit, lambda: messages.delete(message))
            return visit.go(f"{nav.root()}admin/messages?done=message")
        _did(visit, lambda: messages.mark(message, do))
        return visit.go(f"{nav.root()}admin/messages")


def _add_switches(app: FastAPI, services: Services) -> None:
    asked, formed = dependencies(services)
    switches, settings = services.switches, services.settings

    def show(visit: Visit, status: int = 200, **values: Any) -> Response:
        by_hand = switches.set_by_hand()
        rows = [
            (name, words, switches.value(name), default_of(settings, name), name in by_hand)
            for name, words in (*((n, f.name) for n, f in FEATURES.items()), *CAPS.items())
        ]
        return _page(
            visit, "switches", status, features=[row for row in rows if row[0] in FEATURES],
            caps=[row for row in rows if row[0] in CAPS], **values,
        )  # fmt: skip

    @app.get("/admin/switches")
    def show_switches(visit: Visit = asked) -> Response:
        _admin(visit)
        return show(visit)

    @app.post("/admin/switches")
    def change(visit: Visit = asked, form: dict[str, str] = formed) -> Response:
        _admin(visit)
        name, text = form.get("name", ""), form.get("value", "").strip()
        try:
            if text and not re.fullmatch(r"[0-9]{1,15}", text):
                raise RequestError("bad_value", "Give a whole number, such as 200; 0 means no cap.")
            _did(visit, lambda: switches.set(name, int(text) if text else None))
        except RequestError as error:
            return show(visit, error.status, problem=error.message)
        return visit.go(f"{nav.root()}admin/switches?done=switch")


def _add_audit(app: FastAPI, services: Services) -> None:
    asked, _ = dependencies(services)

    def filters(visit: Visit) -> dict[str, Any]:
        query = visit.request.query_params
        member = query.get("member", "")
        return {
            "action": query.get("action", ""), "actor": query.get("actor", ""),
            "member": member if is_id(member) else "",
            "before": _number(query.get("before", "0"), 2**62, 0),
        }  # fmt: skip

    @app.get("/admin/audit")
    def show_audit(visit: Visit = asked) -> Response:
        _admin(visit)
        wanted = filters(visit)
        found = _entries(services, **wanted, most=_SHOWN)
        return _page(
            visit, "audit", found=found, **wanted, actions=audit.ACTIONS, actors=ACTORS, kinds=_WHO,
            more=found[-1][0].id if len(found) == _SHOWN else 0,
        )  # fmt: skip

    @app.get("/admin/audit.csv")
    def audit_csv(visit: Visit = asked) -> Response:
        _admin(visit)
        rows = audit.entries(services.flags.sessions, **filters(visit), most=100_000)
        headers = {"Content-Disposition": 'attachment; filename="smartbreed-audit.csv"'}
        return visit.kept(Response(audit.as_csv(rows), 200, headers, "text/csv; charset=utf-8"))


def _entries(services: Services, **wanted: Any) -> list[tuple[AuditEntry, str, str, str]]:
    """Return audit entries, each with the names of the actor and of the account concerned, and its text."""
    found = audit.entries(services.flags.sessions, **wanted)
    names = _names(services, {id_ for one in found for id_ in (one.member_id, one.about_id) if id_})
    return [
        (
            one,
            names.get(one.member_id or "") or gettext(_WHO[one.actor]),
            names.get(one.about_id or "", ""),
            in_words(one),
        )
        for one in found
    ]


def _names(services: Services, ids: set[str]) -> dict[str, str]:
    """Return the display names of accounts by id."""
    return {id_: _shown(one) for id_, one in services.roster.some(ids).items()}


def _shown(member: Member) -> str:
    return " · ".join(filter(None, (member.name, member.email or ""))) or member.id


def _fits(member: Member, log_name: str, text: str, role: str) -> bool:
    held = f"{member.name} {member.email or ''} {member.id} {log_name}".casefold()
    return text in held and (role not in ROLES or member.role == role)


def _id(text: str) -> str:
    """Check that a text is the id of an account; a mail address is not accepted.

    Raises:
        AccountError: ``no_such_member``.
    """
    if not is_id(text):
        raise AccountError("no_such_member", "There is no such account.", status=404)
    return text


def _number(text: str, most: int, least: int = 1) -> int:
    return min(max(int(text), least), most) if re.fullmatch(r"[0-9]{1,18}", text) else least
