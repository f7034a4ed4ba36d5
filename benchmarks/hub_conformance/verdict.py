"""Judge a run: separate expected failures, by reason, from faults."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from benchmarks.hub_conformance.running import Outcome, Ran

EXPECTED = Path(__file__).with_name("expected.toml")


@dataclass(frozen=True)
class Reason:
    """A reason why some tests are expected to fail against localhub.

    Args:
        why: a sentence without its full stop.
        tests: names ``suite/file::class::test``; a ``*`` at the end matches any further text.
    """

    why: str
    tests: Sequence[str]

    def covers(self, test: str) -> bool:
        return any(_fits(name, test) for name in self.tests)


@dataclass
class Verdict:
    """The result of a run of a suite.

    Attributes:
        suite: name and version.
        ran: number of tests that passed or failed.
        passed: number of tests that passed.
        skipped: number of tests that did not run.
        stopped: whether the suite ran out of time or pytest itself failed.
        seconds: duration of the run.
        expected: number of expected failures by reason.
        faults: failures without a reason.
        needless: names in the list of expected failures that no failing test matches.
    """

    suite: str
    ran: int = 0
    passed: int = 0
    skipped: int = 0
    stopped: bool = False
    seconds: float = 0.0
    expected: dict[str, int] = field(default_factory=dict)
    faults: list[Outcome] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when the suite ran to its end with at least one test and no fault."""
        return not self.faults and not self.stopped and self.ran > 0


def read_expected(path: Path = EXPECTED) -> list[Reason]:
    """Read the list of expected failures."""
    with path.open("rb") as file:
        return [Reason(one["why"], one["tests"]) for one in tomllib.load(file)["reason"]]


def judge(ran: Ran, reasons: Iterable[Reason]) -> Verdict:
    """Compare the failures of a run with the list of expected ones."""
    verdict = Verdict(f"{ran.suite.name} {ran.suite.version}", stopped=ran.stopped, seconds=ran.seconds)
    reasons, failed = list(reasons), []
    for outcome in ran.outcomes:
        verdict.skipped += outcome.outcome == "skipped"
        verdict.passed += outcome.outcome == "passed"
        if outcome.outcome != "failed":
            continue
        test = f"{ran.suite.name}/{outcome.test}"
        failed.append(test)
        why = next((reason.why for reason in reasons if reason.covers(test)), "")
        if why:
            verdict.expected[why] = verdict.expected.get(why, 0) + 1
        else:
            verdict.faults.append(outcome)
    verdict.ran = verdict.passed + len(failed)
    names = [name for reason in reasons for name in reason.tests if name.startswith(f"{ran.suite.name}/")]
    verdict.needless = [name for name in names if not any(_fits(name, test) for test in failed)]
    return verdict


def table(verdicts: Sequence[Verdict]) -> Table:
    """Build a table with a column for each suite and a row for each reason that occurs."""
    shown = Table("")
    for verdict in verdicts:
        shown.add_column(verdict.suite, justify="right")
    rows = {
        "ran": [verdict.ran for verdict in verdicts],
        "passed": [verdict.passed for verdict in verdicts],
        "failed as expected": [sum(verdict.expected.values()) for verdict in verdicts],
        **{
            f"  {why}": [verdict.expected.get(why, 0) for verdict in verdicts]
            for why in dict.fromkeys(why for verdict in verdicts for why in verdict.expected)
        },
        "faults": [len(verdict.faults) for verdict in verdicts],
        "not run (huggingface.co itself, xet, inference, packages)": [one.skipped for one in verdicts],
        "seconds": [round(verdict.seconds) for verdict in verdicts],
    }
    for name, values in rows.items():
        shown.add_row(name, *map(str, values))
    return shown


def _fits(name: str, test: str) -> bool:
    """True when a name from the list matches a test; the name may omit the parameters in brackets."""
    return test.startswith(name[:-1]) if name.endswith("*") else name in (test, test.partition("[")[0])
