"""The page of statistics over HTTP: every state, any query, what is only for maintainers, the prefix."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from support.gallery import fill, photographs

from smartbreed import feedback_loop
from smartbreed.core.database import write
from smartbreed.core.errors import StorageError
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.gallery.tables import GalleryPhoto
from smartbreed.inference.bundle import load_bundle
from smartbreed.services import Services
from smartbreed.statistics import csv_tables
from smartbreed.statistics.report import LEAST_SEEN
from smartbreed.statistics.tables import FlagCount
from smartbreed.statistics.usage import Count, Recorder, add_counts
from smartbreed.web.api.access import route_for
from smartbreed.web.components.sentences import percent
from smartbreed.web.pages.statistics.page import StatisticsPages

SCRIPT = "\"><script>alert('x')</script>{{7*7}}${x}"
PASSWORD = "a long enough password"
#: Of every such page: one that keeps a double click from sending a form twice.
SCRIPTS = ["/files/forms.js"]
#: Of the model that ships, as its configuration says.
TOP1 = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())["metrics"]["classifier"]["top1"]


class Page(HTMLParser):
    """Links, and everything that could run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, found: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in found}
        assert not [name for name in given if name.startswith("on")], "no inline handler"
        if tag == "script":
            self.scripts.append(urlsplit(given.get("src", "inline")).path)
        if tag == "a":
            self.links.append(given["href"])
        if "id" in given:
            self.ids.append(given["id"])


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = Services(
        load_settings(home=tmp_path_factory.mktemp("home"), hub="embedded", maintainer_password=PASSWORD)
    )
    yield made
    made.stop()


@pytest.fixture(scope="module")
def client(services: Services) -> TestClient:
    return TestClient(Starlette(routes=StatisticsPages(services).routes()), base_url="http://pets.test")


def names(html: str) -> list[str]:
    """Breeds of the table, in its order."""
    table = html.partition('<table class="sb-figures">')[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', table)


def test_nothing_was_asked_yet(client: TestClient) -> None:
    page = client.get("/statistics")
    assert page.status_code == 200
    for words in (
        f"{100 * TOP1:.0f} of 100", "2385 test pictures of smartbreed/pets",
        "No photo has been identified here yet",
        "No answer has been called right or wrong", "No answer by a person has been saved yet",
        "This is the first version",
    ):  # fmt: skip
        assert words in page.text, words
    found = Page(page.text)
    assert found.scripts == SCRIPTS
    assert "drift" not in found.ids
    for link in found.links:
        if link.startswith("/"):
            assert route_for(link.partition("?")[0].partition("#")[0]) is not None, link
        elif link.startswith("#"):
            assert link[1:] in found.ids, link
    assert len(found.ids) == len(set(found.ids))


def test_sorting_searching_and_clicking_into_the_matrix(client: TestClient, services: Services) -> None:
    figures = {one.name: one for one in feedback_loop.statistics(services).measured.breeds}  # type: ignore[union-attr]
    shown = names(client.get("/statistics?all=1").text)
    assert shown == sorted(figures, key=str.casefold)
    assert len(names(client.get("/statistics").text)) == 15
    up = names(client.get("/statistics?all=1&sort=recall").text)
    assert [figures[name].recall for name in up] == sorted(one.recall for one in figures.values())
    down = names(client.get("/statistics?all=1&sort=recall&order=down").text)
    assert [figures[name].recall for name in down] == [figures[name].recall for name in up[::-1]]
    page = client.get("/statistics?sort=recall&order=down").text
    assert 'aria-sort="descending"' in page
    assert names(client.get("/statistics?q=westie").text) == ["West Highland White Terrier"]
    assert "No measured breed is called" in client.get("/statistics?q=zzzzqq").text
    page = client.get("/statistics").text
    cell = re.search(
        r'href="(\?of=[^"]*)#mix-ups"[^>]*aria-label="(\d+) pictures: Scent hounds taken for Scent', page
    )
    assert cell is not None
    inside = client.get(f"/statistics{cell[1].replace('&amp;', '&')}").text
    counts = re.findall(
        r'<span class="sb-percent">(\d+) of \d+ pictures', inside.partition('class="sb-pairs"')[2]
    )
    assert sum(map(int, counts)) == int(cell[2])


@pytest.mark.parametrize("name", ["sort", "order", "q", "all", "of", "said"])
def test_a_script_in_any_parameter_stays_text(client: TestClient, name: str) -> None:
    both = {"of": SCRIPT, "said": SCRIPT} if name in ("of", "said") else {name: SCRIPT}
    page = client.get(f"/statistics?{urlencode(both)}")
    assert page.status_code == 200
    assert Page(page.text).scripts == SCRIPTS
    assert "49" not in re.findall(r"“[^”]*”", page.text)
    assert client.get(f"/statistics/{SCRIPT.replace('/', '')}.csv").status_code == 404


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from(["sort", "order", "q", "all", "of", "said"]), st.text(max_size=90)))
def test_any_query_answers(client: TestClient, query: dict[str, str]) -> None:
    encoded = urlencode({name: text.encode("utf-8", "surrogatepass") for name, text in query.items()})
    page = client.get(f"/statistics?{encoded}")
    assert page.status_code == 200
    assert Page(page.text).scripts == SCRIPTS


