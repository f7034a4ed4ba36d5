"""What watches the running app: /healthz, /readyz and /metrics."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from support.clock import until
from support.processes import Server, free_port

from smartbreed.web.api.access import ROUTES
from smartbreed.web.api.watching import may_scrape

TOKEN = "a token of the scraper"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("watched"), SMARTBREED_METRICS_TOKEN=TOKEN) as server:
        yield server


def scraped(server: Server) -> Samples:
    text = httpx.get(server.url + "metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def test_alive_and_ready(watched: Server) -> None:
    answer = httpx.get(watched.url + "healthz")
    assert (answer.status_code, answer.text, answer.headers["cache-control"]) == (200, "ok\n", "no-store")
    answer = httpx.get(watched.url + "readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "missing": {}})


def test_an_answer_is_counted_by_stage_and_verdict(watched: Server, photo: Path) -> None:
    before = scraped(watched)
    answer = httpx.post(watched.url + "api/identify", files={"photo": photo.read_bytes()}, timeout=60)
    bad = httpx.post(watched.url + "api/identify", files={"photo": b"no photo"})
    assert (answer.status_code, bad.status_code) == (200, 415)
    after = scraped(watched)

    def more(name: str, **labels: str) -> float:
        return of(after, name, **labels) - of(before, name, **labels)

    pets = answer.json()["pets"]
    counts = {
        stage: more("smartbreed_stage_seconds_count", stage=stage) for stage in ("decode", "detect", "total")
    }
    assert counts == {"decode": 2, "detect": 1, "total": 2}
    assert more("smartbreed_stage_seconds_count", stage="classify") >= len(pets) > 0
    parts = ("decode", "detect", "classify")
    assert more("smartbreed_stage_seconds_sum", stage="total") >= 0.9 * sum(
        more("smartbreed_stage_seconds_sum", stage=stage) for stage in parts
    )
    assert more("smartbreed_photos_total", interface="rest") == 1
    pet = pets[0]
    assert more("smartbreed_pets_total", species=pet["species"], verdict=pet["verdict"]) >= 1
    assert more("smartbreed_errors_total", code="unsupported_format") == 1
    for status in ("200", "415"):
        route = "/api/identify"
        assert more("smartbreed_http_requests_total", method="POST", route=route, status=status) == 1


def test_what_is_looked_up(watched: Server, photo: Path) -> None:
    before = scraped(watched)
    saved = httpx.post(
        watched.url + "api/flag", files={"photo": photo.read_bytes()},
        data={"pet": 1, "verdict": "correct", "consent": "true"}, timeout=60,
    )  # fmt: skip
    assert saved.status_code == 200
    after = scraped(watched)
    model = httpx.get(watched.url + "api/health").json()["model"]
    info = {name: dict(labels) for name, labels in after}
    assert info["smartbreed_model_info"]["version"] == model["version"]
    assert [of(after, "smartbreed_ready", part=part) for part in ("database", "model", "hub")] == [1, 1, 1]
    rows = "smartbreed_outbox_rows"
    assert of(after, rows, kind="flags") == of(before, rows, kind="flags") + 1
    assert of(after, "smartbreed_queue_length", queue="events") == 0
    assert ("smartbreed_drift_alarm", frozenset()) in after
    assert of(after, "process_resident_memory_bytes") > 50e6


def test_labels_are_bounded_and_name_no_person(watched: Server) -> None:
    for n in range(300):
        httpx.get(
            f"{watched.url}no-such-{n}@example.org?mail=rex@example.org",
            headers={"X-Forwarded-For": "9.9.9.9"},
        )
    httpx.request("BREW", watched.url)
    text = httpx.get(watched.url + "metrics").text
    assert "example.org" not in text
    assert "9.9.9.9" not in text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert routes <= {route.path for route in ROUTES} | {"other"}
    assert 'method="other"' in text
    assert "BREW" not in text


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Via": "1.1 a"}, {"Host": "pets.example.org"}]
)
def test_through_a_proxy_only_with_the_token(watched: Server, headers: dict[str, str]) -> None:
    url = watched.url + "metrics"
    refused = httpx.get(url, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "closed")
    wrong = {"Authorization": "Bearer wrong"}
    assert httpx.get(url, headers=headers | wrong).status_code == 403
    assert httpx.get(url, headers=headers | {"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(("client", "token", "given", "open_"), [
    ("10.0.0.9", TOKEN, f"Bearer {TOKEN}", True), ("10.0.0.9", TOKEN, "", False),
    ("10.0.0.9", TOKEN, TOKEN, False), ("10.0.0.9", "", "Bearer ", False), ("::1", "", "", True),
])  # fmt: skip
def test_another_machine_needs_the_token(client: str, token: str, given: str, open_: bool) -> None:
    headers = [(b"host", b"localhost:7860"), *([(b"authorization", given.encode())] if given else [])]
    scope = {"type": "http", "client": (client, 1), "headers": headers}
    assert may_scrape(Request(scope), token) is open_


def test_a_dead_hub_and_a_locked_database_are_named(tmp_path: Path) -> None:
    hub = f"http://127.0.0.1:{free_port()}"
    with Server(tmp_path, SMARTBREED_HUB=hub, HF_TOKEN="hf_x", SMARTBREED_WATCH="0") as server:

        def missing() -> set[str]:
            answer = httpx.get(server.url + "readyz", timeout=60)
            assert (answer.status_code == 200) is (answer.json()["status"] == "ready")
            return set(answer.json()["missing"])

        until(lambda: missing() == {"hub"})
        with sqlite3.connect(server.home / "smartbreed.db") as database:
            database.execute("ALTER TABLE flags RENAME TO flags_away")
        try:
            until(lambda: missing() == {"hub", "database"})
            assert of(scraped(server), "smartbreed_ready", part="database") == 0
            assert httpx.get(server.url + "healthz").status_code == 200
        finally:
            with sqlite3.connect(server.home / "smartbreed.db") as database:
                database.execute("ALTER TABLE flags_away RENAME TO flags")
        until(lambda: missing() == {"hub"})
