"""``smartbreed teach``: train a model of one's own from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from smartbreed.cli.common import SOME_FAILED, JsonOption, ModelOption, ends_well, say, settings_with


def teach(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder or zip with a folder per class or boxes (COCO, YOLO), or a dataset repo."
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the bundle.")],
    name: Annotated[str, typer.Option(help="Name of the model. Default: that of the folder.")] = "",
    whole: Annotated[
        bool, typer.Option("--whole", help="Learn from whole photos instead of the cat or dog in them.")
    ] = False,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Train a model of your own: a bundle that knows your classes.

    It takes seconds: the model embeds each photo once, and a new head is trained on the embeddings.

    Exit status: 0 if all photos could be used, 1 if some could not.
    """
    with ends_well():
        from smartbreed.core.native import native_silence
        from smartbreed.inference.pipeline import Identifier
        from smartbreed.registry import open_bundle
        from smartbreed.teach.offline import teach_folder

        with native_silence():
            identifier = Identifier(open_bundle(settings_with(model=model)))
        made = teach_folder(
            source, out, name=name, subject="whole" if whole else "pet", identifier=identifier, progress=say
        )
        taught = made.taught
        for sentence, count in made.unusable.items():
            say(f"{count} unusable: {sentence}")
        if made.alike:
            say(f"{made.alike} photos are nearly the same as another one.")
        for one in taught.suspicious:
            say(
                f"Look at {made.files[one.place]}: it is in {made.names[one.given]} and looks like "
                f"{made.names[one.likely]}."
            )
        if as_json:
            confusion = taught.confusion.tolist()
            print(
                json.dumps(
                    {"bundle": str(out), "classes": made.names, "photos": taught.counts,
                     "accuracy": taught.accuracy, "checked": taught.checked, "confusion": confusion}
                )
            )  # fmt: skip
        else:
            for label, count, row in zip(made.names, taught.counts, taught.confusion, strict=True):
                print(
                    f"{label:<30} {count:>5} photos  {row[made.names.index(label)]:>4} of {row.sum()} right"
                )
            print(f"{taught.accuracy:.1%} of {taught.checked} photos right while held back. Bundle: {out}")
        if made.unusable:
            raise typer.Exit(SOME_FAILED)
