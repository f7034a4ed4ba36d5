"""``smartbreed breeds``: what the model can name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from smartbreed.cli.common import (
    SOME_FAILED,
    JsonOption,
    ModelOption,
    ends_well,
    say,
    settings_with,
)


def breeds(
    search: Annotated[
        str | None,
        typer.Argument(metavar="[SEARCH]", help="Only breeds of this name or alias, misspelt or not."),
    ] = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """List the breeds the model can name; the exit status is 1 when none matches."""
    with ends_well():
        from smartbreed.breeds.catalogue import BREEDS
        from smartbreed.breeds.catalogue import search as find
        from smartbreed.inference.labels import Labels
        from smartbreed.registry import open_bundle
        from smartbreed.web.api.answers import breed_list

        bundle = open_bundle(settings_with(model=model))
        found = breed_list(bundle)
        if search is not None:
            known = Labels(bundle.config.classifier).breeds
            most = len(BREEDS) + len(known)
            wanted = {breed.id: rank for rank, breed in enumerate(find(search, most, known))}
            matching = [breed for breed in found if breed["id"] in wanted]
            found = sorted(matching, key=lambda breed: wanted[breed["id"]])
        if not found:
            say(f"no breed of this model is called anything like {search!r}.")
            raise typer.Exit(SOME_FAILED)
        if as_json:
            for breed in found:
                print(json.dumps(breed))
        else:
            from smartbreed.cli.table import print_table

            print_table(
                ("id", "name", "species", "also called"),
                [(b["id"], b["name"], b["species"], ", ".join(b["aliases"])) for b in found],
            )
