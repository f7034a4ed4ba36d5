"""``smartbreed retrain``: start a retraining and watch it to its end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ends_well, say, settings_with

if TYPE_CHECKING:
    from smartbreed.services import Services
    from smartbreed.training_jobs.job import Job

#: Seconds between two checks of the progress.
_LOOK_S = 0.2


def retrain(
    mode: Annotated[
        str, typer.Option(help="head: retrains the last layer, quick; full: fine-tunes all, hours.")
    ] = "head",
    no_publish: Annotated[
        bool, typer.Option("--no-publish", help="Only check whether it would pass; release nothing.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|REPO",
            help="Base dataset of --mode full: a folder or a dataset repo. Default: SMARTBREED_BASE_DATASET.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the next version of the model with the accepted flags. Ctrl-C stops it.

    Exit status: 0 if it finished, whether or not the new model passed; 1 if it was aborted.
    """
    with ends_well():
        from smartbreed.services import Services

        services = Services(settings_with(base_dataset=data))
        job = services.retrain(mode, publish=not no_publish)
        try:
            ended = _watch(services, job)
        except KeyboardInterrupt:
            services.retraining.cancel()
            services.retraining.wait(job.spec.id, 30)
            raise
        finally:
            services.stop()
        if as_json:
            print(json.dumps(_values(ended), ensure_ascii=False))
        else:
            _report(ended)
        if ended.progress.result is None:
            raise typer.Exit(SOME_FAILED)


def _watch(services: Services, job: Job) -> Job:
    """Report each stage when it begins and, on a terminal, its progress; return the finished job."""
    terminal = sys.stderr.isatty()
    reported: set[str] = set()
    while True:
        now = services.retraining.wait(job.spec.id, _LOOK_S) or job
        for step in now.progress.steps():
            if terminal and step.state == "active":
                share = "" if step.share is None else f" {step.share:4.0%}"
                print(f"\r\x1b[2K{step.title}{share} {now.progress.message[:60]}", end="", file=sys.stderr)
            elif not terminal and step.state != "waiting" and step.name not in reported:
                say(f"{step.title} …")
                reported.add(step.name)
        if not now.running:
            if terminal:
                print("\r\x1b[2K", end="", file=sys.stderr)
            return now


def _report(job: Job) -> None:
    result = job.progress.result
    print(job.sentence)
    if result is not None:
        if result.learnt_names:
            print(f"learnt: {', '.join(result.learnt_names)}")
        for reason in result.reasons:
            print(f"- {reason}")
        for sentence in result.undecided:
            print(f"- not decided: {sentence}")
        if result.report:
            print(f"report: {result.report}")
    elif job.stderr_tail:
        say(f"the end of its log:\n{job.stderr_tail}")


def _values(job: Job) -> dict[str, Any]:
    result = job.progress.result
    return {
        "id": job.spec.id,
        "mode": job.spec.mode,
        "state": job.state,
        "message": job.sentence,
        "seconds": round(job.seconds, 1),
        "passed": bool(result and result.passed),
        "published": bool(result and result.published),
        "version": result.version if result else "",
        "revision": result.revision if result else "",
        "learnt": list(result.learnt) if result else [],
        "learnt_names": list(result.learnt_names) if result else [],
        "reasons": list(result.reasons) if result else [],
        "undecided": list(result.undecided) if result else [],
        "report": result.report if result else "",
    }
