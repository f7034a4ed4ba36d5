"""``smartbreed deploy``: run this program as a Hugging Face Space, with its model and dataset repos."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from smartbreed.cli.common import ends_well, say, settings_with


def deploy(
    space: Annotated[
        str, typer.Argument(metavar="ORG/NAME", help="The Space; created if it does not exist.")
    ],
    hardware: Annotated[
        str, typer.Option(help="Such as cpu-upgrade or t4-small. Default: what the Space has.")
    ] = "",
    private: Annotated[
        bool, typer.Option("--private", help="Only you and your organisation can see it.")
    ] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY[=VALUE]", help="A secret; without a value, the environment's."),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A public environment variable.")
    ] = None,
    bucket: Annotated[
        str, typer.Option(metavar="ORG/NAME", help="A bucket to keep the Space's data in, mounted at /data.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
) -> None:
    """Create or update the Space, its model repo and its dataset repo.

    Running it again changes only what differs. SMARTBREED_HUB, HF_ENDPOINT and HF_TOKEN choose the Hub;
    see docs/deploy.md.
    """
    with ends_well():
        from smartbreed.hub.connection import chosen_hub
        from smartbreed.hub.deployment import carry_out, plan

        settings = settings_with()
        made = plan(
            settings,
            space,
            variables=_pairs(variable or [], "--variable", environment=False),
            secrets=_pairs(secret or [], "--secret", environment=True),
            private=private,
            hardware=hardware,
            bucket=bucket,
        )
        hub = chosen_hub(settings)
        for warning in made.warnings:
            say(warning)
        if dry_run:
            print(f"Hub        {hub.name}")
            print(f"Space      {made.space}{' (private)' if made.private else ''}")
            print(f"model      {made.model_repo}")
            print(f"dataset    {made.dataset}")
            for key, value in made.variables.items():
                print(f"variable   {key}={value}")
            for key in made.secrets:
                print(f"secret     {key}")
            print(f"hardware   {made.hardware or 'as it is'}")
            print(f"bucket     {made.bucket or 'none'}")
            for name in sorted(made.files):
                print(f"file       {name}")
            return
        carry_out(settings, made, lambda step: print(step, flush=True))
        where = "embedded" if hub.embedded else f"{hub.endpoint}/spaces/{made.space}"
        say(f"done: {where}" if not hub.embedded else "done, on the embedded Hub, which runs no Spaces.")


def _pairs(given: list[str], option: str, *, environment: bool) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign and environment and key in os.environ:
            value = os.environ[key]
        elif not sign:
            # Do not repeat the text: it may be a secret whose name was forgotten.
            missing = "and the environment has no variable of that name" if environment else "as KEY=VALUE"
            raise typer.BadParameter(f"needs a value, {missing}", param_hint=option)
        pairs[key] = value
    return pairs
