"""Whom the audit log names: a member by the account, the password of the site by no account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from support.flags import flag

from smartbreed.accounts import maintainer_sessions, members
from smartbreed.accounts.maintainers import TOKEN_HEADER
from smartbreed.admin import audit
from smartbreed.core.settings import load_settings
from smartbreed.services import Services
from smartbreed.web.pages.review.desk import ReviewSession
from smartbreed.web.pages.review.page import ReviewPage
from smartbreed.web.pages.train.page import TrainPage

PASSWORD = "a long enough password"
HOST = "127.0.0.1:7860"

#: Headers of a request, and the account it comes from; empty: none.
Who = tuple[Any, str]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    made = Services(load_settings(home=tmp_path / "home", hub="embedded", maintainer_password=PASSWORD))
    made.maintainers.listening_on("127.0.0.1")
    yield made
    made.stop()


def asks(services: Services, cookie: str) -> Any:
    """A request of a page that was opened with a cookie."""
    request = SimpleNamespace(headers={"host": HOST, "cookie": cookie})
    session = services.maintainers.session(request).session
    request.headers[TOKEN_HEADER.lower()] = request.headers[TOKEN_HEADER] = services.maintainers.token(
        session
    )
    return request


def by_password(services: Services) -> Who:
    cookie = services.maintainers.log_in(PASSWORD, "1.2.3.4")
    return asks(services, f"{maintainer_sessions.COOKIE}={cookie}"), ""


def by_account(services: Services) -> Who:
    member, link = services.roster.create("rosa@example.org", "maintainer")
    cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
    return asks(services, f"{members.COOKIE}={cookie}"), member.id


def as_admin(services: Services) -> Who:
    member, link = services.roster.create("boss@example.org", "admin")
    cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
    return asks(services, f"{members.COOKIE}={cookie}"), member.id


SIGNED_IN = pytest.mark.parametrize("sign_in", [by_password, by_account, as_admin])


def page_of(services: Services, page: type, name: str) -> Any:
    with gr.Blocks() as blocks:
        pass
    with blocks.route(name, f"/{name}"):
        return page(services)


def noted(services: Services, action: str) -> list[tuple[str, str, str]]:
    """Actor, account and words, the first first."""
    found = audit.entries(services.flags.sessions, action)
    return [(one.actor, one.member_id or "", one.words) for one in reversed(found)]


@SIGNED_IN
def test_decisions_of_a_review(services: Services, sign_in: Callable[[Services], Who]) -> None:
    flag(services.flags)
    flag(services.flags, 1)
    request, account = sign_in(services)
    actor = "member" if account else "password"
    page, session = page_of(services, ReviewPage, "review"), ReviewSession()

    def act(work: Any, *values: Any) -> None:
        updates = page._guarded(work)(request, session, "one", *values)
        assert page.gate not in updates or not updates[page.gate]["visible"]

    act(page._fill)
    act(page._accept, "", None, False, "")
    act(page._reject, False, "")
    act(page._undo_last)
    found = noted(services, "review")
    assert [(kind, member) for kind, member, _ in found] == [(actor, account)] * 3
    assert [words.partition(":")[0] for *_, words in found] == ["accept", "reject", "undo"]


@SIGNED_IN
def test_retraining_and_what_answers(
    services: Services, sign_in: Callable[[Services], Who], monkeypatch: pytest.MonkeyPatch
) -> None:
    request, account = sign_in(services)
    actor = "member" if account else "password"
    page = page_of(services, TrainPage, "train")
    before = SimpleNamespace(version="1.2.0")
    monkeypatch.setattr(services, "needs", dict)
    monkeypatch.setattr(services.publisher, "run", lambda **_: None)
    monkeypatch.setattr(services.retraining, "start", lambda *_, **__: None)
    monkeypatch.setattr(services.retraining, "cancel", lambda: None)
    monkeypatch.setattr(services.model, "rollback", lambda: before)
    monkeypatch.setattr(services.model, "use", lambda _: before)
    steps = ((page._start, "head"), (page._cancel,), (page._use, "a" * 40, "head"), (page._back, "head"))
    for work, *values in steps:
        shown = work(*values, request)
        assert "sb-problem" not in str(shown), shown
    found = noted(services, "retrain") + noted(services, "model")
    assert [(kind, member) for kind, member, _ in found] == [(actor, account)] * 4
    assert [words.partition(",")[0] for *_, words in found] == [
        "head", "stopped", "chosen: 1.2.0", "back to 1.2.0"
    ]  # fmt: skip


def test_who_is_no_maintainer_is_noted_nowhere(services: Services) -> None:
    flag(services.flags)
    member, link = services.roster.create("tim@example.org", "member")
    cookie = services.members.reset(link.partition("token=")[2], "my two cats sing")
    request = asks(services, f"{members.COOKIE}={cookie}")
    page, session = page_of(services, ReviewPage, "review"), ReviewSession()
    updates = page._guarded(page._accept)(request, session, "one", "", None, False, "")
    assert updates[page.gate]["visible"]
    train = page_of(services, TrainPage, "train")
    for shown in (train._start("head", request), train._cancel(request), train._back("head", request)):
        assert "sb-problem" in str(shown)
    entries = audit.entries(services.flags.sessions)
    assert {entry.member_id for entry in entries if entry.actor == "member"} <= {None}
    assert {entry.action for entry in entries} <= {"account"}
    assert member.id in {entry.about_id for entry in entries}
