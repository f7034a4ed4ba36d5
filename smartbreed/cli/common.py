"""What all commands share: settings, common options, messages, progress, and how errors end a command."""

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

#: Exit statuses besides 0.
SOME_FAILED = 1
MISUSE = 2
#: The status that a shell reports for a program ended by SIGPIPE.
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
        "--score",
        min=0,
        max=1,
        callback=_number,
        help="Lowest detector score of a pet. Default: the model's.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def say(text: str) -> None:
    """Print a message for the user on stderr."""
    print(f"smartbreed: {text}", file=sys.stderr)


@contextlib.contextmanager
def ends_well() -> Iterator[None]:
    """Turn the app's errors into one line on stderr and an exit status; stay quiet about a broken pipe.

    The audit log records what is done in the block as done by the command line.
    """
    try:
        with acting(Actor("command line")):
            yield
        sys.stdout.flush()
    except SmartBreedError as error:
        say(error.message)
        raise typer.Exit(MISUSE) from None
    except BrokenPipeError:
        # The interpreter flushes stdout once more when it exits, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise typer.Exit(BROKEN_PIPE) from None
    except KeyboardInterrupt:
        say("interrupted.")
        raise typer.Exit(INTERRUPTED) from None


def settings_with(**overrides: Any) -> Settings:
    """Return the settings, in which command-line options override the environment; make the home private.

    Raises:
        SettingError: a variable has an invalid value.
    """
    from smartbreed.core.private import work_privately
    from smartbreed.core.settings import load_settings

    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    work_privately(settings.home_dir)
    return settings


class Show(Protocol):
    """Prints a progress report. Reports are throttled unless ``always`` is set."""

    def __call__(self, report: object, always: bool = False) -> None: ...


@contextlib.contextmanager
def progress_line() -> Iterator[Show]:
    """Show progress on stderr: one changing line on a terminal, otherwise a new line every few seconds."""
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
