"""Run the test suites of huggingface_hub and datasets against localhub: ``make hub-conformance``.

The sdists of the installed versions come from PyPI. The environment of the tests, their caches and tokens,
and the Hub's folder are all in one folder that is deleted afterwards. The exit status is 1 if a test fails
that ``expected.toml`` does not explain or a suite does not run to its end, and 2 if the run cannot start.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.hub_conformance.running import localhub, make_environment, run_suite
from benchmarks.hub_conformance.suites import SUITES, ConformanceError, fetch
from benchmarks.hub_conformance.verdict import Verdict, judge, read_expected, table


def main(
    suite: Annotated[str, typer.Option(help="Only this one: huggingface_hub or datasets.")] = "",
    limit: Annotated[float, typer.Option(help="Minutes a suite may take.")] = 40.0,
    test_limit: Annotated[float, typer.Option(help="Seconds a test may take.")] = 180.0,
    keep: Annotated[
        Path | None, typer.Option(help="An empty folder to work in, which stays, with every log.")
    ] = None,
) -> None:
    """Run the suites and print how many tests ran, passed and failed as expected, and every other failure."""
    chosen = [one for one in SUITES if suite in ("", one.name)]
    if not chosen:
        raise typer.BadParameter(f"The suites are {', '.join(one.name for one in SUITES)}. Received: {suite}")
    reasons, verdicts = read_expected(), list[Verdict]()
    with tempfile.TemporaryDirectory(prefix="hub-conformance-") as temporary:
        work = Path(keep or temporary)
        try:
            work.mkdir(parents=True, exist_ok=True)
            python = make_environment(work / "environment")
            for one in chosen:
                with localhub(work / f"hub-{one.name}") as endpoint:
                    root = fetch(one, work, endpoint)
                    print(f"{one.name} {one.version} against {endpoint}", file=sys.stderr, flush=True)
                    ran = run_suite(one, root, python, endpoint, limit_s=60 * limit, test_limit_s=test_limit)
                verdicts.append(judge(ran, reasons))
        except ConformanceError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
    _print(verdicts)
    raise typer.Exit(0 if all(verdict.good for verdict in verdicts) else 1)


def _print(verdicts: list[Verdict]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table(verdicts))
    for verdict in verdicts:
        for fault in verdict.faults:
            why = " ".join(fault.why.split())[:300]
            console.print(f"fault: {verdict.suite}: {fault.test}: {why}", markup=False, soft_wrap=True)
        for name in verdict.needless:
            console.print(f"fails no longer, take it off the list: {name}", markup=False, soft_wrap=True)
        if verdict.stopped:
            why = "out of time (--limit), or pytest failed; --keep leaves its log"
            console.print(f"{verdict.suite} did not run to its end: {why}", markup=False)


if __name__ == "__main__":
    typer.run(main)
