"""``smartbreed flags``: what visitors said about the answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from smartbreed.commands.common import JsonOption, ends_well, settings_with
from smartbreed.commands.publish import publish, status

if TYPE_CHECKING:
    from smartbreed.feedback.tables import Flag

app = typer.Typer(help="Look at what visitors flagged, and publish it.", no_args_is_help=True)
app.command()(publish)
app.command()(status)

_FIELDS = ("id", "flagged_at", "state", "verdict", "predicted", "label", "label_text", "sample_id")


@app.command("list")
def list_flags(
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Most flags to show.")] = 50,
) -> None:
    """Show the newest flags, newest first."""
    with ends_well():
        from smartbreed.feedback.flags import open_feedback

        service = open_feedback(settings_with())
        rows = [_row(flag) for flag in service.recent(limit)]
        service.close()
        if as_json:
            for row in rows:
                print(json.dumps(row))
        else:
            from smartbreed.commands.table import print_table

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


@app.command("count")
def count_flags(
    state: Annotated[
        str | None, typer.Option(help="Only flags in this state: pending, published or withdrawn.")
    ] = None,
) -> None:
    """Print how many flags there are."""
    with ends_well():
        from smartbreed.feedback.flags import open_feedback

        service = open_feedback(settings_with())
        print(service.count(state))
        service.close()


def _row(flag: Flag) -> dict[str, Any]:
    values = {name: getattr(flag, name) for name in _FIELDS}
    return {**values, "flagged_at": flag.flagged_at.isoformat()}
