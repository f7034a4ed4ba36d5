"""What a run says: which failures were expected, by reason, and which are faults."""

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
    """Why some tests fail against localhub.

    Args:
        why: a sentence without its full stop.
        tests: names, each ``suite/file::class::test`` or its beginning; ``*`` at the end for anything.
    """

    why: str
    tests: Sequence[str]

    def covers(self, test: str) -> bool:
        return any(_fits(name, test) for name in self.tests)


@dataclass
class Verdict:
    """What a run of a suite came to.

    Attributes:
        ran: tests that passed or failed.
        passed: of these.
        expected: why → how many failed for it.
        faults: failures that nothing explains.
        needless: names on the list that no test fails for.
        skipped: tests that were not run.
        stopped: whether the suite was stopped for time.
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
        """Whether it ran to its end, and ran something, without a fault."""
        return not self.faults and not self.stopped and self.ran > 0


def read_expected(path: Path = EXPECTED) -> list[Reason]:
    """The list of expected failures."""
    with path.open("rb") as file:
        return [Reason(one["why"], one["tests"]) for one in tomllib.load(file)["reason"]]


def judge(ran: Ran, reasons: Iterable[Reason]) -> Verdict:
    """Hold what failed against the list."""
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
    """Suites side by side, a row for each reason that any of them has."""
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
    """Whether a name of the list stands for a test; parameters in brackets need not be named."""
    return test.startswith(name[:-1]) if name.endswith("*") else name in (test, test.partition("[")[0])
