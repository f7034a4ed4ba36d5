"""The report of the bundle that ships and of others, drift, CSV, the command and REST."""

from __future__ import annotations

import datetime as dt
import io
import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from counting import answer, pet
from support.processes import smartbreed
from test_counting import new_flag

from smartbreed import feedback_loop
from smartbreed.core.database import read, write
from smartbreed.core.settings import EMBEDDED_BUNDLE, load_settings
from smartbreed.inference.bundle import load_bundle
from smartbreed.inference.evaluation import evaluation_of
from smartbreed.services import Services
from smartbreed.statistics import csv_tables
from smartbreed.statistics.drift import ALARM, baseline_of, compared, stability_index
from smartbreed.statistics.report import LEAST_SEEN, Report, measured, report
from smartbreed.statistics.usage import CONFIDENCES, bin_of

#: Of the model that ships, as its configuration says.
TOP1 = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())["metrics"]["classifier"]["top1"]


@pytest.fixture(scope="module")
def bundle() -> Any:
    return load_bundle(EMBEDDED_BUNDLE, repo="embedded")


@pytest.fixture
def services(tmp_path: Path) -> Any:
    made = Services(load_settings(home=tmp_path / "home", hub="embedded", salt="a salt"))
    yield made
    made.stop()


def test_figures_are_those_of_the_confusion_matrix(bundle: Any) -> None:
    found, evaluation = measured(bundle, None), evaluation_of(bundle)
    assert found is not None
    assert evaluation is not None
    rows = evaluation.confusion
    right = sum(row.get(breed, 0) for breed, row in rows.items())
    assert found.right == pytest.approx(right / found.pictures, abs=1e-4)
    said = Counter(dict.fromkeys(rows, 0))
    for row in rows.values():
        said.update(row)
    for one in found.breeds:
        hits, total = rows[one.id].get(one.id, 0), sum(rows[one.id].values())
        assert one.pictures == total
        assert one.recall == pytest.approx(hits / total, abs=1e-4)
        assert one.precision == pytest.approx(hits / said[one.id] if said[one.id] else 0, abs=1e-4)
    assert sum(one.pictures for one in found.confusions) == found.pictures - right
    assert [one.pictures for one in found.confusions] == sorted(
        (o.pictures for o in found.confusions), reverse=True
    )
    assert found.robustness[0].points
    assert sum(one.pictures for one in found.reliability) == found.pictures


def test_a_bundle_without_figures_has_none_and_one_with_nonsense_keeps_the_rest(
    bundle: Any, flags: Any
) -> None:
    plain = replace(bundle, config=bundle.config.model_copy(update={"files": {}, "metrics": {}}))
    assert measured(plain, None) is None
    found = report(flags.sessions, plain, [], None, dt.date(2026, 3, 1))
    assert (found.measured, found.use.photos, found.versions, found.growth) == (None, 0, [], [])
    odd = {
        "classifier": 7,
        "thresholds": ["x"],
        "robustness": {"curves": {"blur": {"points": [1, {"strength": "a"}]}}},
    }
    strange = replace(bundle, config=bundle.config.model_copy(update={"metrics": odd}))
    found_measured = measured(strange, None)
    assert found_measured is not None
    assert (found_measured.thresholds, found_measured.robustness, found_measured.said_breed) == ([], [], None)
    assert found_measured.right == pytest.approx(TOP1, abs=0.0001)


def test_the_version_before_is_compared_breed_by_breed(bundle: Any, tmp_path: Path) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    values = json.loads((EMBEDDED_BUNDLE / "evaluation.json").read_text())
    values["version"] = "1.2.0"
    values["labels"]["pug"]["f1"] = 0.5
    del values["labels"]["beagle"]
    (folder / "evaluation.json").write_text(json.dumps(values))
    old = replace(bundle, folder=folder, config=bundle.config.model_copy(update={"version": "1.2.0"}))
    found = measured(bundle, old)
    assert found is not None
    before = {one.id: one.f1_before for one in found.breeds}
    assert (before["pug"], before["beagle"]) == (0.5, None)
    same = measured(bundle, bundle)
    assert same is not None
    assert {one.f1_before for one in same.breeds} == {None}, "a version is not compared with itself"


