"""``evaluation.json``: what the shipped one says, and a bundle without one or with a bad one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.bundles import edit_config

from smartbreed.core.settings import EMBEDDED_BUNDLE
from smartbreed.inference.bundle import load_bundle, write_config
from smartbreed.inference.evaluation import FILE, Evaluation, evaluation_of

ROW = {"pictures": 20, "precision": 0.9, "recall": 0.8, "f1": 0.847}


@pytest.fixture(scope="module")
def shipped() -> tuple[Evaluation, dict[str, Any]]:
    """Of the bundle that ships, and its ``metrics``."""
    bundle = load_bundle(EMBEDDED_BUNDLE)
    found = evaluation_of(bundle)
    assert FILE in bundle.config.files
    assert found is not None
    assert found.version == bundle.config.version
    return found, bundle.config.metrics


def test_the_shipped_file_is_of_the_shipped_networks(shipped: tuple[Evaluation, dict[str, Any]]) -> None:
    found, metrics = shipped
    assert len(found.labels) == 133
    assert found.pictures == metrics["classifier"]["pictures"]
    for label, row in metrics["per_label"].items():
        mine = found.labels[label]
        assert (mine.pictures, mine.f1) == (row["pictures"], pytest.approx(row["f1"], abs=0.002))


def test_its_figures_follow_from_its_confusions(shipped: tuple[Evaluation, dict[str, Any]]) -> None:
    found, metrics = shipped
    for label, row in found.labels.items():
        said = sum(other.get(label, 0) for other in found.confusion.values())
        right = found.confusion[label].get(label, 0)
        assert sum(found.confusion[label].values()) == row.pictures
        assert row.recall == pytest.approx(right / row.pictures, abs=1e-4)
        assert row.precision == pytest.approx(right / said if said else 0, abs=1e-4)
        assert sum(count for _, count in found.taken_for(label)) == row.pictures - right
        assert sum(count for _, count in found.taken_as(label)) == said - right
    gaps = [part.pictures * abs(part.confidence - part.right) for part in found.reliability]
    assert sum(part.pictures for part in found.reliability) == found.pictures
    assert sum(gaps) / found.pictures == pytest.approx(metrics["classifier"]["ece"], abs=1e-4)


def test_what_a_label_is_taken_for_comes_most_first() -> None:
    counts = {"pug": {"pug": 3, "boxer": 1, "chow": 2}, "boxer": {"boxer": 4, "pug": 1}, "chow": {"chow": 1}}
    found = Evaluation(version="1", labels={}, confusion=counts)
    assert found.taken_for("pug") == [("chow", 2), ("boxer", 1)]
    assert found.taken_as("pug") == [("boxer", 1)]
    assert found.taken_for("beagle") == found.taken_as("beagle") == []


def test_a_bundle_without_one_has_what_its_metrics_say(bundle_copy: Path) -> None:
    assert evaluation_of(load_bundle(bundle_copy)) is None
    edit_config(bundle_copy, lambda c: c.update(metrics={"per_label": {"pug": {**ROW, "auc": 0.9}}}))
    found = evaluation_of(load_bundle(bundle_copy))
    assert found is not None
    assert (found.version, found.labels["pug"].recall, found.confusion) == ("0.0.1", 0.8, {})


def test_a_retrained_bundle_without_one_has_its_ancestors(bundle_copy: Path) -> None:
    ancestor = {"version": "0.0.0", "per_label": {"pug": ROW}}
    edit_config(bundle_copy, lambda c: c.update(metrics={"gate": {}, "ancestor": ancestor}))
    found = evaluation_of(load_bundle(bundle_copy))
    assert found is not None
    assert found.version == "0.0.0"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff", b'{"version": "1"}', b'{"version": "1\\u0000", "labels": {}}',
     json.dumps({"version": "1", "labels": {"pug": {**ROW, "recall": 7}}}).encode()],
)  # fmt: skip
def test_a_broken_one_keeps_no_model_from_answering(bundle_copy: Path, content: bytes) -> None:
    (bundle_copy / FILE).write_bytes(content)
    write_config(bundle_copy, json.loads((bundle_copy / "config.json").read_text()))
    assert evaluation_of(load_bundle(bundle_copy)) is None


@pytest.mark.parametrize(
    "metrics", [{"per_label": 5}, {"per_label": {"pug": 1}}, {"ancestor": {"per_label": []}}]
)
def test_metrics_that_say_nothing_are_none(bundle_copy: Path, metrics: Any) -> None:
    edit_config(bundle_copy, lambda c: c.update(metrics=metrics))
    assert evaluation_of(load_bundle(bundle_copy)) is None


def test_what_a_later_version_adds_is_left_to_it() -> None:
    found = Evaluation.model_validate({"version": "2", "labels": {"pug": {**ROW, "new": 1}}, "more": []})
    assert found.labels["pug"].pictures == 20
