"""What every command does alike: settings, the model, and how it ends when something is wrong."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from smartbreed.admin.actor import Actor, acting
from smartbreed.core.errors import SmartBreedError

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

#: Exit statuses beside 0.
SOME_FAILED = 1
MISUSE = 2
#: As a shell says of a program that SIGPIPE ended.
BROKEN_PIPE = 141
INTERRUPTED = 130

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR",
        help="Model bundle: a folder, or a Hub repo owner/name[@revision]. Default: SMARTBREED_MODEL.",
        show_default=False,
    ),
]
WholeOption = Annotated[
    bool, typer.Option("--whole", help="Take each whole picture as the pet instead of looking for pets.")
]


def _number(score: float | None) -> float | None:
    if score is not None and score != score:  # NaN passes a range check
        raise typer.BadParameter("not a number")
    return score


ScoreOption = Annotated[
    float | None,
    typer.Option(
        "--score", min=0, max=1, callback=_number, help="Smallest score of a find. Default: the model's own."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def say(text: str) -> None:
    """A line for the person, on stderr."""
    print(f"smartbreed: {text}", file=sys.stderr)


@contextlib.contextmanager
def ends_well() -> Iterator[None]:
    """Turn our errors into one line on stderr and a status; stay quiet about a reader who went away.

    The audit log says of what is done inside that the command line did it.
    """
    try:
        with acting(Actor("command line")):
            yield
        sys.stdout.flush()
    except SmartBreedError as error:
        say(error.message)
        raise typer.Exit(MISUSE) from None
    except BrokenPipeError:
        # The interpreter flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(BROKEN_PIPE) from None
    except KeyboardInterrupt:
        say("interrupted.")
        raise typer.Exit(INTERRUPTED) from None


def settings_with(**overrides: Any) -> Settings:
    """The settings, with options of the command line before the environment; the home is closed to others.

    Raises:
        SettingError: a variable holds something unusable.
    """
    from smartbreed.core.private import work_privately
    from smartbreed.core.settings import load_settings

    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    work_privately(settings.home_dir)
    return settings


class Show(Protocol):
    """Shows how far work is; with ``always`` also where lines stay and the last one is of just now."""

    def __call__(self, report: object, always: bool = False) -> None: ...


@contextlib.contextmanager
def progress_line() -> Iterator[Show]:
    """Progress on stderr: one line that changes on a terminal, else a line now and then."""
    terminal = sys.stderr.isatty()
    begin, end, every = ("\r\x1b[2K", "", 0.2) if terminal else ("", "\n", 5.0)
    last = time.monotonic()

    def show(report: object, always: bool = False) -> None:
        nonlocal last
        if always or time.monotonic() - last >= every:
            print(f"{begin}{report}", end=end, file=sys.stderr, flush=True)
            last = time.monotonic()

    try:
        yield show
    finally:
        if terminal:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
