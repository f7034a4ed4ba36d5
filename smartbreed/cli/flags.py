"""``smartbreed flags``: list, add, count, publish, withdraw and erase what visitors said about answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartbreed.cli.common import MISUSE, SOME_FAILED, JsonOption, ends_well, say, settings_with
from smartbreed.cli.publish import publish, status

if TYPE_CHECKING:
    from smartbreed.feedback.flags import FlagService
    from smartbreed.feedback.tables import Flag

app = typer.Typer(help="Look at what visitors flagged, and publish it.", no_args_is_help=True)
app.command()(publish)
app.command()(status)

_FIELDS = ("id", "flagged_at", "state", "verdict", "predicted", "label", "label_text", "species", "sample_id")


@app.command("list")
def list_flags(
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most flags to show.")] = 50,
) -> None:
    """Show the latest flags, newest first."""
    with ends_well():
        from smartbreed.feedback.flags import open_feedback

        service = open_feedback(settings_with())
        rows = [_row(flag) for flag in service.recent(limit)]
        service.close()
        if as_json:
            for row in rows:
                print(json.dumps(row))
        else:
            from smartbreed.cli.table import print_table

            print_table(
                ("flag", "when", "state", "verdict", "model said", "person said"),
                [
                    (
                        row["id"],
                        row["flagged_at"][:16],
                        row["state"],
                        row["verdict"],
                        row["predicted"] or "",
                        row["label"] or row["label_text"] or "",
                    )
                    for row in rows
                ],
            )


@app.command("add")
def add_flag(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The photo.", dir_okay=False)],
    verdict: Annotated[str, typer.Option(help="correct, wrong, not_a_pet, missed or unsure.")],
    consent: Annotated[
        bool, typer.Option("--consent", help="The photo may be kept and published; required.")
    ] = False,
    pet: Annotated[
        int | None, typer.Option(min=1, help="Number of the pet in `identify`'s answer. Default: the photo.")
    ] = None,
    label: Annotated[str, typer.Option(help="The right breed: its id, name or an alias.")] = "",
    label_text: Annotated[str, typer.Option("--words", help="The breed in your own words.")] = "",
    box: Annotated[
        str,
        typer.Option(metavar="X0,Y0,X1,Y1", help="Where a missed pet is, in pixels of the upright photo."),
    ] = "",
    species: Annotated[str, typer.Option(help="Species of a missed pet of unknown breed: cat or dog.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say whether the model is right about a pet in a photo, as on the page. Prints the flag's id."""
    with ends_well():
        from smartbreed.core.native import native_silence
        from smartbreed.services import Services
        from smartbreed.web.api.arguments import check_box

        corners = check_box(box)
        services = Services(settings_with())
        picture = services.read(photo, photo.name)
        with native_silence():
            identifier = services.identifier
        receipt = services.flag(
            picture, identifier.identify(picture), number=pet, verdict=verdict, label=label,
            label_text=label_text, consent=consent, box=corners, species=species,
        )  # fmt: skip
        services.stop()
        answer = {
            "flag_id": receipt.flag_id, "sample_id": receipt.sample_id, "created": receipt.created,
            "receipt": receipt.receipt,
        }  # fmt: skip
        print(json.dumps(answer) if as_json else receipt.flag_id)


@app.command("count")
def count_flags(
    state: Annotated[
        str | None, typer.Option(help="Only flags in this state: pending, published or withdrawn.")
    ] = None,
) -> None:
    """Print the number of flags."""
    with ends_well():
        from smartbreed.feedback.flags import open_feedback

        service = open_feedback(settings_with())
        print(service.count(state))
        service.close()


@app.command()
def withdraw(
    flag: Annotated[str, typer.Argument(metavar="FLAG", help="Its id, as shown when it was saved.")],
    receipt: Annotated[str, typer.Argument(help="As shown when the flag was saved.")],
) -> None:
    """Withdraw a flag with its receipt: the photo is deleted at once, the row when the dataset is next
    published.
    """
    with ends_well():
        from smartbreed.feedback.flags import open_feedback

        service = open_feedback(settings_with())
        try:
            service.withdraw_with(flag, receipt)
        finally:
            service.close()
        print(flag)


@app.command()
def erase(
    flags: Annotated[list[str], typer.Argument(metavar="FLAG...", help="Ids, as `flags list` shows them.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete flags and their photos for good: from this disk at once, and from the dataset and its history
    when that is next published. Review decisions about them stay here, without the photo.

    Exit status: 0 if all were deleted, 1 if some did not exist.
    """
    with ends_well():
        from smartbreed.feedback.flags import open_feedback
        from smartbreed.training_jobs.workspace import remove_leftovers

        if not yes and not _agreed(len(flags)):
            raise typer.Exit(MISUSE)
        settings = settings_with()
        service = open_feedback(settings)
        remove_leftovers(settings.home_dir)
        try:
            missing = [flag for flag in dict.fromkeys(flags) if not _erased(service, flag)]
        finally:
            service.close()
        for flag in missing:
            say(f"there is no flag {flag}.")
        if len(missing) < len(set(flags)):
            say("what is published of them leaves the dataset with the next 'smartbreed flags publish'.")
        if missing:
            raise typer.Exit(SOME_FAILED)


def _agreed(number: int) -> bool:
    if not sys.stdin.isatty():
        say("there is no terminal to ask on; give --yes to erase for good.")
        return False
    what = "this flag and its photo" if number == 1 else f"these {number} flags and their photos"
    return typer.confirm(f"Erase {what} for good?", err=True)


def _erased(service: FlagService, flag_id: str) -> bool:
    from smartbreed.core.errors import FlagError

    try:
        service.erase(flag_id)
    except FlagError:
        return False
    print(flag_id)
    return True


def _row(flag: Flag) -> dict[str, Any]:
    values = {name: getattr(flag, name) for name in _FIELDS}
    return {**values, "flagged_at": flag.flagged_at.isoformat(), "box": list(flag.box or ())}