def test_tables_for_everyone_and_for_maintainers(client: TestClient, services: Services) -> None:
    for name in csv_tables.PUBLIC:
        answer = client.get(f"/statistics/{name}.csv")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="smartbreed-{name}.csv"'
        assert list(pd.read_csv(io.StringIO(answer.text)).columns)
        assert f'href="/statistics/{name}.csv"' in client.get("/statistics").text or name in (
            "days", "answers", "feedback", "agreement", "growth"
        )  # fmt: skip
    cookie = services.maintainers.log_in(PASSWORD, "here")
    from smartbreed.accounts.maintainer_sessions import COOKIE

    own = {"cookie": f"{COOKIE}={cookie}"}
    for name in csv_tables.MAINTAINERS:
        assert client.get(f"/statistics/{name}.csv").status_code == 403
        assert client.get(f"/statistics/{name}.csv", headers=own).status_code == 200
        foreign = {**own, "origin": "https://evil.test", "sec-fetch-site": "cross-site"}
        assert client.get(f"/statistics/{name}.csv", headers=foreign).status_code == 403
    assert "only maintainers see this" in client.get("/statistics", headers=own).text
    assert "only maintainers" not in client.get("/statistics").text
    assert client.get("/statistics/nothing.csv").status_code == 404


def test_a_prefix_is_in_every_link(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/pets")
    for link in Page(client.get("/statistics").text).links:
        assert link.startswith(("/pets/", "?", "#")), link


def test_a_database_that_refuses_is_said_kindly(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(*given: Any) -> Any:
        raise StorageError("The database refused: it is busy; try again in a moment.")

    monkeypatch.setattr(feedback_loop, "report", no)
    feedback_loop.forget_statistics()
    page = client.get("/statistics")
    assert page.status_code == StorageError("").status
    assert "it is busy; try again in a moment" in page.text
    assert client.get("/statistics/breeds.csv").status_code == page.status_code


def test_a_full_page_and_a_model_without_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    services = Services(load_settings(home=tmp_path, hub="embedded"))
    services.maintainers.listening_on("127.0.0.1")
    client = TestClient(Starlette(routes=StatisticsPages(services).routes()), base_url="http://127.0.0.1")
    from benchmarks.statistics import fill, synthetic_events

    bundle = services.identifier.bundle
    fill(
        services.flags.sessions,
        2_000,
        services.identifier.labels,
        bundle.config.version,
        bundle.version.revision,
    )
    assert synthetic_events(3, ["pug"], "1", random.Random(1))
    assert isinstance(services.recorder, Recorder)
    page = client.get("/statistics").text
    for words in (
        "2000 photos answered since",
        "Photos a day",
        "people called",
        "only maintainers see this",
        "REST",
    ):
        assert words in page, words
    use = feedback_loop.statistics(services).use
    said = next(one.number for one in use.verdicts if one.key == "breed")
    assert f"{use.breeds[0].number} · {percent(use.breeds[0].number / said)}" in page, (
        "of all, not of those shown"
    )
    assert "So far there are" in page
    drawn = [one for one in feedback_loop.statistics_for_maintainers(services).drift if one.pets]
    assert drawn
    said = re.findall(r'aria-label="(Shares of test pictures → of recent pets, in [^"]*)"', page)
    assert len(said) == len(drawn), "each drawing of bars says what it shows"
    for one, text in zip(drawn, said, strict=True):
        steps = [f"{percent(was)} → {percent(now)}" for was, now in zip(one.expected, one.found, strict=True)]
        assert "; ".join(steps) in unescape(text)
        assert f"in {len(one.found)} steps" in text
    assert [("“unsure” to “sure”" in text) for text in said] == [one.what == "confidence" for one in drawn]
    today, lately = dt.datetime.now(dt.UTC).date(), Counter[Count]()
    for ago in range(190):
        breed = "siamese" if ago < 28 else "pug"
        lately[Count(today - dt.timedelta(days=ago), bundle.config.version, "breed", breed)] = 30
    add_counts(services.flags.sessions, lately, "of a test", 1, dt.datetime.now(dt.UTC))
    page = client.get("/statistics").text
    for words in (
        "People send other breeds than before",
        "differ from earlier ones",
        "The shares that changed most",
    ):
        assert words in page, words
    shifted = pd.read_csv(io.StringIO(client.get("/statistics/mix.csv").text))
    assert {"siamese", "pug"} == set(shifted.breed[:2])
    assert f"{shifted['name'][0]}</span>" in page.partition('class="sb-shifts"')[2]
    plain = load_bundle(EMBEDDED_BUNDLE)
    config = plain.config.model_copy(update={"files": {}, "metrics": {}})
    from dataclasses import replace

    monkeypatch.setattr(services.identifier, "bundle", replace(plain, config=config))
    services._book = services._baseline = None
    feedback_loop.forget_statistics()
    page = client.get("/statistics?sort=f1&of=x&said=y").text
    assert "Nothing was measured" in page
    assert "comes with nothing to compare with" in page
    services.stop()


def test_two_breeds_with_feedback_about_different_versions(tmp_path: Path) -> None:
    services = Services(load_settings(home=tmp_path / "home", hub="embedded"))
    client = TestClient(Starlette(routes=StatisticsPages(services).routes()), base_url="http://pets.test")
    bundle = services.identifier.bundle
    said = {"pug": bundle.version.revision, "beagle": "of-an-older-version"}
    with write(services.flags.sessions) as session:
        for breed, revision in said.items():
            session.add(
                FlagCount(
                    day=dt.datetime.now(dt.UTC).date(), revision=revision, predicted=breed, verdict="correct",
                    number=LEAST_SEEN,
                )
            )  # fmt: skip
    page = client.get("/statistics")
    assert page.status_code == 200
    table = page.text.partition("By breed and version")[2].partition("</table>")[0]
    rows = {
        cells[0]: set(cells[1:])
        for row in table.split("<tr>")[2:]
        if (cells := re.findall(r"<t[hd][^>]*>(?:<a[^>]*>)?([^<]*)", row))
    }
    answers = f"100 % ({LEAST_SEEN})"
    assert rows == {"Pug": {answers, "–"}, "Beagle": {answers, "–"}}
    services.stop()


def test_the_gallery_shows_the_breeds_that_are_mixed_up(tmp_path: Path) -> None:
    services = Services(load_settings(home=tmp_path / "home", hub="embedded"))
    client = TestClient(Starlette(routes=StatisticsPages(services).routes()), base_url="http://pets.test")
    assert "<img" not in client.get("/statistics").text
    folder = photographs(tmp_path / "photos", 1)
    fill(services, folder)
    page = client.get("/statistics?of=Scent+hounds&said=Scent+hounds").text
    assert re.search(r'<img src="/similar/g[0-9A-Z]{26}\.jpg" alt="Beagle"', page)
    assert "Pictures in a red frame" not in page
    # One of the first mix-up is a picture of the mistake itself.
    first = feedback_loop.statistics(services).measured.confusions[0]
    photo = services.gallery.answered(1, right=True)[0]
    with write(services.gallery.sessions) as session:
        mistake = {"label": first.breed, "said": first.said, "probability": 0.5}
        session.execute(sa.update(GalleryPhoto).where(GalleryPhoto.id == photo.name[1:]).values(mistake))
    page = client.get("/statistics").text
    assert f'<img class="sb-mistake" src="/similar/{photo.name}.jpg"' in page
    assert f'alt="{first.breed_name}, 50 % {first.said_name}"' in page
    assert "Pictures in a red frame" in page
    services.stop()
