"""``smartbreed batch``: many photos in, one table out."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from smartbreed.cli.common import (
    SOME_FAILED,
    ModelOption,
    ScoreOption,
    WholeOption,
    ends_well,
    progress_line,
    say,
    settings_with,
)

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings
    from smartbreed.inference.bundle import Bundle
    from smartbreed.inference.pipeline import Identifier

#: Most guesses per pet: each takes three columns of the table.
_MOST_GUESSES = 20


def batch(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder, a pattern, a text file with one photo per line, parquet, a zip, a URL such as "
            "s3://bucket/photos, or a dataset repo owner/name."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File for the rows: .parquet, .jsonl or .csv.")],
    crops: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save each pet's crop, in a folder per breed.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page about the run: counts, plots, pictures.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="ray: on all machines of a Ray cluster (extra ray).")
    ] = "local",
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running, and identify photos that arrive.")
    ] = False,
    config: Annotated[str, typer.Option(help="Configuration of a dataset.")] = "",
    split: Annotated[str, typer.Option(help="Split of a dataset. Default: all.")] = "",
    top_k: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MOST_GUESSES, help="Breeds to list for each pet. Default: SMARTBREED_TOP_K."
        ),
    ] = None,
    whole: WholeOption = False,
    score: ScoreOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    model: ModelOption = None,
) -> None:
    """Name the breeds in very many photos, and write them to one table.

    Stop or kill it at any time: the same command resumes where it stopped. The exit status is 0 if every
    photo could be used, 1 if some could not, 2 if the command is invalid or a disk failed.
    """
    with ends_well():
        from smartbreed.batch.parts import Parts
        from smartbreed.batch.report import write_report
        from smartbreed.batch.run import about, local_engine, run
        from smartbreed.batch.watch import watch_folder
        from smartbreed.batch.worker import Options
        from smartbreed.registry import open_bundle
        from smartbreed.sources.opening import open_source

        settings = settings_with(model=model, top_k=top_k)
        options = Options(
            top_k=min(settings.top_k, _MOST_GUESSES),
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            whole=whole,
            score=score,
            crops=crops is not None,
            thumbnails=report is not None,
        )
        bundle = open_bundle(settings)
        if watch:
            watch_folder(Path(source), out, _identifier(settings, bundle), options, crops=crops, named=say)
            return
        parts = Parts(out, options.top_k)
        opened = open_source(source, config, split, settings=settings)
        if engine == "ray":
            from smartbreed.batch.on_ray import ray_engine

            answers = ray_engine(settings, bundle.version.revision, options)
        else:
            answers = local_engine(_identifier(settings, bundle), options)
        with progress_line() as progress:

            def finish() -> None:
                if report is not None:
                    write_report(report, opened.name, parts.rows())

            done = run(
                opened, parts, answers, about(source, opened, bundle.version.revision, options),
                crops=crops, overwrite=overwrite, progress=progress,
                finish=finish,
            )  # fmt: skip
        say(f"{out.name}: {done}.")
        if done.bad:
            raise typer.Exit(SOME_FAILED)


def _identifier(settings: Settings, bundle: Bundle) -> Identifier:
    from smartbreed.core.native import native_silence
    from smartbreed.inference.pipeline import Identifier

    with native_silence():
        identifier = Identifier(bundle, threads=settings.threads, top_k=settings.top_k, network_threads=1)
    gc.freeze()  # what is loaded now stays loaded: scanning it for garbage costs a batch 5% of its time
    return identifier
