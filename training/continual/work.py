"""A running retraining: its options, progress, outcome and report."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from smartbreed.core.files import disk_errors, make_dirs, replace_durably, write_tmp
from smartbreed.core.settings import Settings
from training.continual.gate import GateResult
from training.continual.plan import Plan
from training.data.accepted_scenes import LabelledPhotos

if TYPE_CHECKING:
    from huggingface_hub import HfApi


class ProgressReporter:
    """Reports progress to the process that started the retraining.

    Args:
        as_json: one JSON object per line on stdout; else sentences on stderr and the result on stdout.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._last = ""

    def step(self, stage: str, message: str, done: float = 0, of: float = 1) -> None:
        """Report how far a stage is: ``done`` of ``of``."""
        if self.as_json:
            self._line({"stage": stage, "done": round(done, 4), "of": of, "message": message})
        elif message != self._last:
            self._last = message
            print(f"{stage}: {message}", file=sys.stderr, flush=True)

    def result(self, values: dict[str, Any]) -> None:
        """Report the outcome of a retraining that finished; the last line."""
        if self.as_json:
            self._line({"stage": "result", **values})
            return
        print(values["message"])
        for reason in values["reasons"]:
            print(f"- {reason}")
        for sentence in values["undecided"]:
            print(f"- not decided: {sentence}")
        print(f"report: {values['report']}")

    def error(self, message: str) -> None:
        """Report that a retraining failed or was stopped; the last line."""
        if self.as_json:
            self._line({"stage": "error", "message": message})
        else:
            print(f"retrain: {message}", file=sys.stderr, flush=True)

    def _line(self, values: dict[str, Any]) -> None:
        print(json.dumps(values, ensure_ascii=False), flush=True)


#: Outcomes of a finished retraining, each with its sentence; ``{}`` is the version.
OUTCOMES = MappingProxyType(
    {
        "published": "{} is published",
        "passed": "{} passed every check; it was not published",
        "refused": "{} was not good enough, so nothing was published",
        "nothing_new": "no new model was made, as no photo was accepted that {} has not learnt from",
        "too_few": "no new model was made, as too few photos were accepted since {}",
    }
)


class Progress(Protocol):
    """A progress callback: ``done`` of ``of`` parts of a stage are done; ``said`` replaces its message."""

    def __call__(self, done: float, of: float, said: str = "") -> None: ...


@dataclass(frozen=True)
class Choices:
    """The options of a retraining.

    Attributes:
        dataset: dataset repo.
        repo: model repo that releases go to; "" if nothing is released.
        mode: ``head`` or ``full``.
        publish: whether a challenger that passes is published.
        by_count: do nothing with fewer newly accepted samples than this; 0 sets no extra minimum.
        overrides: ``key=value`` changes of the training recipe, for ``full``.
        now: start of this retraining, timezone-aware; names the report's folder and dates the changelog.
    """

    dataset: str
    repo: str
    mode: str = "head"
    publish: bool = True
    by_count: int = 0
    overrides: tuple[str, ...] = ()
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


