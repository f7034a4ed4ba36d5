"""Retrain from accepted flags: ``python -m training.retrain``; see docs/retraining.md."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from smartbreed.core.errors import SmartBreedError
from smartbreed.core.extras import require
from smartbreed.core.files import expanded
from smartbreed.core.private import work_privately
from smartbreed.core.settings import load_settings
from training.continual.work import ProgressReporter


class Stopped(BaseException):
    """SIGTERM or Ctrl-C. A BaseException, so that no ``except Exception`` swallows it."""


def main(
    mode: Annotated[str, typer.Option(help="head: seconds on a CPU. full: fine-tune everything.")] = "head",
    dataset: Annotated[str, typer.Option(help="Dataset repo; default: SMARTBREED_DATASET.")] = "",
    model: Annotated[str, typer.Option(help="Model repo; default: that of the model in use.")] = "",
    home: Annotated[Path | None, typer.Option(help="Default: SMARTBREED_HOME.")] = None,
    publish: Annotated[bool, typer.Option(help="Publish a version that passes the gate.")] = True,
    by_count: Annotated[
        int, typer.Option(min=0, help="Do nothing unless this many samples were newly accepted.")
    ] = 0,
    data: Annotated[
        str,
        typer.Option(
            help="Base dataset, for --mode full: a folder or a dataset repo. "
            "Default: SMARTBREED_BASE_DATASET, else ../shared/data/pets."
        ),
    ] = "",
    overrides: Annotated[
        list[str], typer.Option("--set", help="Change the training recipe, for --mode full.")
    ] = [],  # noqa: B006 - typer wants a list
    progress: Annotated[str, typer.Option(help="text or json: one JSON object a line.")] = "text",
) -> None:
    """Retrain from accepted flags, compare with the current model, and publish the result if it is better."""
    if progress not in ("text", "json") or mode not in ("head", "full"):
        raise typer.BadParameter("--mode is head or full, --progress is text or json.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    reporter = ProgressReporter(as_json=progress == "json")
    stopping = _stop_on_signals()
    try:
        require("train", "Training needs")
        chosen = {"dataset": dataset, "model_repo": model, "home": home, "base_dataset": data}
        settings = load_settings(**{key: value for key, value in chosen.items() if value})
        work_privately(settings.home_dir)
        if model and not expanded(settings.model).is_dir():
            settings = settings.model_copy(update={"model": ""})  # --model says which model
        repo = model or _release_repo(settings, publish)
        result = _retrain(settings, repo, mode, publish, by_count, tuple(overrides), reporter, stopping)
    except SmartBreedError as error:
        reporter.error(error.message)
        raise typer.Exit(1) from None
    except Stopped:
        reporter.error("It was stopped; nothing was published.")
        raise typer.Exit(1) from None
    reporter.result(result)


def _release_repo(settings: Any, publish: bool) -> str:
    """Return the repo of the model in use; "" if it takes no releases and none is to be published.

    Raises:
        RequestError: it takes no releases, but one is to be published.
    """
    from smartbreed.core.errors import RequestError
    from smartbreed.registry.model_source import read_source, why_no_releases

    if why := why_no_releases(settings):
        if publish:
            raise RequestError("takes_no_releases", why)
        return ""
    return read_source(settings).repo


def _retrain(
    settings: Any,
    repo: str,
    mode: str,
    publish: bool,
    by_count: int,
    overrides: tuple[str, ...],
    reporter: ProgressReporter,
    shield: Any,
) -> dict[str, Any]:
    from smartbreed.hub.client import connect
    from smartbreed.training_jobs.workspace import workspace
    from training.continual.work import Choices, Work

    reporter.step("read", f"Reading {settings.dataset}")
    choices = Choices(settings.dataset, repo, mode, publish, by_count, overrides)
    with workspace(settings.home_dir) as scratch:
        work = Work(settings, choices, reporter, connect(settings), scratch, shield)
        if mode == "full":
            from training.continual.full import retrain_everything

            return retrain_everything(work)
        from training.continual.run import retrain_head

        return retrain_head(work)


def _stop_on_signals() -> Any:
    """Turn SIGTERM and Ctrl-C into `Stopped`; return a function that makes the process ignore both.

    A commit that has been sent cannot be recalled. Call the returned function before publishing, so that
    "nothing was published" is never reported of a version that was.
    """

    def shield() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def stop(number: int, frame: object) -> None:
        shield()  # a second signal must not interrupt the cleanup
        raise Stopped

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)

    return shield


if __name__ == "__main__":
    typer.run(main)
    sys.exit(0)
