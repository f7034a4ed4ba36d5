"""``smartbreed breeds``: list the breeds that the model can name, and show the facts of one."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from smartbreed.cli.common import (
    SOME_FAILED,
    JsonOption,
    ModelOption,
    ends_well,
    say,
    settings_with,
)


class _ListByDefault(TyperGroup):
    """Makes ``smartbreed breeds terrier`` search, as it did before ``breeds`` had subcommands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not {"--help", *self.commands} & set(args[:1]):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="breeds",
    cls=_ListByDefault,
    help="The breeds that the model can name. Without a command: list.",
    rich_markup_mode=None,
)


@app.command("list")
def list_(
    search: Annotated[
        str | None,
        typer.Argument(metavar="[SEARCH]", help="Only breeds of this name or alias, misspelt or not."),
    ] = None,
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """List the breeds that the model can name. The exit status is 1 if none matches."""
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


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Its id, name or an alias.")],
    as_json: JsonOption = False,
    model: ModelOption = None,
) -> None:
    """Show the facts of a breed, and how well the model recognises it. The exit status is 1 if there is no
    such breed.
    """
    with ends_well():
        from smartbreed.core.errors import RequestError
        from smartbreed.inference.breed_book import BreedBook
        from smartbreed.registry import open_bundle
        from smartbreed.web.api.answers import breed_detail

        book = BreedBook(open_bundle(settings_with(model=model)))
        try:
            found = breed_detail(book, name)
        except RequestError as error:
            say(error.message)
            raise typer.Exit(SOME_FAILED) from None
        print(json.dumps(found, ensure_ascii=False) if as_json else _as_text(found, book))


def _as_text(found: dict[str, Any], book: Any) -> str:
    facts, measured = found["facts"], found["evaluation"]

    def name(label: str) -> str:
        return str(book.breeds[label].name if label in book.breeds else label)

    rows: list[tuple[str, str]] = [("id", found["id"]), ("also called", ", ".join(found["aliases"]))]
    if facts:
        height, weight, years = (facts[key] for key in ("height_cm", "weight_kg", "life_span_years"))
        rows += [
            ("group", facts["kennel_group"]),
            ("origin", facts["origin"]),
            ("size", facts["size"]),
            ("height", f"{_range(height)} cm" if height else ""),
            ("weight", f"{_range(weight)} kg"),
            ("life span", f"{_range(years)} years"),
            ("coat", f"{facts['coat']['length']}. {facts['coat']['text']}"),
            ("colours", ", ".join(facts["coat"]["colours"])),
            ("temperament", ", ".join(facts["temperament"])),
            ("character", facts["character"]),
            ("grooming", f"{facts['grooming']['level']}. {facts['grooming']['text']}"),
            ("exercise", f"{facts['exercise']['level']}. {facts['exercise']['text']}"),
            ("history", facts["history"]),
            *(("look-alike", f"{name(one['breed'])}: {one['tell_apart']}") for one in facts["look_alikes"]),
        ]
    if measured:
        rows.append(
            (
                "this model",
                f"first guess right for {measured['recall']:.0%} of {measured['pictures']} test pictures; "
                f"right in {measured['precision']:.0%} of the cases in which it says so "
                f"(version {measured['version']})",
            )
        )
        taken = ", ".join(f"{name(one['id'])} ({one['pictures']})" for one in measured["taken_for"])
        rows.append(("mistaken for", taken))
    width = max(len(label) for label, _ in rows)
    lines = [found["name"], *([facts["summary"]] if facts else []), ""]
    return "\n".join(lines + [f"{label:<{width}}  {text}" for label, text in rows if text])


def _range(values: dict[str, float]) -> str:
    least, most = values["least"], values["most"]
    return f"{least:g}" if least == most else f"{least:g}–{most:g}"
