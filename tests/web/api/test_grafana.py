"""Each query of the Grafana dashboard against the real /metrics of a running app."""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.clock import until
from support.processes import ROOT, Server

DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "smartbreed.json").read_text())
QUERIES = [
    (panel["title"], target["expr"], target["legendFormat"])
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]
#: Added by Prometheus itself.
SCRAPED = {"instance"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, photo: Path) -> dict[str, dict[str, set[str]]]:
    """Of each series the values of each label, once everything has happened at least once."""
    with Server(tmp_path_factory.mktemp("dashboard")) as server:
        version = httpx.get(server.url + "api/health").json()["model"]["version"]
        today = dt.datetime.now(dt.UTC).date().isoformat()
        with sqlite3.connect(server.home / "smartbreed.db") as database:
            for kind in ("confidence", "likeness"):
                row = (today, version, kind, "5", 500)
                database.execute("INSERT INTO usage_counts VALUES (?, ?, ?, ?, ?)", row)
        for content in (photo.read_bytes(), b"no photo"):
            httpx.post(server.url + "api/identify", files={"photo": content}, timeout=60)
        text = httpx.get(server.url + "metrics").text
        until(lambda: "smartbreed_http_requests_total{" in text)
    series: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = series.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return series


def selectors(node: Any, by: tuple[str, ...] = ()) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """Each selector of an expression, with the labels that the expressions around it group by."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node, by
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector, by
    elif isinstance(node, promql_parser.AggregateExpr):
        yield from selectors(node.expr, by + tuple(node.modifier.labels if node.modifier else ()))
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument, by)
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from selectors(node.lhs, by)
        yield from selectors(node.rhs, by)
    elif isinstance(node, promql_parser.ParenExpr):
        yield from selectors(node.expr, by)
    else:
        assert isinstance(node, promql_parser.NumberLiteral), node


@pytest.mark.parametrize(("title", "query", "legend"), QUERIES)
def test_a_query_asks_for_what_is_there(
    found: dict[str, dict[str, set[str]]], title: str, query: str, legend: str
) -> None:
    looked = 0
    for selector, by in selectors(promql_parser.parse(query.replace("$instance", ".*"))):
        looked += 1
        assert selector.name in found, title
        labels = found[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in {*labels, *SCRAPED}, (title, matcher.name)
            if matcher.op == promql_parser.MatchOp.Equal:
                assert matcher.value in labels[matcher.name], (title, matcher.value)
        shown = set(re.findall(r"{{(\w+)}}", legend))
        assert {*by, *shown} <= {*labels, *SCRAPED}, title
    assert looked


def test_every_metric_of_ours_is_on_the_dashboard(found: dict[str, dict[str, set[str]]]) -> None:
    text = json.dumps(DASHBOARD)
    ours = {
        re.sub(r"_(bucket|sum|count|created)$", "", name) for name in found if name.startswith("smartbreed_")
    }
    assert {name for name in ours if name not in text} == set()


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
