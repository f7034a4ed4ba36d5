"""``smartbreed hub``: the embedded Hub, for trainers and other tools on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import MISUSE, SOME_FAILED, ends_well, say, settings_with
from smartbreed.core.errors import SettingError
from smartbreed.core.periodic import PeriodicTask

if TYPE_CHECKING:
    from localhub.store import HubStore

app = typer.Typer(help="The Hub of this machine, a stand-in for huggingface.co.", no_args_is_help=True)

#: Seconds between checks whether maintenance is due.
_LOOK_S = 600.0
#: Default of --webhook-secret-env; the app checks the webhooks it receives against the same variable.
_SECRET = "SMARTBREED_WEBHOOK_SECRET"


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7870,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that other machines reach needs tokens.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SMARTBREED_HUB_TOKEN_FILE",
            help="Users: lines of JSON with name, role (read or write) and secret. "
            "Without it, every user of this machine may do everything.",
            show_default=False,
        ),
    ] = None,
    anonymous: Annotated[
        bool,
        typer.Option(
            "--anonymous/--no-anonymous",
            help="With tokens: whether callers without one may read repos that are not private.",
        ),
    ] = True,
    webhook: Annotated[
        list[str] | None,
        typer.Option(help="Address to notify of every push; may be repeated.", show_default=False),
    ] = None,
    webhook_secret_env: Annotated[
        str,
        typer.Option(help="Environment variable with the secret sent along as X-Webhook-Secret."),
    ] = _SECRET,
) -> None:
    """Serve the repos under SMARTBREED_HOME to huggingface_hub, datasets and hf. Stop it with Ctrl-C."""
    with ends_well():
        from localhub.embedded import serve_folder
        from smartbreed.hub.embedded import embedded_errors

        secret = os.environ.get(webhook_secret_env, "")
        if webhook and not secret and webhook_secret_env != _SECRET:
            raise SettingError(f"{webhook_secret_env} is not set, so webhooks would have no secret.")
        root = settings_with().home_dir / "hub"
        with embedded_errors(), _kept_in_order(root):
            serve_folder(
                root,
                host=host,
                port=port,
                token_file=token_file,
                anonymous=anonymous,
                webhooks=webhook or (),
                webhook_secret=secret,
            )


@app.command()
def check(
    contents: Annotated[
        bool, typer.Option("--contents", help="Also read every file and compare it with its name.")
    ] = False,
) -> None:
    """Report what is missing or damaged in the Hub under SMARTBREED_HOME.

    Exit status: 0 if nothing is, 1 if something is.
    """
    with ends_well(), _store() as store:
        from localhub.maintenance import check_store

        problems = check_store(store, contents=contents)
        for problem in problems:
            print(problem)
        if problems:
            raise typer.Exit(SOME_FAILED)
        print("all is well")


@app.command()
def gc(
    grace: Annotated[
        float,
        typer.Option(
            min=0, help="Hours to keep content that no commit names; its upload may be in progress."
        ),
    ] = 24.0,
) -> None:
    """Remove what no branch or tag of the Hub under SMARTBREED_HOME leads to. The app does this daily."""
    with ends_well(), _store() as store:
        from localhub.maintenance import collect_garbage

        gone = collect_garbage(store, grace_s=grace * 3600)
        print(f"removed {gone.commits} commits and {gone.files} files, {gone.bytes} bytes")


@contextmanager
def _store() -> Iterator[HubStore]:
    from localhub.store import HubStore
    from smartbreed.hub.embedded import embedded_errors

    root = settings_with().home_dir / "hub"
    if not (root / "hub.db").exists():
        say("there is no embedded Hub under SMARTBREED_HOME.")
        raise typer.Exit(MISUSE)
    with embedded_errors():
        store = HubStore(root)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def _kept_in_order(root: Path) -> Iterator[None]:
    """Run the daily maintenance in the background while the block runs, unless an app on the home does it."""
    from smartbreed.hub.embedded import hub_maintenance

    task = PeriodicTask("hub-maintenance", hub_maintenance(root).run, _LOOK_S, patience_s=0.0)
    task.start()
    try:
        yield
    finally:
        task.stop()
