"""Two replicas on one PostgreSQL and one home: any of them answers any request, by turns."""

from __future__ import annotations

import functools
import html
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.clock import until
from support.postgres import new_database, postgres
from support.prefix_proxy import prefix_proxy
from support.processes import SUPPORT, Server, smartbreed

pytestmark = pytest.mark.slow
EMAIL, PASSWORD = "rosa@example.org", "a long enough password"


class Site:
    """Two replicas, and what alternates between them."""

    def __init__(self, folder: Path, replicas: list[Server], proxy: str, settings: dict[str, str]) -> None:
        self.folder, self.replicas, self.proxy, self.settings = folder, replicas, proxy, settings

    def browser(self) -> Browser:
        return Browser(base_url=self.proxy, timeout=60, follow_redirects=False)

    def link(self) -> str:
        """The mailed link, without the site, from the log of whichever replica made it."""
        text = "".join(replica.log() for replica in self.replicas)
        found = re.findall(r"verify link for account \S+: http://[^/]+(/\S+)", text)
        return str(found[-1]) if found else ""

    def command(self, *words: str) -> Any:
        return smartbreed(self.folder, *words, **self.settings)


class Browser(httpx.Client):
    """Follows no redirect by itself, so that each request goes to the next replica."""

    def fill(self, page: str, action: str = "", **fields: str) -> httpx.Response:
        text = self.get(page).raise_for_status().text
        names = [name for name in ("token", "round", "number") if f'name="{name}"' in text]
        known = {
            name: html.unescape(re.findall(rf'name="{name}" value="([^"]*)"', text)[0]) for name in names
        }
        return self.post(action or page.partition("?")[0], data={**known, **fields})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("replicas")
    with ExitStack() as stack:
        settings = {
            "SMARTBREED_HOME": str(folder / "home"),
            "SMARTBREED_DATABASE_URL": new_database(stack.enter_context(postgres()), "replicas"),
            "SMARTBREED_SECRET": os.urandom(32).hex(),
            "SMARTBREED_MAINTAINER_PASSWORD": PASSWORD,
            "SMARTBREED_PUBLISH_EVERY": "0",
            "SMARTBREED_HUB": "embedded",
        }
        (folder / "home").mkdir()
        (folder / "home" / "fake-trainer").write_text("ok:60")
        command = [sys.executable, str(SUPPORT / "run_with_fake_trainer.py"), "serve"]
        # Both at once: both want to make the tables.
        replicas = [Server(folder / name, command=command, **settings) for name in ("one", "two")]
        for replica in replicas:
            stack.enter_context(replica)
        proxy = stack.enter_context(prefix_proxy("", *(replica.port for replica in replicas)))
        yield Site(folder, replicas, proxy, settings)
        assert all("Traceback" not in replica.log() for replica in replicas)


def test_an_account_signs_up_in_and_out(site: Site) -> None:
    browser = site.browser()
    answer = browser.fill("/account/sign-up", email=EMAIL, password=PASSWORD, name="Rosa")
    assert answer.status_code == 200
    until(site.link)
    answer = browser.fill(site.link(), link=site.link().partition("token=")[2])
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    for _ in site.replicas:
        assert browser.get("/account/name").json()["name"] == "Rosa"
    assert browser.fill("/account", "/account/sign-out").status_code == 303
    for _ in site.replicas:
        assert browser.get("/account/name").json()["name"] == ""
    answer = browser.fill("/account/sign-in", email=EMAIL, password=PASSWORD)
    assert answer.status_code == 303
    for _ in site.replicas:
        assert browser.get("/account").status_code == 200


def test_a_flag_is_taken_here_and_taken_back_there(site: Site, photo: Path) -> None:
    browser = site.browser()
    given: dict[str, Any] = {"pet": 1, "verdict": "wrong", "label": "pug", "consent": "true"}
    saved = (
        browser.post("/api/flag", files={"photo": photo.read_bytes()}, data=given).raise_for_status().json()
    )
    for _ in site.replicas:
        assert browser.get("/api/health").json()["flags"]["pending"] == 1
    receipt = {"flag_id": saved["flag_id"], "receipt": saved["receipt"]}
    browser.get("/api/health")  # so that the other one is asked
    assert browser.post("/api/withdraw", json=receipt).json()["withdrawn"] is True
    for _ in site.replicas:
        assert browser.get("/api/health").json()["flags"]["pending"] == 0


