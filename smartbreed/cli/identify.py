"""``smartbreed identify``: photos in, a table or JSON lines out."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartbreed.cli.common import (
    MISUSE,
    SOME_FAILED,
    JsonOption,
    ModelOption,
    ScoreOption,
    WholeOption,
    ends_well,
    say,
    settings_with,
)
from smartbreed.cli.paths import PhotoFile, expand

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings
    from smartbreed.inference.results import Failure, Identification

#: Fewest photos for which a progress bar is shown; for fewer it would vanish before it is read.
_WORTH_A_BAR = 8


def identify(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Photos, folders, patterns, or - for standard input.")
    ],
    as_json: JsonOption = False,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Breeds to list for each pet. Default: SMARTBREED_TOP_K."),
    ] = None,
    whole: WholeOption = False,
    score: ScoreOption = None,
    model: ModelOption = None,
) -> None:
    """Name the breed of every cat and dog in photos.

    Folders are searched recursively. With --json, each photo gives one line, in order. The exit status is
    0 if every photo could be read, 1 if some could not, 2 if the command is invalid.
    """
    with ends_well():
        settings = settings_with(model=model, top_k=top_k)
        sources = expand(paths)
        if any(source.path is None for source in sources) and sys.stdin.isatty():
            say("- reads a photo from standard input, which is a terminal.")
            raise typer.Exit(MISUSE)
        answers = _answers(settings, sources, whole, score)
        with _progress(len(sources), as_json) as advance:
            failed = (_print_json if as_json else _print_table)(_counted(answers, advance))
        if failed:
            say(f"{failed} of {len(sources)} could not be read.")
            raise typer.Exit(SOME_FAILED)


def _answers(
    settings: Settings, sources: list[PhotoFile], whole: bool, score: float | None
) -> Iterator[Identification | Failure]:
    """Yield the answers in order. At most a few photos are in memory, however many there are."""
    from smartbreed.core.errors import PhotoError
    from smartbreed.core.native import native_silence
    from smartbreed.imaging.photo import read_photo
    from smartbreed.inference.pipeline import Identifier
    from smartbreed.inference.results import Failure
    from smartbreed.inference.runtime import default_threads
    from smartbreed.registry import open_bundle

    # No more interpreters than photos: one that is never used would still be built.
    threads = min(settings.threads or default_threads(), len(sources))
    with native_silence():
        identifier = Identifier(open_bundle(settings), threads=threads, top_k=settings.top_k)

    def work(source: PhotoFile) -> Identification | Failure:
        name = "".join(c for c in source.name if c.isprintable())
        try:
            data = source.path or sys.stdin.buffer.read(settings.max_bytes + 1)
            photo = read_photo(
                data, name=name, max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, reduce=True
            )
        except PhotoError as error:
            return Failure(name, error)
        answer = identifier.identify(photo, whole=whole, score=score)
        # A photo only has its base name, which does not identify one found deep in a folder.
        return answer if answer.image == name else replace(answer, image=name)

    if len(sources) == 1:
        yield work(sources[0])
        return
    waiting: deque[Future[Identification | Failure]] = deque()
    pool = ThreadPoolExecutor(threads + 1)
    try:
        for source in sources:
            waiting.append(pool.submit(work, source))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _counted(
    answers: Iterable[Identification | Failure], advance: Callable[[], None]
) -> Iterator[Identification | Failure]:
    for answer in answers:
        advance()
        yield answer


def _print_json(answers: Iterable[Identification | Failure]) -> int:
    """Print one object per line, each as soon as it is known; return how many photos could not be read."""
    failed = 0
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    for answer in answers:
        value: dict[str, Any] = answer.as_dict()
        failed += "error" in value
        sys.stdout.write(json.dumps(value, ensure_ascii=ascii_only) + "\n")
        sys.stdout.flush()
    return failed


def _print_table(answers: Iterable[Identification | Failure]) -> int:
    from smartbreed.cli.table import print_answers

    return print_answers(answers)


@contextlib.contextmanager
def _progress(total: int, as_json: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr, if that is a terminal; yield the function that advances it."""
    flowing = as_json and sys.stdout.isatty()
    if total < _WORTH_A_BAR or not sys.stderr.isatty() or flowing or os.environ.get("TERM") == "dumb":
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # By default rich redirects stdout to the console of the bar, here stderr: the data would be lost.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