@dataclass
class Work:
    """A running retraining.

    Attributes:
        settings: the app's settings.
        choices: the options.
        reporter: where progress goes.
        api: from `smartbreed.hub.client.connect`.
        scratch: folder for temporary data: everything with photographs in it, and unfinished files. It is on
            the file system of SMARTBREED_HOME.
        before_publishing: called before anything is sent to the Hub; may raise to stop.
        missed: photographs with accepted missed pets.
        facts: values for the report.
        seconds: duration of each stage.
    """

    settings: Settings
    choices: Choices
    reporter: ProgressReporter
    api: HfApi
    scratch: Path
    before_publishing: Callable[[], None] = lambda: None
    missed: LabelledPhotos = field(default_factory=LabelledPhotos)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the report."""
        return self.settings.home_dir / "retraining" / self.choices.now.strftime("%Y%m%dT%H%M%SZ")

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[Progress]:
        """Report and time a stage; yields a progress callback, which may change the message."""
        started = time.perf_counter()
        self.reporter.step(name, message)

        def progress(done: float, of: float, said: str = "") -> None:
            self.reporter.step(name, said or message, done, of)

        yield progress
        self.reporter.step(name, message, 1, 1)
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 2)

    def keep(self, bundle: Path) -> None:
        """Move a finished bundle that is not published into the report's folder.

        Raises:
            StorageError: the disk refused.
        """
        make_dirs(self.folder)
        with disk_errors("The new version was not kept"):
            shutil.move(bundle, self.folder / "bundle")

    def end(
        self,
        plan: Plan,
        gate_result: GateResult | None,
        reasons: list[str],
        version: str,
        history: list[dict[str, Any]],
        revision: str = "",
        *,
        why_none: str = "nothing_new",
    ) -> dict[str, Any]:
        """Write the report and return the result.

        Args:
            plan: what was to be learnt.
            gate_result: the gate's result; None if nothing was compared.
            reasons: sentences for the report.
            version: the challenger's version; the champion's if there is no challenger.
            history: one entry per version, the challenger's last.
            revision: full sha if it was published.
            why_none: key of `OUTCOMES` if nothing was compared.

        Returns:
            What `ProgressReporter.result` reports: ``outcome``, ``message``, ``passed``, ``published``,
            ``version``, ``revision``, ``learnt``, ``learnt_names``, ``reasons``, ``undecided``, ``report``,
            ``took``.
        """
        passed = gate_result is not None and gate_result.passed
        outcome = why_none
        if gate_result is not None:
            outcome = "published" if revision else "passed" if passed else "refused"
        sentence = OUTCOMES[outcome].format(version)
        result = {
            "outcome": outcome,
            "message": sentence,
            "passed": passed,
            "published": bool(revision),
            "version": version if passed else "",
            "revision": revision,
            "learnt": plan.learnt() if passed else [],
            "learnt_names": plan.learnt_names() if passed else [],
            "reasons": reasons,
            "undecided": gate_result.undecided if gate_result is not None else [],
            "report": str(self.folder),
            "took": int(plan.fresh.sum()),
        }
        facts = {**self.facts, **result, "version": version, "learnt": plan.sentences()}
        write_report(self.folder, {**facts, "seconds": self.seconds}, gate_result, history)
        return result


def write_report(
    folder: Path, facts: dict[str, Any], gate_result: GateResult | None, history: list[dict[str, Any]]
) -> None:
    """Write ``report.md``, the plots and ``report.json``.

    ``report.json`` comes last, so a folder that has it is complete.

    Args:
        folder: output folder; created if needed.
        facts: values of the report: outcome, version, mode, learnt, reasons, counts and so on.
        gate_result: the gate's result; None if nothing was compared.
        history: one dictionary per version, the challenger last.

    Raises:
        StorageError: the disk refused.
    """
    make_dirs(folder)
    values = {**facts, "history": history}
    if gate_result is not None:
        from training.continual.plots import draw

        values["checks"] = [check.__dict__ for check in gate_result.checks]
        values["figures"] = gate_result.figures
        draw(folder, gate_result.figures, history, facts["version"])
    with disk_errors("The report was not written"):
        text = _markdown(values).encode()
        replace_durably(write_tmp(folder, "report.md", text), folder / "report.md")
        data = json.dumps(values, indent=1, ensure_ascii=False).encode()
        replace_durably(write_tmp(folder, "report.json", data), folder / "report.json")


def _markdown(values: dict[str, Any]) -> str:
    lines = [f"# Retraining: {values['message']}", ""]
    lines += [f"- {reason}" for reason in values["reasons"]]
    if values.get("checks"):
        words = values["figures"]["gate"]["words"]
        called = {"groups": f"{words['group']}s", "breeds": f"{words['label']}s"}
        lines += ["", "| check | passed | what was found |", "|---|---|---|"]
        lines += [
            f"| {called.get(check['name'], check['name'])} | {_passed(check)} | {check['sentence']} |"
            for check in values["checks"]
        ]
    if values.get("undecided"):
        lines += ["", "## What could not be decided for lack of pictures", ""]
        lines += [f"- {sentence}" for sentence in values["undecided"]]
    if values.get("learnt"):
        lines += ["", "## What it would learn" if not values["passed"] else "## What it learnt", ""]
        lines += [f"- {line}" for line in values["learnt"]]
    lines += ["", "## What was read", ""]
    lines += [f"- dataset `{values['dataset']}` at `{values['dataset_revision'] or 'no revision'}`"]
    lines += [f"- {count} {what}" for what, count in values["counts"].items()]
    lines += [f"- left out: {count} {reason}" for reason, count in values["left_out"].items()]
    lines += [f"- skipped: {sentence}" for sentence in values["skipped"]]
    if values.get("seconds"):
        lines += ["", "## Seconds", ""]
        lines += [f"- {stage}: {seconds:.1f}" for stage, seconds in values["seconds"].items()]
    return "\n".join(lines) + "\n"


def _passed(check: dict[str, Any]) -> str:
    if not check["passed"]:
        return "no"
    return "yes" if check["decided"] else "not decided"
