"""``smartbreed accounts``: create, list, close and delete accounts, and change their roles."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from smartbreed.cli.common import MISUSE, JsonOption, ends_well, say, settings_with

if TYPE_CHECKING:
    from smartbreed.services import Services

app = typer.Typer(help="Accounts: create, list, disable and delete them.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address, or the account's id.")]


@app.command()
def create(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their e-mail address.")],
    admin: Annotated[bool, typer.Option("--admin", help="Role admin: may do everything.")] = False,
    maintainer: Annotated[
        bool, typer.Option("--maintainer", help="Role maintainer: may review and retrain.")
    ] = False,
) -> None:
    """Create an account. Prints a link for choosing its password; it works once, within two hours."""
    with _services() as services:
        role = "admin" if admin else "maintainer" if maintainer else "member"
        member, link = services.roster.create(email, role)
        say(f"{member.email} is {role} now; the link works once.")
        print(link)


@app.command("list")
def list_accounts(as_json: JsonOption = False) -> None:
    """Show all accounts, oldest first."""
    with _services() as services:
        rows = [
            {
                "id": one.id,
                "email": one.email or "",
                "name": one.name,
                "role": one.role,
                "state": "closed" if one.disabled_at else "open" if one.verified_at else "unconfirmed",
                "since": one.created_at.isoformat(),
                "log_name": services.members.log_name(one.id),
            }
            for one in services.roster.list()
        ]
        if as_json:
            for row in rows:
                print(json.dumps(row))
        else:
            from smartbreed.cli.table import print_table

            print_table(
                ("account", "e-mail", "name", "role", "state", "since", "in the log"),
                [(*list(row.values())[:5], row["since"][:10], row["log_name"]) for row in rows],
            )


@app.command()
def role(
    who: Who, new: Annotated[str, typer.Argument(metavar="ROLE", help="member, maintainer or admin.")]
) -> None:
    """Change the role of an account."""
    with _services() as services:
        services.roster.set_role(who, new)
        print(new)


@app.command()
def disable(who: Who, undo: Annotated[bool, typer.Option("--undo", help="Open it again.")] = False) -> None:
    """Close an account and end its sessions. Its data is kept."""
    with _services() as services:
        services.roster.disable(who, disabled=not undo)
        print("open" if undo else "closed")


@app.command()
def delete(who: Who, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete an account with its flags and photos for good. What is already published leaves the dataset and
    its history when that is next published. Prints the id of the receipt, which names no person.
    """
    with _services() as services:
        member = services.roster.find(who)
        if not yes:
            if not sys.stdin.isatty():
                say("there is no terminal to ask on; give --yes to delete for good.")
                raise typer.Exit(MISUSE)
            if not typer.confirm("Delete this account, its flags and photos for good?", err=True):
                raise typer.Exit(MISUSE)
        print(services.delete_member(member.id))


@contextlib.contextmanager
def _services() -> Iterator[Services]:
    with ends_well():
        from smartbreed.accounts.origin import public_origin
        from smartbreed.services import Services
        from smartbreed.web.address import below_root, read_address

        services = Services(settings_with())
        services.members.site = below_root(public_origin(services.settings.public_url) or read_address().url)
        try:
            yield services
        finally:
            services.stop()
