"""Under a path prefix that a proxy takes away: no link, form, picture or redirect of ours leaves it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.prefix_proxy import prefix_proxy
from support.processes import Server

from smartbreed.web.address import below_root, prefixed_links
from smartbreed.web.components import nav

PAGES = (
    *(address for _, address, _ in (*nav.PAGES, *nav.FOOT)),
    "/breeds/pug", "/breeds/compare?a=pug&b=beagle", "/api/docs", "/account/sign-in", "/account/sign-up",
    "/account/forgot", "/account/verify?token=x", "/account/reset?token=x",
)  # fmt: skip
LINK = re.compile(r'\s(?:href|src|action)="([^"]*)"')
PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    changes = {
        "GRADIO_ROOT_PATH": "/pets",
        "SMARTBREED_MAINTAINER_PASSWORD": PASSWORD,
        "SMARTBREED_ACCOUNTS": "1",
    }
    with (
        Server(tmp_path_factory.mktemp("prefix"), **changes) as server,
        prefix_proxy("/pets", server.port) as proxy,
        httpx.Client(base_url=proxy, timeout=60) as client,
    ):
        yield client


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def test_what_is_prefixed_and_what_not(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '<a href="/quiz" data-at="/m/x" title="/"> <img src="/pets/a"> <a href="//b"> <p value="/c">'
    assert prefixed_links(text) == text
    monkeypatch.setenv("GRADIO_ROOT_PATH", "https://example.org/pets/")
    changed = text.replace("/quiz", "/pets/quiz").replace("/m/x", "/pets/m/x")
    assert prefixed_links(text) == prefixed_links(changed) == changed
    assert below_root("https://a") == below_root("https://a/pets") == "https://a/pets"


@pytest.mark.slow
def test_every_link_of_every_page_keeps_the_prefix(behind: httpx.Client) -> None:
    found: dict[str, str] = {}
    for page in PAGES:
        answer = behind.get(f"/pets{page}", follow_redirects=True)
        assert answer.status_code in (200, 400, 403, 404, 422), (page, answer.text[:200])
        shown = [answer.text]
        config = re.search(r"window\.gradio_config = (\{.*?\});</script>", answer.text, re.DOTALL)
        if config:  # what gradio draws is in there, of all pages
            shown = list(texts(json.loads(config[1])))
        for link in {html.unescape(one) for text in shown for one in LINK.findall(text)}:
            found.setdefault(str(answer.url.join(link)), page)
    ours = {link: page for link, page in found.items() if link.startswith(str(behind.base_url))}
    assert len(ours) > 60
    assert {link: page for link, page in ours.items() if "/pets/" not in link} == {}
    for link in sorted(link for link in ours if not re.search(r"/breeds/(?!p)|#", link))[:80]:
        assert behind.head(link).status_code not in (404, 418, 500), (link, ours[link])


@pytest.mark.slow
def test_redirects_keep_the_prefix(behind: httpx.Client) -> None:
    for path, there in {
        "/api": "/pets/api/docs",
        "/account": "/pets/account/sign-in?next=/account",
        "/breeds/Border%20Terrier": "/pets/breeds/border_terrier",
    }.items():
        answer = behind.get(f"/pets{path}")
        assert (answer.is_redirect, answer.headers.get("location")) == (True, there), path
    assert behind.get("/pets/review/", follow_redirects=True).url.path.startswith("/pets/")
    assert re.search(r"http://127\.0\.0\.1:\d+/pets/api/identify", behind.get("/pets/api/docs").text)
    assert behind.get("/breeds").status_code == 418
