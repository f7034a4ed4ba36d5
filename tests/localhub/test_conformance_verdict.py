"""What a run of the clients' own tests comes to: expected failures by reason, faults, needless names."""

from __future__ import annotations

from benchmarks.hub_conformance.running import Outcome, Ran
from benchmarks.hub_conformance.suites import SUITES
from benchmarks.hub_conformance.verdict import Reason, judge, read_expected


def test_a_failure_is_expected_by_name_or_is_a_fault() -> None:
    outcomes = [
        Outcome("tests/a.py::test_good", "passed", ""),
        Outcome("tests/a.py::test_likes[1]", "failed", "404"),
        Outcome("tests/b.py::TestX::test_any", "failed", "400"),
        Outcome("tests/c.py::test_broken", "failed", "500"),
        Outcome("tests/c.py::test_elsewhere", "skipped", "network"),
    ]
    suite = SUITES[0]
    reasons = [
        Reason("no likes", [f"{suite.name}/tests/a.py::test_likes", f"{suite.name}/tests/gone.py*"]),
        Reason("no X", [f"{suite.name}/tests/b.py::TestX*"]),
    ]
    verdict = judge(Ran(suite, outcomes, 1.0, stopped=False), reasons)
    assert (verdict.ran, verdict.passed, verdict.skipped) == (4, 1, 1)
    assert verdict.expected == {"no likes": 1, "no X": 1}
    assert [fault.test for fault in verdict.faults] == ["tests/c.py::test_broken"]
    assert verdict.needless == [f"{suite.name}/tests/gone.py*"]
    assert not verdict.good
    assert judge(Ran(suite, outcomes[:3], 1.0, stopped=False), reasons).good
    assert not judge(Ran(suite, outcomes[:3], 1.0, stopped=True), reasons).good
    assert not judge(Ran(suite, [], 1.0, stopped=False), reasons).good


def test_every_expected_failure_names_its_suite_and_a_reason() -> None:
    for reason in read_expected():
        assert " " in reason.why
        assert all(test.split("/")[0] in {suite.name for suite in SUITES} for test in reason.tests)
