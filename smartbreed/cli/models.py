"""``smartbreed models``: list the releases of the model, and choose which one answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import JsonOption, ends_well, say, settings_with
from smartbreed.core.errors import StorageError

if TYPE_CHECKING:
    from smartbreed.core.settings import Settings

app = typer.Typer(help="List releases of the model, and choose the one in use.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """Show every release, newest first: which answers, which is pinned, which cannot be served and why."""
    with ends_well():
        from smartbreed.registry.versions import list_releases

        rows, problem = list_releases(settings_with())
        if problem:
            say(f"only what is known here: {problem}")
        if as_json:
            for row in rows:
                print(json.dumps(row.as_dict()))
            return
        from smartbreed.cli.table import print_table

        print_table(
            ("version", "revision", "from", "state"),
            [
                (
                    row.version,
                    row.revision[:10],
                    row.repo,
                    "; ".join(
                        filter(
                            None,
                            [
                                "serves" if row.serves else "",
                                "pinned" if row.pinned else "",
                                f"cannot be served: {row.bad}" if row.bad else "",
                            ],
                        )
                    ),
                )
                for row in rows
            ],
        )


@app.command()
def use(
    revision: Annotated[
        str,
        typer.Argument(
            metavar="REV", help="A version, a tag, the beginning of a commit id, embedded, or latest."
        ),
    ],
) -> None:
    """Pin a release: it answers from now on, even if a newer one comes out. 'latest' unpins it.

    It is downloaded, verified and tried first. A running app switches to it within seconds.
    """
    with ends_well():
        from smartbreed.registry.pinning import use as pin

        settings = settings_with()
        chosen = pin(settings, revision)
        _note(settings, f"chosen: {chosen.version if chosen else 'the newest'}")
        if chosen is None:
            say("the newest release answers from now on.")
        else:
            say(f"version {chosen.version} answers from now on; 'smartbreed models use latest' undoes it.")


@app.command()
def rollback() -> None:
    """Go back to the release before the current one. Repeat it to go further back."""
    with ends_well():
        from smartbreed.registry.pinning import rollback as go_back

        settings = settings_with()
        chosen = go_back(settings)
        _note(settings, f"back to {chosen.version}")
        say(f"version {chosen.version} answers from now on; 'smartbreed models use latest' undoes it.")


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show which release answers and why. A running app shows the release at /api/health too."""
    with ends_well():
        from smartbreed.registry.model_source import read_source
        from smartbreed.registry.versions import list_releases, why_not_taken

        settings = settings_with()
        source = read_source(settings)
        rows, problem = list_releases(settings)
        serving = next(row for row in rows if row.serves)
        facts = {
            "version": serving.version,
            "revision": serving.revision,
            "repo": serving.repo,
            "pinned": serving.pinned,
            "source": settings.model or "embedded",
            "releases": f"{source.repo}@{source.asked}" if source.repo else "",
            "bad": [row.as_dict() for row in rows if row.bad],
            "problem": problem or why_not_taken(settings),
        }
        if as_json:
            print(json.dumps(facts))
            return
        print(f"version   {serving.version} of {serving.repo} ({serving.revision[:10]})")
        print(f"pinned    {'yes' if serving.pinned else 'no'}")
        print(f"releases  {facts['releases'] or 'none: SMARTBREED_MODEL names a folder'}")
        for row in rows:
            if row.bad:
                print(f"bad       {row.version} ({row.revision[:10]}): {row.bad}")
        if facts["problem"]:
            print(f"problem   {facts['problem']}")


def _note(settings: Settings, words: str) -> None:
    """Note the chosen version in the audit log. If the database fails, say so; the choice stands."""
    from smartbreed.admin.audit import note_alone
    from smartbreed.feedback.flags import open_feedback

    try:
        flags = open_feedback(settings)
        note_alone(flags.sessions, "model", words)
        flags.close()
    except StorageError as error:
        say(error.message)
