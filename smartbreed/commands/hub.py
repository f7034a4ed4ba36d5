"""``smartbreed hub``: the embedded Hub, for trainers and other tools on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from smartbreed.commands.common import ends_well, settings_with

app = typer.Typer(help="The Hub of this machine, a stand-in for huggingface.co.", no_args_is_help=True)


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 7870,
) -> None:
    """Serve the repos under SMARTBREED_HOME to huggingface_hub, datasets and hf; stop it with Ctrl-C."""
    with ends_well():
        from smartbreed.hub.embedded import environment
        from smartbreed.hub.embedded import serve as run
        from smartbreed.hub.store import HubStore

        store = HubStore(settings_with().home_dir / "hub")
        variables = " ".join(
            f"{name}={value}" for name, value in environment(f"http://127.0.0.1:{port}").items()
        )
        print(f"serving; elsewhere: export {variables}", file=sys.stderr)
        run(store, port=port)