def test_use_feedback_and_growth(services: Services) -> None:
    version = services.identifier.bundle.config.version
    for number in range(7):
        services.recorder.note(answer(pet("pug"), version=version, ms=number), "page")
    services.recorder.note(answer(pet("boxer"), version="0.9.0"), "rest")
    services.recorder.write()
    revision = services.identifier.bundle.version.revision
    chance = random.Random(5)
    with write(services.flags.sessions) as session:
        for number in range(9):
            flag = new_flag(chance, number, dt.datetime(2026, 3, 1 + number // 3, tzinfo=dt.UTC))
            flag.predicted, flag.model_revision = "pug", revision
            flag.verdict = "correct" if number < 6 else "wrong" if number < 8 else "missed"
            session.add(flag)
    found = feedback_loop.statistics(services)
    assert (found.use.photos, found.use.days[-1].pets, found.use.median_ms) == (8, 8, 5.0)
    assert [(one.key, one.number) for one in found.use.breeds] == [("pug", 7)], (
        f"under {LEAST_SEEN} is left out"
    )
    assert (found.feedback.right, found.feedback.wrong, found.feedback.missed) == (6, 2, 1)
    assert [(one.breed, one.rate) for one in found.feedback.breeds] == [("pug", 0.75)]
    assert csv_tables.PUBLIC["agreement"](found)[1] == [("pug", "Pug", version, 6, 2)]
    assert [(one.flags, one.published) for one in found.growth] == [(3, 0), (6, 0), (9, 0)]
    [now] = [one for one in found.versions if one.serves]
    assert (now.photos, now.agreed, now.disagreed) == (7, 6, 2)
    own = feedback_loop.statistics_for_maintainers(services)
    assert {one.key: one.number for one in own.interfaces} == {"page": 7, "rest": 1}
    assert {one.state for one in own.drift} == {"few"}


def test_photos_like_the_test_pictures_are_stable_and_others_raise_the_alarm(bundle: Any) -> None:
    base = baseline_of(bundle)
    assert (sum(base.confidences), sum(base.likenesses)) == (2385, 682)
    chance = np.random.default_rng(1)

    def counts(expected: tuple[int, ...]) -> dict[str, int]:
        shares = np.array(expected) / sum(expected)
        return {str(place): int(n) for place, n in enumerate(chance.multinomial(400, shares)) if n}

    for what, expected in (("confidence", base.confidences), ("likeness", base.likenesses)):
        drift = compared(what, expected, counts(expected))  # type: ignore[arg-type]
        assert drift.state in ("stable", "watch"), drift.index
        assert compared(what, expected, counts(expected[::-1])).state == "alarm"  # type: ignore[arg-type]
        assert compared(what, expected, {"3": 199}).state == "few"  # type: ignore[arg-type]
        assert compared(what, (), {"3": 900}).state == "unknown"  # type: ignore[arg-type]
    assert stability_index((5, 5), (5, 5)) == 0
    assert stability_index((90, 10), (10, 90)) > ALARM
    assert base.likeness(np.zeros((1, 3))) is None
    noise = base.likeness(chance.normal(size=(5, 1280)))
    assert noise is not None
    assert max(noise) < 0.2


def test_drift_reaches_a_maintainer(services: Services) -> None:
    bundle = services.identifier.bundle
    for _ in range(250):
        one = replace(pet("pug", sure=0.2), embedding=np.full(1280, -1.0, np.float32))
        services.recorder.note(answer(one, version=bundle.config.version), "page")
    services.recorder.write()
    own = feedback_loop.statistics_for_maintainers(services)
    assert own.alarm
    assert {one.state for one in own.drift} == {"alarm"}
    assert [one.pets for one in own.drift] == [250, 250]


def test_bins() -> None:
    assert [bin_of(value, CONFIDENCES) for value in (0.0, 0.0666, 0.0667, 0.999, 1.0, 7.0, -1.0)] == [
        0,
        0,
        1,
        14,
        14,
        14,
        0,
    ]


def frame(name: str, found: Report) -> Any:
    return pd.read_csv(io.StringIO(csv_tables.csv_text(csv_tables.PUBLIC[name](found))))


def test_csv_opens_in_pandas_with_the_same_figures(services: Services) -> None:
    services.recorder.note(answer(pet("pug")), "page")
    services.recorder.write()
    found = feedback_loop.statistics(services)
    assert found.measured is not None
    breeds = frame("breeds", found)
    assert breeds.shape == (133, 10)
    assert breeds.recall.tolist() == [one.recall for one in found.measured.breeds]
    assert breeds.pictures.sum() == found.measured.pictures
    assert frame("confusions", found).pictures.sum() == sum(one.pictures for one in found.measured.confusions)
    assert frame("reliability", found).right.tolist() == [one.right for one in found.measured.reliability]
    assert frame("days", found).photos.tolist() == [1]
    for name in csv_tables.PUBLIC:
        assert list(pd.read_csv(io.StringIO(csv_tables.csv_text(csv_tables.PUBLIC[name](found)))).columns)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_is_no_formula(text: str, services: Services) -> None:
    found = feedback_loop.statistics(services)
    assert found.measured is not None
    evil = found.measured.breeds[0].model_copy(update={"name": f'{text},"x"\n'})
    altered = found.model_copy(update={"measured": found.measured.model_copy(update={"breeds": [evil]})})
    row = frame("breeds", altered).iloc[0]
    assert row["name"].lstrip().startswith("'")
    assert row["pictures"] == evil.pictures


def test_the_command(tmp_path: Path) -> None:
    done = smartbreed(tmp_path, "statistics", "--recompute")
    assert done.returncode == 0, done.stderr
    assert "every number was right" in done.stderr
    assert f"{TOP1:.1%} of 2385 test pictures" in done.stdout
    done = smartbreed(tmp_path, "statistics", "--json")
    values = json.loads(done.stdout)
    assert Report.model_validate(values).measured is not None
    assert values["maintainers"]["alarm"] is False


def test_a_guess_is_counted_once_for_each_interface_that_says_so(services: Services, photo: Path) -> None:
    services.identify(photo)
    services.identify(photo, interface="rest")
    services.identify_many([(photo, ""), (b"no photo", "x")], interface="client")
    services.recorder.write()
    own = feedback_loop.statistics_for_maintainers(services)
    assert {one.key: one.number for one in own.interfaces} == {"rest": 1, "client": 1}
    assert [one.number for one in own.failures] == [1]
    assert feedback_loop.statistics(services).use.photos == 2


def test_what_people_said_is_summed_without_sorting_all_days(services: Services, bundle: Any) -> None:
    engine, asked = services.flags.sessions().get_bind(), []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    report(services.flags.sessions, bundle, [], None, dt.date(2026, 11, 29))
    sums = [statement for statement in asked if "flag_counts.verdict" in statement]
    assert sums
    with read(services.flags.sessions) as session:
        for statement in sums:
            plan = str(session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all())
            assert "COVERING INDEX" in plan
            assert "TEMP B-TREE" not in plan
