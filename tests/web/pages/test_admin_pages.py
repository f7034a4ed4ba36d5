"""The pages for admins over HTTP: what an admin can do, what others cannot, and bad input."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from support.languages import english_in, text_of

from smartbreed.accounts.members import COOKIE
from smartbreed.core.settings import load_settings
from smartbreed.i18n import gettext, speaking
from smartbreed.services import Services
from smartbreed.web.api.language import LanguageMiddleware
from smartbreed.web.pages.admin.page import admin_app

SCRIPT = "<script>alert(1)</script>{{7*7}}${1}\"'><img src=x onerror=alert(1)>"
PASSWORD = "my two cats sing"
GONE = "0" * 26


class Site:
    def __init__(self, home: Path) -> None:
        self.services = Services(load_settings(home=home, hub="embedded"))
        self.asgi = admin_app(self.services)
        self.ids: dict[str, str] = {}

    def browser(self, name: str, role: str = "admin") -> Browser:
        """A new account, signed in."""
        member, link = self.services.roster.create(f"{name}@example.org", role)
        self.ids[name] = member.id
        made = Browser(self.asgi, base_url="http://pets.test", follow_redirects=False)
        made.cookies.set(COOKIE, self.services.members.reset(link.partition("token=")[2], PASSWORD))
        return made

    def role(self, name: str) -> str:
        return self.services.roster.find(self.ids[name]).role


class Browser(TestClient):
    def act(self, address: str, page: str = "/admin/switches", **fields: str) -> Any:
        token = re.findall(r'name="token" value="([0-9a-f]{64})"', self.get(page).text)[0]
        return self.post(address, data={"token": token, **fields})

    def text(self, page: str) -> str:
        answer = self.get(page)
        assert answer.status_code == 200, answer.text[-600:]
        assert "<script>" not in answer.text
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "home")
    yield made
    made.services.stop()


def test_members_are_found_and_changed(site: Site) -> None:
    boss = site.browser("boss")
    rosa = site.browser("rosa", "member")
    assert "2 found" in boss.text("/admin/members")
    assert "1 found" in boss.text("/admin/members?q=ROSA%40")
    assert "1 found" in boss.text("/admin/members?role=admin")
    assert "1 found" in boss.text(f"/admin/members?q={site.services.members.log_name(site.ids['rosa'])}")
    assert "No account matches" in boss.text(f"/admin/members?q={SCRIPT}")
    path = f"/admin/members/{site.ids['rosa']}"
    answer = boss.act(path, do="role", role="maintainer")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/members?done=role")
    assert "The role is changed." in boss.text(answer.headers["location"])
    assert site.role("rosa") == "maintainer"
    assert rosa.get("/admin").status_code == 403
    boss.act(path, do="close")
    assert rosa.get("/admin").status_code == 303, "signed out"
    boss.act(path, do="open")
    assert site.services.roster.find(site.ids["rosa"]).disabled_at is None
    assert "Tick the box" in html.unescape(boss.act(f"{path}/delete").text)
    assert boss.act(f"{path}/delete", sure="yes").headers["location"] == "/admin/members?done=deleted"
    assert "1 found" in boss.text("/admin/members")
    log = boss.text("/admin/audit")
    for words in ("Role : maintainer", "Account : closed", "Account : opened again", "Account : deleted"):
        assert words in log
    assert "rosa@example.org" not in log
    rows = list(csv.DictReader(io.StringIO(boss.get("/admin/audit.csv?action=role").text)))
    assert [(row["actor"], row["member"], row["about"]) for row in rows] == [("member", site.ids["boss"], "")]


@pytest.mark.parametrize("do", ["role", "close", "delete"])
def test_the_last_admin_cannot_lock_themself_out(site: Site, do: str) -> None:
    boss = site.browser("boss")
    path = f"/admin/members/{site.ids['boss']}"
    answer = (
        boss.act(f"{path}/delete", sure="yes") if do == "delete" else boss.act(path, do=do, role="member")
    )
    assert answer.status_code == 409
    assert "last admin" in answer.text
    assert site.role("boss") == "admin"
    assert boss.get("/admin").status_code == 200


def test_of_two_admins_the_one_who_was_demoted_can_do_nothing(site: Site) -> None:
    one, other = site.browser("one"), site.browser("other")
    page = other.get("/admin/members").text
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', page)[0]
    one.act(f"/admin/members/{site.ids['other']}", do="role", role="member")
    late = other.post(
        f"/admin/members/{site.ids['one']}", data={"token": token, "do": "role", "role": "member"}
    )
    assert late.status_code == 403
    assert site.role("one") == "admin"


@pytest.mark.parametrize("member", [GONE, "rosa@example.org", SCRIPT, "\0"])
def test_a_member_that_vanished(site: Site, member: str) -> None:
    boss = site.browser("boss")
    path = f"/admin/members/{member.replace('/', '%2F')}".replace("\0", "%00")
    for answer in (
        boss.act(path, do="role", role="admin"), boss.act(path, do="close"),
        boss.act(f"{path}/delete", sure="yes"), boss.get(f"{path}/delete"),
    ):  # fmt: skip
        assert answer.status_code == 404
        assert "<script>" not in answer.text
    assert len(site.services.roster.list()) == 1


def test_bad_forms(site: Site) -> None:
    boss = site.browser("boss")
    mine = f"/admin/members/{site.ids['boss']}"
    assert boss.post(mine, data={"token": "0" * 64, "do": "close"}).status_code == 403
    assert boss.act(mine, do="role", role="emperor").status_code == 422
    assert boss.act(mine, do="burn").status_code in (400, 422)
    for value in ("lots", "-1", SCRIPT, "9" * 15, "9" * 16):
        answer = boss.act("/admin/switches", name="quiz", value=value)
        assert answer.status_code == 422, value
        assert "<script>" not in answer.text
    assert boss.act("/admin/switches", name=SCRIPT, value="1").status_code == 404
    assert site.services.switches.set_by_hand() == {}
    for query in (
        "before=x",
        "before=-1",
        f"before={'9' * 30}",
        f"member={SCRIPT}",
        f"action={SCRIPT}",
        "page=9",
    ):
        assert boss.get(f"/admin/audit?{query}").status_code == 200
        assert boss.get(f"/admin/members?{query}").status_code == 200
    assert boss.get("/admin/nothing").status_code == 404


def test_switches_and_caps(site: Site) -> None:
    boss = site.browser("boss")
    boss.act("/admin/switches", name="quiz", value="0")
    boss.act("/admin/switches", name="client_flags", value="12")
    assert site.services.switches.off == {"quiz"}
    text = boss.text("/admin/switches?done=switch")
    assert "Saved. It takes effect now." in text
    assert "Quiz off" in text
    assert "the app’s setting is 200" in text
    assert 'data-page="quiz"' not in boss.get("/admin").text
    assert "Switched off: Quiz." in boss.text("/admin")
    boss.act("/admin/switches", name="quiz", value="")
    boss.act("/admin/switches", name="client_flags", value="")
    assert site.services.switches.set_by_hand() == {}


def test_messages_are_read_answered_and_deleted(site: Site) -> None:
    boss = site.browser("boss")
    rosa = site.browser("rosa", "member")
    sent = site.services.messages.send(SCRIPT, "problem", "a@example.org")
    site.services.messages.send("Mine", "idea", "", site.ids["rosa"])
    text = boss.text("/admin/messages")
    assert SCRIPT in html.unescape(boss.get("/admin/messages").text)
    assert "rosa@example.org" in text
    path = f"/admin/messages/{sent.id}"
    for state in ("read", "answered", "new"):
        assert boss.act(path, do=state).status_code == 303
        assert site.services.messages.count()[state] == (2 if state == "new" else 1)
    assert boss.act(path, do="burn").status_code == 422
    assert boss.act(path, do="delete").status_code == 303
    for do in ("delete", "read"):
        gone = boss.act(path, do=do)
        assert gone.status_code == 404
        assert "This message is gone" in gone.text
    assert len(site.services.messages.list()) == 1
    assert rosa.post(path, data={}).status_code in (400, 403)


def test_what_maintainers_do_is_in_the_log(site: Site) -> None:
    boss = site.browser("boss")
    site.services.note("model", "back to 1.2.0")
    assert "the app itself Model in use : back to 1.2.0" in boss.text("/admin/audit?actor=app&action=model")
    assert "Nothing like that" in boss.text("/admin/audit?actor=password")


@pytest.mark.parametrize("code", ["de", "es"])
def test_every_view_in_the_language_of_its_admin(site: Site, code: str) -> None:
    boss = site.browser("boss")
    site.browser("rosa", "member")
    boss.act(f"/admin/members/{site.ids['rosa']}", do="role", role="maintainer")
    boss.act(f"/admin/members/{site.ids['rosa']}", do="close")
    boss.act("/admin/switches", name="quiz", value="0")
    boss.act("/admin/switches", name="client_flags", value="12")
    boss.act("/admin/switches", name="client_flags", value="")
    for action, words in (
        ("review", "relabel: 2 flags (boxer, pug)"), ("review", "undo: 1 flag"), ("model", "back to 1.2.0"),
        ("model", "chosen: the newest"), ("retrain", "head, started by webhook, 7 new photos"),
        ("retrain", "stopped"),
    ):  # fmt: skip
        site.services.note(action, words)
    for topic in ("problem", "privacy"):
        sent = site.services.messages.send("Hallo", topic, "a@example.org")
    site.services.messages.mark(sent.id, "answered")
    spoken = LanguageMiddleware(site.asgi, site.services.settings, lambda: False)
    asking = Browser(spoken, base_url="http://pets.test", headers={"accept-language": code})
    asking.cookies.update(boss.cookies)
    delete = f"/admin/members/{site.ids['rosa']}/delete"
    for path in ("/admin", "/admin/members", "/admin/messages", "/admin/switches", "/admin/audit", delete):
        text = asking.text(path)
        # Titles and the foot of a page are words of one or two syllables.
        assert english_in(text, code, least=6) == [], path
    log = asking.text("/admin/audit")
    with speaking(code):
        for words in (
            "back to %(version)s",
            "made as %(role)s",
            "taken back: %(flags)s",
            "stopped",
            "closed",
        ):
            assert gettext(words).partition("%")[0] in log
    assert not re.search(r"started by|relabel|as the setting|chosen|new photos|opened|made as| off ", log)
    refused = asking.act("/admin/switches", name="quiz", value="lots")
    assert english_in(text_of(refused.text), code, least=6) == []
    assert "back to 1.2.0" in asking.get("/admin/audit.csv").text, "for programs it is English"


def other_language(page: str) -> str:
    [there] = re.findall(r'href="([^"]+)[?]lang=es"', page)
    return html.unescape(there)


def test_every_view_can_be_opened_in_another_language(site: Site) -> None:
    boss = site.browser("boss")
    site.browser("rosa", "member")
    delete = f"/admin/members/{site.ids['rosa']}/delete"
    for path in ("/admin", "/admin/members", "/admin/messages", "/admin/switches", "/admin/audit", delete):
        assert other_language(boss.get(path).text) == path
    for answer, there in (
        (boss.act(delete), delete), (boss.act("/admin/members/unknown", do="role"), "/admin/members"),
        (boss.act("/admin/switches", name="quiz", value="many"), "/admin/switches"),
        (boss.act(f"/admin/members/{site.ids['boss']}/delete", sure="yes"),
         f"/admin/members/{site.ids['boss']}/delete"),
    ):  # fmt: skip
        assert answer.status_code >= 400
        assert other_language(answer.text) == there
        assert boss.get(f"{there}?lang=es").status_code == 200