def test_a_game_goes_on_at_the_other_replica(site: Site) -> None:
    browser = site.browser()
    answer = browser.fill("/quiz", "/quiz/start", kind="facts", mode="timed")
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    for number in (1, 2, 3):
        page = browser.get(address).text
        assert f"Round <b>{number}</b>" in page
        choice = html.unescape(re.findall(r'name="choice" value="([^"]*)"', page)[0])
        # An answer that came too fast for a person is refused; the next one counts.
        sent = functools.partial(browser.fill, address, f"{address}/answer", choice=choice)
        until(lambda send=sent: send().status_code == 303)
        for _ in site.replicas:
            assert f"{address}/next" in browser.get(address).text
        assert browser.fill(address, f"{address}/next").status_code == 303


def test_a_decision_of_one_process_counts_for_all(site: Site, photo: Path) -> None:
    browser = site.browser()
    given: dict[str, Any] = {"pet": 1, "verdict": "correct", "consent": "true"}
    saved = (
        browser.post("/api/flag", files={"photo": photo.read_bytes()}, data=given).raise_for_status().json()
    )
    done = site.command("review", "accept", saved["flag_id"])
    assert done.returncode == 0, done.stderr
    receipt = {"flag_id": saved["flag_id"], "receipt": saved["receipt"]}
    for _ in site.replicas:
        feedback = browser.get("/api/statistics").json()["feedback"]
        assert feedback["right"] == 1, feedback
    assert browser.post("/api/withdraw", json=receipt).json()["withdrawn"] is True


def event(replica: Server, page: str, elem_id: str, browser: httpx.Client, data: list[Any]) -> str:
    """Press a button of a page at one replica, as a browser that is kept there does; what it answers."""
    text = browser.get(replica.url + page).text.partition("window.gradio_config = ")[2]
    config, _ = json.JSONDecoder().raw_decode(text)
    [button] = [one["id"] for one in config["components"] if one["props"].get("elem_id") == elem_id]
    [number] = [one["id"] for one in config["dependencies"] if [button, "click"] in one["targets"]]
    token = browser.get(replica.url + "maintainer/token").raise_for_status().json()["token"]
    session = os.urandom(8).hex()
    body = {"data": data, "fn_index": number, "session_hash": session}
    headers = {"X-SmartBreed-Token": token}
    browser.post(replica.url + "gradio_api/queue/join", json=body, headers=headers).raise_for_status()
    with browser.stream(
        "GET", replica.url + "gradio_api/queue/data", params={"session_hash": session}
    ) as lines:
        for line in lines.iter_lines():
            if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                return line
    raise AssertionError("no answer")


def test_a_maintainer_signs_in_here_and_one_retraining_runs_in_all(site: Site) -> None:
    browser = httpx.Client(timeout=60)
    one, two = site.replicas
    assert browser.post(one.url + "maintainer/enter", json={"password": PASSWORD}).status_code == 204
    tokens = {browser.get(replica.url + "maintainer/token").json()["token"] for replica in site.replicas}
    assert len(tokens) == 1
    event(two, "train", "retrain", browser, ["head"])
    until(lambda: list((site.folder / "home" / "retraining" / "jobs").glob("*/")))
    assert "running" in event(one, "train", "retrain", browser, ["head"])
    assert len(list((site.folder / "home" / "retraining" / "jobs").glob("*/"))) == 1


def test_a_switch_set_at_one_replica_holds_at_the_other(site: Site) -> None:
    done = site.command("accounts", "role", EMAIL, "admin")
    assert done.returncode == 0, done.stderr
    admin = site.browser()
    assert admin.fill("/account/sign-in", email=EMAIL, password=PASSWORD).status_code == 303
    answer = admin.fill("/admin/switches", name="ask", value="0")
    assert answer.status_code in (200, 303), answer.text
    visitor = site.browser()
    until(lambda: {visitor.get("/ask").status_code for _ in site.replicas} == {404})
