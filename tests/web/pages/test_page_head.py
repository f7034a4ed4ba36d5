"""What tabs, search engines, previews and home screens get of every page; the page of a wrong address."""

from __future__ import annotations

import re

import httpx
import pytest
from support.pages import FOR_VISITORS
from support.processes import Server

pytestmark = pytest.mark.browser  # for its server, which the tests of the pages share


#: What is there once it was set up, and what a link that was sent leads to.
UNSEEN = ("account/receipt/", "account/reset", "account/verify", "m/", "offline")
SEEN = [path for path in FOR_VISITORS if not path.startswith(UNSEEN)]


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    with httpx.Client(base_url=server.url, headers={"accept": "text/html"}) as client:
        yield client


def metas(page: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', page)
    assert len(found) == len(dict(found)) + page.count('name="theme-color"') // 2, "each is said once"
    return dict(found)


@pytest.mark.parametrize("path", SEEN)
def test_every_page_introduces_itself(client: httpx.Client, server: Server, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers.get("content-length", len(answer.content)))
    head = answer.text.partition("</head>")[0]
    assert "@Gradio" not in head.partition("<script")[0]
    assert "Click to try out" not in head
    (title,) = re.findall(r"<title>([^<]+)</title>", head)
    said = metas(head.partition("<script")[0])
    assert "SmartBreed" in title
    assert len(title) > len("SmartBreed")
    assert 20 < len(said["description"]) == len(said["og:description"])
    assert said["og:url"].partition("?")[0] == str(answer.url).partition("?")[0]
    image = client.get(said["og:image"])
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")


def test_no_two_pages_introduce_themselves_alike(client: httpx.Client) -> None:
    said: dict[str, list[str]] = {}
    for path in SEEN:
        head = client.get(path).text.partition("</head>")[0].partition("<script")[0]
        (title,) = re.findall(r"<title>([^<]+)</title>", head)
        for text in (title, metas(head)["description"]):
            said.setdefault(text, []).append(path)
    assert {text: paths for text, paths in said.items() if len(paths) > 1} == {}


def test_a_wrong_address_gets_a_page_and_programs_get_json(client: httpx.Client) -> None:
    answer = client.get("nothing/here")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text
    assert 'href="/breeds"' in answer.text
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', answer.text)
    assert client.get(style).status_code == 200
    for path, accept in (
        ("nothing", "*/*"),
        ("api/nothing", "text/html"),
        ("gradio_api/nothing", "text/html"),
    ):
        answer = client.get(path, headers={"accept": accept})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_such_page")


def test_it_can_be_installed_and_keeps_nothing(client: httpx.Client) -> None:
    manifest = client.get("manifest.json").json()
    assert (manifest["display"], manifest["start_url"]) == ("standalone", "/")
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).headers["content-type"] == "image/png"
    worker = client.get("service-worker.js")
    assert worker.headers["cache-control"] == "no-cache"
    assert "caches" not in worker.text, "it stores no page, no answer and no photo"
